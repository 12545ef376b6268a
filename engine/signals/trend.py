"""Trend: whether the learner does more or less than before."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.signals.catalogue import signal
from engine.signals.moment import Now


@signal("days", -7, 7)
def active_days_change_7(r: Any, now: Now) -> float:
    """Active days of the last 7 less those of the 7 before."""
    week = (1 << 7) - 1
    return float(bitmaps.count(now.active & week) - bitmaps.count((now.active >> 7) & week))


@signal("days", -28, 28)
def active_days_change_28(r: Any, now: Now) -> float:
    """Active days of the last 28 less those of the 28 before."""
    month = (1 << 28) - 1
    return float(bitmaps.count(now.active & month) - bitmaps.count(now.active >> 28))


@signal("log ratio", -20, 20)
def events_trend(r: Any, now: Now) -> float:
    """Logarithm of (1 + events with half-life 7 days) over (1 + events with half-life 28 days)."""
    return math.log((1.0 + now.events_7d) / (1.0 + now.events_28d))
