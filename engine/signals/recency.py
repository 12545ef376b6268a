"""Recency: how long ago the learner was last here."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.record import WORD_DAYS
from engine.signals.catalogue import signal
from engine.signals.moment import Now


@signal("days", 0, WORD_DAYS)
def silent_days(r: Any, now: Now) -> float:
    """Days since the last active day; 0 = active today."""
    return float(now.silent_days)


@signal("log days", 0, math.log1p(WORD_DAYS))
def log_silent_days(r: Any, now: Now) -> float:
    """Logarithm of 1 + the days since the last active day: the second silent day says more than the twentieth."""
    return math.log1p(now.silent_days)


@signal("days", 0, WORD_DAYS)
def days_since_qualifying(r: Any, now: Now) -> float:
    """Days since the last day that counted for the streak."""
    return float(bitmaps.newest(bitmaps.window(r["qualifying_bits"], now.day)))


@signal("log days", 0, 12)
def log_tenure_days(r: Any, now: Now) -> float:
    """Logarithm of 1 + the days since the learner began: hazards fall with tenure."""
    return math.log1p(now.tenure_days)
