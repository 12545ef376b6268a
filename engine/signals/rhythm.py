"""Rhythm: on which weekdays and at which hours the learner is usually here."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.calendar import weekday
from engine.record import WORD_DAYS
from engine.signals.catalogue import signal
from engine.signals.moment import Now

_WEEKLY = sum(1 << (6 + 7 * week) for week in range(8))  # bits 6, 13, 20 ...: the weekday of the coming day
_DAY = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28 | 1 << 35 | 1 << 42 | 1 << 49  # one weekday in each of 8 weeks
_NIGHT_HOURS = 6
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


@signal("days", 0, WORD_DAYS)
def longest_run_56(r: Any, now: Now) -> float:
    """Length of the longest run of active days within the last 56."""
    days = now.active
    longest = 0
    while days != 0:  # each pass takes one day off every run
        days &= days >> 1
        longest += 1
    return float(longest)


@signal("share", 0, 1)
def weekday_concentration(r: Any, now: Now) -> float:
    """How much the learner keeps to the same weekdays: sum of squared shares of the 7, from 1/7 (all alike) to 1."""
    total = bitmaps.count(now.active)
    if total == 0:
        return 1.0 / 7.0
    squares = 0
    for back in range(7):
        days = bitmaps.count((now.active >> back) & _DAY)
        squares += days * days
    return squares / (total * total)


@signal("days", 0, 56, monotone=1)
def usual_days_missed(r: Any, now: Now) -> float:
    """Active days that the present silence would usually have had.

    Each silent day counts as often as its weekday was active in the 8 weeks before the silence.
    """
    weeks = min(8, (now.tenure_days - now.silent_days) // 7 + 1)
    expected = 0
    for back in range(now.silent_days):
        if back < 7:  # the same weekday of older weeks; those within the silence are empty
            expected += bitmaps.count((now.active >> back) & _DAY) * ((now.silent_days - back + 6) // 7)
    return min(float(now.silent_days), expected / max(1, weeks))


@signal("share", 0, 1)
def night_share(r: Any, now: Now) -> float:
    """Share of all events between midnight and six in the morning, one event of a quarter added."""
    night = 0
    total = 0
    for hour in range(24):
        events = int(r["hours"][hour])
        total += events
        if hour < _NIGHT_HOURS:
            night += events
    return (night + 0.25) / (total + 1.0)
