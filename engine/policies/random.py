"""Send at random with known propensities: the log that every other policy can be evaluated from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.policies.base import Context, Policy


@dataclass(frozen=True)
class Random(Policy):
    """Sends with probability ``rate`` one of the eligible types, each as likely as the others.

    Args:
        rate: chance that a learner with any eligible type is sent something on a day, strictly between 0 and 1.
    """

    name: ClassVar[str] = "random"
    draws: ClassVar[bool] = True
    rate: float = 0.2

    def __post_init__(self) -> None:
        """Refuse a rate that would leave a choice without a chance."""
        self._need("rate", 0 < self.rate < 1, "a rate strictly between 0 and 1")

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return ``rate`` shared out among the eligible types."""
        options = context.options()
        number = options.sum(axis=1)
        each = self.rate / np.maximum(number, 1)
        return np.column_stack([options * each[:, None], np.where(number > 0, 1.0 - self.rate, 1.0)])
