"""Send the same to everybody as often as the limits allow: the baseline that fatigue punishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.notifications.catalogue import catalogue
from engine.policies.base import Context, Policy


@dataclass(frozen=True)
class Blast(Policy):
    """Sends every learner the first type of a list that the learner is eligible for.

    Args:
        kinds: the types.
    """

    name: ClassVar[str] = "blast"
    kinds: tuple[str, ...] = ("personalised_content",)

    def __post_init__(self) -> None:
        """Refuse an unknown type."""
        for kind in self.kinds:
            catalogue().code(kind)

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return the type for every learner who is eligible for one."""
        return context.sure(context.first_of(self.kinds, np.ones(len(context.learners), np.bool_)))
