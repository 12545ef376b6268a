"""Send to learners whose risk is neither low nor high: where half the people were found to carry most of the gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.notifications.catalogue import catalogue
from engine.policies.base import Context, Policy


@dataclass(frozen=True)
class IntermediateRisk(Policy):
    """Sends the first eligible type to learners whose risk lies between two bounds.

    Source: S. Athey, N. Keleher & J. Spiess, "Machine learning who to nudge", 2023 (53,000 students): those with the
    lowest baseline gained least; an intermediate one gained most.

    Args:
        from_risk: lowest risk, 0-100.
        below_risk: the risk from which nothing is sent any more, 0-100.
        types: types to try, in order.
    """

    name: ClassVar[str] = "intermediate_risk"
    from_risk: float = 30.0
    below_risk: float = 70.0
    types: tuple[str, ...] = ("streak_warning", "gentle_reminder", "personalised_content")

    def __post_init__(self) -> None:
        """Refuse unknown types and bounds out of order."""
        for name in self.types:
            catalogue().code(name)
        if not 0 <= self.from_risk < self.below_risk <= 100:
            got = f"from_risk {self.from_risk}, below_risk {self.below_risk}"
            raise InputError("policy 'intermediate_risk'", got, "0 <= from_risk < below_risk <= 100")

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return the first eligible type within the bounds; learners without a score get nothing."""
        within = (context.risk >= self.from_risk) & (context.risk < self.below_risk)
        return context.sure(context.first_of(self.types, within))
