"""Frequency: on how many days the learner was here."""

from __future__ import annotations

from typing import Any

from engine import bitmaps
from engine.signals.catalogue import signal
from engine.signals.moment import Now

_WEEK = (1 << 7) - 1


@signal("days", 0, 3, monotone=-1)
def active_days_3(r: Any, now: Now) -> float:
    """Active days of the last 3."""
    return float(bitmaps.count(now.active & ((1 << 3) - 1)))


@signal("days", 0, 7, monotone=-1)
def active_days_7(r: Any, now: Now) -> float:
    """Active days of the last 7."""
    return float(bitmaps.count(now.active & _WEEK))


@signal("days", 0, 14, monotone=-1)
def active_days_14(r: Any, now: Now) -> float:
    """Active days of the last 14."""
    return float(bitmaps.count(now.active & ((1 << 14) - 1)))


@signal("days", 0, 28, monotone=-1)
def active_days_28(r: Any, now: Now) -> float:
    """Active days of the last 28."""
    return float(bitmaps.count(now.active & ((1 << 28) - 1)))


@signal("days", 0, 56, monotone=-1)
def active_days_56(r: Any, now: Now) -> float:
    """Active days of the last 56."""
    return float(bitmaps.count(now.active))


@signal("share", 0, 1, monotone=-1)
def active_share(r: Any, now: Now) -> float:
    """Active days since the beginning over days since the beginning, both counted one more."""
    return min(1.0, (int(r["active_days"]) + 1) / (now.tenure_days + 2))


@signal("weeks", 0, 8, monotone=-1)
def active_weeks_8(r: Any, now: Now) -> float:
    """Weeks of the last 8 with an active day, counted back from today."""
    weeks = 0
    for week in range(8):
        weeks += (now.active >> (7 * week)) & _WEEK != 0
    return float(weeks)


@signal("days", 0, 28, monotone=-1)
def qualifying_days_28(r: Any, now: Now) -> float:
    """Days of the last 28 that counted for the streak."""
    return float(bitmaps.count(bitmaps.window(r["qualifying_bits"], now.day) & ((1 << 28) - 1)))
