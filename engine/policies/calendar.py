"""Send by the marketing calendar, whoever it is: what most platforms do, and so a baseline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.calendar import date_of, weekday
from engine.errors import InputError
from engine.notifications.catalogue import catalogue
from engine.policies.base import NO_MESSAGE, Context, Policy

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _weekly() -> dict[Weekday, str]:
    return {"monday": "personalised_content", "thursday": "gentle_reminder"}


@dataclass(frozen=True)
class Calendar(Policy):
    """Sends every eligible learner the type that the calendar has for the day.

    Args:
        weekdays: type by weekday; a weekday left out has none.
        dates: type by date, such as ``2026-11-27``; it takes the weekday's place.
    """

    name: ClassVar[str] = "calendar"
    weekdays: dict[Weekday, str] = field(default_factory=_weekly)
    dates: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse unknown types and what is no date."""
        for text in self.dates:
            try:
                date.fromisoformat(text)
            except ValueError:
                raise InputError("policy 'calendar': dates", repr(text), "a date such as 2026-11-27") from None
        for name in (*self.weekdays.values(), *self.dates.values()):
            catalogue().code(name)

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return the day's type for every learner who is eligible for it."""
        today = self.dates.get(date_of(context.day).isoformat(), self.weekdays.get(_WEEKDAYS[weekday(context.day)]))
        code = NO_MESSAGE if today is None else catalogue().code(today)
        chosen = context.may(code) if code >= 0 else np.zeros(len(context.learners), bool)
        return context.sure(np.where(chosen, code, NO_MESSAGE).astype(np.int8))
