"""Rhythm: on which weekdays and at which hours the learner is usually here."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.calendar import weekday
from engine.signals.catalogue import signal
from engine.signals.moment import Now

_WEEKLY = sum(1 << (6 + 7 * week) for week in range(8))  # bits 6, 13, 20 ...: the weekday of the coming day
_COSINES = tuple(math.cos(2 * math.pi * hour / 24) for hour in range(24))
_SINES = tuple(math.sin(2 * math.pi * hour / 24) for hour in range(24))


@signal("share", 0, 1)
def usual_on_coming_weekday(r: Any, now: Now) -> float:
    """Share of the last 8 days of tomorrow's weekday with activity, smoothed by one half."""
    weeks = min(8, now.tenure_days // 7 + 1)
    return (bitmaps.count(now.active & _WEEKLY) + 0.5) / (max(weeks, bitmaps.count(now.active & _WEEKLY)) + 1.0)


@signal("share", 0, 1)
def weekend_share(r: Any, now: Now) -> float:
    """Share of the active days of the last 56 that fell on a Saturday or Sunday, shrunk towards 2 in 7."""
    today = weekday(now.day)
    weekend = 0
    for back in range(7):
        if (today - back) % 7 >= 5:
            days = now.active >> back
            for _ in range(8):
                weekend += days & 1
                days >>= 7
    return (weekend + 2.0) / (bitmaps.count(now.active) + 7.0)


@signal("days", 0, 56)
def consecutive_days(r: Any, now: Now) -> float:
    """Length of the latest run of active days of the last 56, over or not."""
    days = now.active >> now.silent_days if now.active != 0 else 0
    return float(bitmaps.newest(~days & ((1 << 56) - 1)))


@signal("share", 0, 1)
def hour_concentration(r: Any, now: Now) -> float:
    """How much the learner keeps to one time of day: resultant length of the events' hours on the circle, 0-1.

    One prior event at no particular hour shrinks it towards 0 (Mardia and Jupp, Directional Statistics, 2000, 2.3).
    """
    x = 0.0
    y = 0.0
    total = 1
    for hour in range(24):
        events = int(r["hours"][hour])
        total += events
        x += events * _COSINES[hour]
        y += events * _SINES[hour]
    return math.sqrt(x * x + y * y) / total
