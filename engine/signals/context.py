"""Context: the calendar around the moment, and how far into their time here the learner is."""

from __future__ import annotations

import math
from typing import Any

from engine.calendar import weekday
from engine.signals.catalogue import signal
from engine.signals.moment import Now

_YEAR_DAYS = 365.2425


@signal("log days", 0, 12)
def log_tenure_days(r: Any, now: Now) -> float:
    """Logarithm of 1 + the days since the learner began: hazards fall with tenure."""
    return math.log1p(now.tenure_days)


@signal("yes = 1", 0, 1)
def in_first_week(r: Any, now: Now) -> float:
    """Whether the learner began less than a week ago."""
    return 1.0 if now.tenure_days < 7 else 0.0


@signal("weekday", 0, 6)
def coming_weekday(r: Any, now: Now) -> float:
    """Tomorrow's weekday: 0 = Monday."""
    return float(weekday(now.day + 1))


@signal("position", -1, 1)
def season_cosine(r: Any, now: Now) -> float:
    """Place of the day in the year on a circle: 1 at the beginning of January, -1 at that of July."""
    return math.cos(2.0 * math.pi * now.day / _YEAR_DAYS)


@signal("position", -1, 1)
def season_sine(r: Any, now: Now) -> float:
    """Place of the day in the year on a circle: 1 at the beginning of April, -1 at that of October."""
    return math.sin(2.0 * math.pi * now.day / _YEAR_DAYS)


@signal("log events", 0, 25)
def log_late_events(r: Any, now: Now) -> float:
    """Logarithm of 1 + events that came too late to count in full: a device that is seldom online."""
    return math.log1p(int(r["late_events"]))
