"""The oracle: sends what the laboratory's own response model says is best. What others fall short of it is regret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.policies import gains
from engine.policies.base import NO_MESSAGE, Context, Policy


@dataclass(frozen=True)
class Oracle(Policy):
    """Sends the type that brings most active days, if it brings any, as nobody can know outside the laboratory.

    Where there are no gains to read, as in the service, it sends nothing.

    Args:
        above: active days that a message must bring.
    """

    name: ClassVar[str] = "oracle"
    reads_gains: ClassVar[bool] = True
    above: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a bound that is none."""
        self._need("above", -7 <= self.above <= 7, "active days from -7 to 7")

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return the best type with certainty."""
        if not len(context.gains):
            return context.sure(np.full(len(context.learners), NO_MESSAGE, np.int8))
        return context.sure(gains.best(context.gains, context.options(), self.above))
