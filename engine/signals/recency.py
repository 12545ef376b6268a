"""Recency: how long ago the learner was last here, and last did something of a kind."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.calendar import SECONDS_PER_DAY
from engine.compiled import compiled
from engine.record import WORD_DAYS
from engine.signals.catalogue import signal
from engine.signals.moment import READING, VIDEO, VISIT, Now

LONGEST_DAYS = 392.0
"""What was longer ago, or never, counts as this: the year and a little that a record remembers."""


@compiled
def days_since_kind(r: Any, now: Now, kind: int) -> float:
    """Return the days from the last event of a kind to the end of the moment's day in UTC, 0-392; 392 = never."""
    last_s = int(r["last_kind_s"][kind])
    if last_s == 0:
        return LONGEST_DAYS
    return min(LONGEST_DAYS, max(0.0, now.day + 1 - last_s / SECONDS_PER_DAY))


@signal("days", 0, WORD_DAYS, monotone=1)
def silent_days(r: Any, now: Now) -> float:
    """Days since the last active day; 0 = active today."""
    return float(now.silent_days)


@signal("log days", 0, math.log1p(WORD_DAYS), monotone=1)
def log_silent_days(r: Any, now: Now) -> float:
    """Logarithm of 1 + the days since the last active day: the second silent day says more than the twentieth."""
    return math.log1p(now.silent_days)


@signal("days", 0, WORD_DAYS, monotone=1)
def days_since_qualifying(r: Any, now: Now) -> float:
    """Days since the last day that counted for the streak."""
    return float(bitmaps.newest(bitmaps.window(r["qualifying_bits"], now.day)))


@signal("days", 0, LONGEST_DAYS)
def days_since_visit(r: Any, now: Now) -> float:
    """Days since the last visit that was nothing more: a page, a search, a login."""
    return days_since_kind(r, now, VISIT)


@signal("days", 0, LONGEST_DAYS)
def days_since_video(r: Any, now: Now) -> float:
    """Days since the last video or live session."""
    return days_since_kind(r, now, VIDEO)


@signal("days", 0, LONGEST_DAYS)
def days_since_reading(r: Any, now: Now) -> float:
    """Days since something was last read, noted or downloaded."""
    return days_since_kind(r, now, READING)
