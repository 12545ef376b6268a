"""LinUCB: choose the type that could gain most, as far as the data allow to hope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.policies import gains
from engine.policies.base import Context, State
from engine.policies.learning import Learning


@dataclass(frozen=True)
class LinUcb(Learning):
    """Sends the type with the highest upper bound of its gain, if that is worth its price.

    Source: L. Li, W. Chu, J. Langford & R. E. Schapire, "A contextual-bandit approach to personalized news article
    recommendation", WWW 2010; a line for each type.

    Args:
        width: standard deviations of the bound above the mean.
    """

    name: ClassVar[str] = "linucb"
    width: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a width below zero."""
        super().__post_init__()
        self._need("width", 0 <= self.width <= 100, "0 to 100 standard deviations")

    def learned(self, log: NDArray[Any]) -> State:
        """Return the statistics of `engine.policies.gains`."""
        return gains.learned(log, self.reward)

    def preferred(self, context: Context) -> NDArray[np.float64]:
        """Return the type of the highest bound, with certainty."""
        known = gains.fit(context.state or gains.nothing_learned())
        bound = gains.along(context.features, known.mean) + self.width * gains.spread(
            context.features, known.covariance
        )
        return context.sure(gains.best(bound, context.options(), self.price))
