"""What the policies that learn have in common: they read features, share what they learned, and go on exploring."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.policies.base import Context, Policy, State
from engine.policies.decisions import Reward


@dataclass(frozen=True)
class Learning(Policy):
    """A policy whose state is a sum over decisions that have matured.

    Args:
        explore: share of the decisions that are drawn evenly among all that is possible, nothing included; 0 = none.
            It keeps every propensity above 0, so that the log can be evaluated off-policy.
        reward: what is to be had more of: active days of the next 1, 3 or 7.
        price: of a message in the learner's attention, active days that it costs later than the reward looks; what
            gains no more is not sent. Published sizes give 0.02, from 0 to 0.06: log-odds of 0.01 (0 to 0.03) a send,
            fading with a half-life of 7 days, on days that are active with a chance of about 0.3; we take the careful
            end.
        frozen: whether it decides by what it has learned so far and learns no more.
    """

    reads_features: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    draws: ClassVar[bool] = True
    shares: ClassVar[bool] = True
    explore: float = 0.05
    reward: Reward = "active_7"
    price: float = 0.05
    frozen: bool = False

    def __post_init__(self) -> None:
        """Refuse a share that is none, and a price that cannot be."""
        self._need("explore", 0 <= self.explore <= 1, "a share from 0 to 1")
        self._need("price", -7 <= self.price <= 7, "active days from -7 to 7")

    @property
    def state_name(self) -> str:
        """What is learned of one reward says nothing of another."""
        return f"{self.name}, {self.reward}"

    @abstractmethod
    def learned(self, log: NDArray[Any]) -> State:
        """Return what matured decisions teach: arrays of whole numbers that add up in any order."""

    @abstractmethod
    def preferred(self, context: Context) -> NDArray[np.float64]:
        """Return the chances without exploration, by `Context.state` ({} = nothing learned yet)."""

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return the preferred chances, mixed with even ones."""
        options = np.column_stack([context.options(), np.ones(len(context.learners), bool)])
        even = options / options.sum(axis=1, keepdims=True)
        mixed: NDArray[np.float64] = (1.0 - self.explore) * self.preferred(context) + self.explore * even
        return mixed

    def gather(self, context: Context, matured: NDArray[Any]) -> State:
        """Return what the decisions that have just matured teach."""
        return {} if self.frozen else self.learned(matured)

    def merge(self, state: State, parts: Sequence[State]) -> State:
        """Return the state with what the partitions learned added to it."""
        sums = dict(state)
        for part in parts:
            for name, array in part.items():
                sums[name] = sums[name] + array if name in sums else array
        return sums
