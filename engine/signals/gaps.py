"""Gaps: how long this learner's silences usually are, and how unusual the present one is."""

from __future__ import annotations

from typing import Any

from engine import bitmaps
from engine.compiled import compiled
from engine.record import WORD_DAYS
from engine.signals.catalogue import signal
from engine.signals.moment import Now


@compiled
def mean_gap(now: Now) -> float:
    """Return the mean distance between active days of the last 56, shrunk towards one gap of a week."""
    active = bitmaps.count(now.active)
    if active == 0:
        return float(WORD_DAYS)
    oldest = WORD_DAYS - 1 - bitmaps.newest(bitmaps.reverse(now.active))
    return (oldest - now.silent_days + 7) / active


@signal("days", 0, WORD_DAYS)
def mean_gap_days(r: Any, now: Now) -> float:
    """Mean distance between active days of the last 56 days, shrunk towards a week."""
    return mean_gap(now)


@signal("days", 0, WORD_DAYS)
def longest_gap_days(r: Any, now: Now) -> float:
    """Longest run of silent days between two active days of the last 56."""
    if now.active == 0:
        return 0.0
    days = now.active >> now.silent_days
    oldest = WORD_DAYS - 1 - bitmaps.newest(bitmaps.reverse(days))
    silent = ~days & ((1 << oldest) - 1)
    longest = 0
    while silent != 0:  # each pass takes one day off every silence
        silent &= silent >> 1
        longest += 1
    return float(longest)


@signal("ratio", 0, WORD_DAYS, monotone=1)
def silence_over_mean_gap(r: Any, now: Now) -> float:
    """The present silence over the learner's own mean distance between active days."""
    return now.silent_days / max(1.0, mean_gap(now))


@signal("share", 0, 1, monotone=-1)
def silences_survived(r: Any, now: Now) -> float:
    """Share of the distances between active days that were longer than the present silence, smoothed by one half."""
    if now.active == 0:
        return 0.0
    days = now.active >> now.silent_days
    unbroken = days  # active days without an older one within the silence's length; the oldest of all is always one
    for distance in range(1, now.silent_days + 1):
        unbroken &= ~(days >> distance)
    return (bitmaps.count(unbroken) - 0.5) / bitmaps.count(days)


@signal("days", 0, WORD_DAYS)
def last_gap_days(r: Any, now: Now) -> float:
    """Distance between the last two active days; 56 = there is only one within 56 days."""
    if now.active == 0:
        return float(WORD_DAYS)
    before = (now.active >> now.silent_days) & ~1
    return float(min(WORD_DAYS, bitmaps.newest(before)))


@signal("share", 0, 1, monotone=-1)
def next_day_return(r: Any, now: Now) -> float:
    """Share of the active days of the last 56 that were followed by another one at once, one half added."""
    followed = bitmaps.count(now.active & (now.active << 1))
    return (followed + 0.5) / (bitmaps.count(now.active >> 1) + 1.0)


@signal("runs", 0, WORD_DAYS)
def runs_56(r: Any, now: Now) -> float:
    """Runs of active days within the last 56."""
    return float(bitmaps.count(now.active & ~(now.active << 1)))
