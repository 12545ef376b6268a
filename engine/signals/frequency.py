"""Frequency: on how many of the recent days, and with how many events, the learner was here."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.compiled import compiled
from engine.record import HALF_LIVES_DAYS, OPEN_DAYS
from engine.rules import MAX_KINDS
from engine.signals.catalogue import Now, signal

_HALF_LIVES = HALF_LIVES_DAYS


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


@compiled
def recent_events(r: Any, now: Now, half_life: int) -> float:
    """Return the events of all kinds, each weighted by 2^(-age / half-life), ages in whole days before ``now.day``.

    The sealed days stand in the record, decayed to its last sealed active day; the open days are added here.
    """
    days = _HALF_LIVES[half_life]
    total = 0.0
    sealed = 0.0
    for kind in range(MAX_KINDS):
        sealed += float(r["decayed"][kind, half_life])
    if sealed > 0.0:
        total = sealed * 2.0 ** (-(now.day - int(r["decayed_day"])) / days)
    factor = 1.0
    step = 2.0 ** (-1.0 / days)
    oldest = int(r["as_of"]) - OPEN_DAYS + 1
    for day in range(now.day, oldest - 1, -1):
        if (now.active >> (now.day - day)) & 1:
            events = 0
            for kind in range(MAX_KINDS):
                events += int(r["open_kinds"][day % OPEN_DAYS, kind])
            total += events * factor
        factor *= step
    return total


@signal("log events", 0, 20)
def log_events_1d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 1 day."""
    return math.log1p(recent_events(r, now, 0))


@signal("log events", 0, 20)
def log_events_7d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 7 days."""
    return math.log1p(recent_events(r, now, 1))


@signal("log events", 0, 20)
def log_events_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 28 days."""
    return math.log1p(recent_events(r, now, 2))
