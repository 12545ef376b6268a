"""Send by band to learners at risk: the policy that the retention claims are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.notifications.catalogue import catalogue
from engine.policies.base import NO_MESSAGE, Context, Policy


@dataclass(frozen=True)
class AtRisk(Policy):
    """From a risk of ``from_risk`` on, send the first eligible type of the learner's tier.

    Args:
        from_risk: lowest risk of the lower tier, 0-100.
        critical_from: lowest risk of the upper tier, 0-100.
        high: types to try for the lower tier, in order.
        critical: types to try for the upper tier, in order. A call by a tutor comes first; its cool-down of 90 days
            makes it rare, and the reminder follows.
    """

    name: ClassVar[str] = "at_risk"
    from_risk: float = 60.0
    critical_from: float = 80.0
    high: tuple[str, ...] = ("streak_warning", "gentle_reminder", "personalised_content")
    critical: tuple[str, ...] = ("human_outreach", "gentle_reminder", "personalised_content")

    def __post_init__(self) -> None:
        """Refuse unknown types and thresholds out of order."""
        for name in (*self.high, *self.critical):
            catalogue().code(name)
        if not 0 <= self.from_risk <= self.critical_from <= 100:
            got = f"from_risk {self.from_risk}, critical_from {self.critical_from}"
            raise InputError("policy 'at_risk'", got, "0 <= from_risk <= critical_from <= 100")

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return the first eligible type of each learner's tier; learners without a score get nothing."""
        critical = context.risk >= self.critical_from
        high = context.first_of(self.high, ~critical & (context.risk >= self.from_risk))
        return context.sure(np.where(high == NO_MESSAGE, context.first_of(self.critical, critical), high))
