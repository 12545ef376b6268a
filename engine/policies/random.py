"""Send at random with known propensities: the log that every other policy can be evaluated from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.chance import PURPOSE_POLICY, uniforms_array
from engine.errors import InputError
from engine.policies.base import NO_MESSAGE, Context, Decision


@dataclass(frozen=True)
class Random:
    """Sends with probability ``rate`` one of the eligible types, each as likely as the others.

    Args:
        rate: chance that a learner with any eligible type is sent something on a day, strictly between 0 and 1.
    """

    name: ClassVar[str] = "random"
    rate: float = 0.2

    def __post_init__(self) -> None:
        """Refuse a rate that would leave a choice without a chance."""
        if not 0 < self.rate < 1:
            raise InputError("policy 'random'", f"rate {self.rate}", "a rate strictly between 0 and 1")

    def decide(self, context: Context) -> Decision:
        """Return the draws, and for each the probability of just that choice."""
        luck = uniforms_array(context.stream, context.learners, context.day, PURPOSE_POLICY, 0)
        options = (context.eligible[:, None] >> np.arange(8, dtype=np.uint8)) & 1
        number = options.sum(axis=1, dtype=np.int64)
        sends = (luck[:, 0] < self.rate) & (number > 0)
        wanted = np.minimum((luck[:, 1] * number).astype(np.int64), np.maximum(number - 1, 0))
        chosen = np.argmax(np.cumsum(options, axis=1, dtype=np.int64) == wanted[:, None] + 1, axis=1)
        kinds = np.where(sends, chosen, NO_MESSAGE).astype(np.int8)
        propensity = np.where(number == 0, 1.0, np.where(sends, self.rate / np.maximum(number, 1), 1.0 - self.rate))
        return Decision(kinds, propensity)
