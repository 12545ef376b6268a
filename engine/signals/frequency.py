"""Frequency: on how many of the recent days, and with how many events, the learner was here."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.signals.catalogue import signal
from engine.signals.moment import Now


@signal("days", 0, 3)
def active_days_3(r: Any, now: Now) -> float:
    """Active days of the last 3."""
    return float(bitmaps.count(now.active & ((1 << 3) - 1)))


@signal("days", 0, 7)
def active_days_7(r: Any, now: Now) -> float:
    """Active days of the last 7."""
    return float(bitmaps.count(now.active & ((1 << 7) - 1)))


@signal("days", 0, 14)
def active_days_14(r: Any, now: Now) -> float:
    """Active days of the last 14."""
    return float(bitmaps.count(now.active & ((1 << 14) - 1)))


@signal("days", 0, 28)
def active_days_28(r: Any, now: Now) -> float:
    """Active days of the last 28."""
    return float(bitmaps.count(now.active & ((1 << 28) - 1)))


@signal("days", 0, 56)
def active_days_56(r: Any, now: Now) -> float:
    """Active days of the last 56."""
    return float(bitmaps.count(now.active))


@signal("share", 0, 1)
def active_share(r: Any, now: Now) -> float:
    """Active days since the beginning over days since the beginning, both counted one more."""
    return min(1.0, (int(r["active_days"]) + 1) / (now.tenure_days + 2))


@signal("log events", 0, 20)
def log_events_1d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 1 day."""
    return math.log1p(now.events_1d)


@signal("log events", 0, 20)
def log_events_7d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 7 days."""
    return math.log1p(now.events_7d)


@signal("log events", 0, 20)
def log_events_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 28 days."""
    return math.log1p(now.events_28d)
