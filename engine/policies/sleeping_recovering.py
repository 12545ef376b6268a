"""The sleeping, recovering bandit: types that are not always eligible, and tire when they are sent again too soon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.notifications.catalogue import catalogue
from engine.policies.base import Context, State
from engine.policies.features import ONE
from engine.policies.learning import Learning

_MOST_WEIGHT = 100.0  # of a decision by its inverse propensity: one unlikely choice must not decide alone


@dataclass(frozen=True)
class SleepingRecovering(Learning):
    """Sends types in proportion to exp(score / temperature); a type's score is its relative gain less its tiredness.

    Relative gain: mean reward where the type was chosen over mean reward where it could have been and was not, less 1,
    decisions weighted by their inverse propensity. Tiredness: ``gamma`` x 2^(-days since it was sent to this learner /
    half-life). Source: K. Yancey & B. Settles, "A sleeping, recovering bandit algorithm for optimizing recurring
    notifications", KDD 2020; half-life as there. It knows types, not learners.

    Args:
        rate: chance that a learner with any eligible type is sent something.
        temperature: of the softmax, in relative gain.
        gamma: tiredness of a type sent just now, in relative gain.
        half_life_days: of tiredness.
    """

    name: ClassVar[str] = "sleeping_recovering"
    rate: float = 0.5
    temperature: float = 0.02
    gamma: float = 0.1
    half_life_days: float = 15.0

    def __post_init__(self) -> None:
        """Refuse parameters that leave no distribution."""
        super().__post_init__()
        self._need("rate", 0 < self.rate <= 1, "a chance above 0, up to 1")
        self._need("temperature", self.temperature > 0, "above 0")
        self._need("gamma", self.gamma >= 0, "0 or more")
        self._need("half_life_days", self.half_life_days > 0, "above 0")

    def learned(self, log: NDArray[Any]) -> State:
        """Return by type, in 1/256, weight and weighted reward of the decisions that chose it, and that did not."""
        types = len(catalogue().names)
        rows = log["eligible"] != 0
        weight = np.rint(ONE * np.minimum(1.0 / log["propensity"][rows], _MOST_WEIGHT)).astype(np.int64)
        could = (log["eligible"][rows][:, None] >> np.arange(types, dtype=np.uint16)) & 1 == 1
        chosen = could & (log["chosen"][rows][:, None] == np.arange(types))
        reward = weight * log[self.reward][rows].astype(np.int64)
        sums = [(weight, chosen), (reward, chosen), (weight, could & ~chosen), (reward, could & ~chosen)]
        return {"sums": np.array([np.where(mask, value[:, None], 0).sum(axis=0) for value, mask in sums], np.int64)}

    def scores(self, state: State) -> NDArray[np.float64]:
        """Return the relative gain by type; 0 where too little is known."""
        if "sums" not in state:
            return np.zeros(len(catalogue().names))
        sent, sent_reward, not_sent, not_reward = state["sums"].astype(np.float64)
        enough = (sent > 0) & (not_reward > 0)
        ratio = (sent_reward / np.where(sent > 0, sent, 1.0)) * (not_sent / np.where(not_reward > 0, not_reward, 1.0))
        return np.where(enough, ratio - 1.0, 0.0)

    def preferred(self, context: Context) -> NDArray[np.float64]:
        """Return the softmax over eligible types, times ``rate``."""
        options = context.options()
        tired = self.gamma * np.exp2(-context.rested_days[:, : options.shape[1]] / self.half_life_days)
        logits = np.where(options, (self.scores(context.state) - tired) / self.temperature, -np.inf)
        top = np.where(options.any(axis=1), logits.max(axis=1), 0.0)
        weights = np.exp(logits - top[:, None])
        total = weights.sum(axis=1, keepdims=True)
        shares = np.divide(self.rate * weights, total, out=np.zeros_like(weights), where=total > 0)
        return np.column_stack([shares, np.where(options.any(axis=1), 1.0 - self.rate, 1.0)])
