"""Treat by predicted gain, not by risk: whom a message would help, which those at risk need not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.policies import gains
from engine.policies.base import Context, State
from engine.policies.learning import Learning


@dataclass(frozen=True)
class Uplift(Learning):
    """Sends the type with the highest predicted gain, if that is surely worth its price.

    Source: a T-learner with shrinkage; S. R. Kuenzel et al., "Metalearners for estimating heterogeneous treatment
    effects using machine learning", PNAS 116, 2019. The highest of many predictions is high by luck, too, so each is
    taken with a margin. It needs decisions drawn evenly, hence its larger ``explore``.

    Args:
        margin: standard deviations that a prediction is taken lower by.
    """

    name: ClassVar[str] = "uplift"
    explore: float = 0.1
    margin: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a bound that is none."""
        super().__post_init__()
        self._need("margin", 0 <= self.margin <= 100, "0 to 100 standard deviations")

    def learned(self, log: NDArray[Any]) -> State:
        """Return the statistics of `engine.policies.gains`."""
        return gains.learned(log, self.reward)

    def preferred(self, context: Context) -> NDArray[np.float64]:
        """Return the type of the highest sure gain, with certainty."""
        known = gains.fit(context.state or gains.nothing_learned())
        sure = gains.along(context.features, known.mean) - self.margin * gains.spread(
            context.features, known.covariance
        )
        return context.sure(gains.best(sure, context.options(), self.price))
