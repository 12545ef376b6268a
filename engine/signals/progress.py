"""Progress: how far the learner has come with lessons, modules and courses."""

from __future__ import annotations

import math
from typing import Any

from engine.signals.catalogue import signal
from engine.signals.moment import LESSON, PROGRESS, Now
from engine.signals.recency import LONGEST_DAYS, days_since_kind


@signal("log events", 0, 20)
def log_lessons_7d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent lesson events, half-life 7 days."""
    return math.log1p(now.kinds_7d[LESSON])


@signal("log events", 0, 20)
def log_lessons_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent lesson events, half-life 28 days."""
    return math.log1p(now.kinds_28d[LESSON])


@signal("days", 0, LONGEST_DAYS)
def days_since_lesson(r: Any, now: Now) -> float:
    """Days since a lesson was last begun or completed."""
    return days_since_kind(r, now, LESSON)


@signal("log events", 0, 20)
def log_steps_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent steps such as a module, course or goal, half-life 28 days."""
    return math.log1p(now.kinds_28d[PROGRESS])


@signal("days", 0, LONGEST_DAYS)
def days_since_step(r: Any, now: Now) -> float:
    """Days since the last step such as a module, course or goal."""
    return days_since_kind(r, now, PROGRESS)


@signal("log XP", 0, 25)
def log_xp(r: Any, now: Now) -> float:
    """Logarithm of 1 + all XP."""
    return math.log1p(int(r["view"]["xp"]))


@signal("log XP", 0, 25)
def log_xp_a_day(r: Any, now: Now) -> float:
    """Logarithm of 1 + all XP over the days since the beginning."""
    return math.log1p(int(r["view"]["xp"]) / now.tenure_days)
