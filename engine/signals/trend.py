"""Trend: whether the learner does more or less than before."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.signals.catalogue import signal
from engine.signals.moment import Now

_WEEK = (1 << 7) - 1


@signal("days", -7, 7)
def active_days_change_7(r: Any, now: Now) -> float:
    """Active days of the last 7 less those of the 7 before."""
    return float(bitmaps.count(now.active & _WEEK) - bitmaps.count((now.active >> 7) & _WEEK))


@signal("days", -14, 14)
def active_days_change_14(r: Any, now: Now) -> float:
    """Active days of the last 14 less those of the 14 before."""
    fortnight = (1 << 14) - 1
    return float(bitmaps.count(now.active & fortnight) - bitmaps.count((now.active >> 14) & fortnight))


@signal("days", -28, 28)
def active_days_change_28(r: Any, now: Now) -> float:
    """Active days of the last 28 less those of the 28 before."""
    month = (1 << 28) - 1
    return float(bitmaps.count(now.active & month) - bitmaps.count(now.active >> 28))


@signal("days a week", -7, 7)
def weekly_slope(r: Any, now: Now) -> float:
    """Least-squares slope of the active days of the last 8 weeks, in days more a week."""
    weighted = 0
    for week in range(8):  # from now back: week 0 is the newest; deviations from the middle are 3.5, 2.5 ... -3.5
        weighted += (7 - 2 * week) * bitmaps.count((now.active >> (7 * week)) & _WEEK)
    return weighted / 2.0 / 42.0  # the deviations' squares add up to 42


@signal("log ratio", -20, 20)
def events_trend(r: Any, now: Now) -> float:
    """Logarithm of (1 + events with half-life 7 days) over (1 + events with half-life 28 days)."""
    return math.log((1.0 + now.events_7d) / (1.0 + now.events_28d))


@signal("log ratio", -20, 20)
def events_change_4(r: Any, now: Now) -> float:
    """Logarithm of (1 + events of the last 4 days) over (1 + events of the 4 days before)."""
    return math.log((1.0 + now.events_few) / (1.0 + now.events_before))
