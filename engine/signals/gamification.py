"""Gamification: streak, freezes, level and achievements."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.signals.catalogue import signal
from engine.signals.moment import Now

_HALF = (1 << 32) - 1  # what is counted at a time


@signal("log days", 0, 12)
def log_streak(r: Any, now: Now) -> float:
    """Logarithm of 1 + the length of the living streak."""
    return math.log1p(int(r["view"]["streak"]))


@signal("log days", 0, 12)
def log_longest_streak(r: Any, now: Now) -> float:
    """Logarithm of 1 + the longest streak so far."""
    return math.log1p(int(r["view"]["longest_streak"]))


@signal("freezes", 0, 100)
def freezes_held(r: Any, now: Now) -> float:
    """Freezes held now."""
    return float(int(r["view"]["freezes"]))


@signal("runs a day", 0, 1)
def streaks_ended_rate(r: Any, now: Now) -> float:
    """Streaks that ended, a day since the beginning."""
    return min(1.0, int(r["view"]["streaks_ended"]) / now.tenure_days)


@signal("level", 1, 16)
def level(r: Any, now: Now) -> float:
    """Level reached."""
    return float(int(r["view"]["level"]))


@signal("log XP", 0, 25)
def log_xp_week(r: Any, now: Now) -> float:
    """Logarithm of 1 + the XP of the running ISO week."""
    return math.log1p(int(r["xp_week"]))


@signal("share", 0, 1)
def streak_of_longest(r: Any, now: Now) -> float:
    """The living streak over the longest so far, one day added to the latter."""
    return int(r["view"]["streak"]) / (int(r["view"]["longest_streak"]) + 1.0)


@signal("freezes a day", 0, 1)
def freezes_used_rate(r: Any, now: Now) -> float:
    """Freezes that missed days have taken, a day since the beginning."""
    return min(1.0, int(r["view"]["freezes_used"]) / now.tenure_days)


@signal("achievements", 0, 64)
def achievements_held(r: Any, now: Now) -> float:
    """Achievements held."""
    held = int(r["achievements"])
    return float(bitmaps.count(held & _HALF) + bitmaps.count((held >> 32) & _HALF))


@signal("log XP", 0, 25)
def log_xp_today(r: Any, now: Now) -> float:
    """Logarithm of 1 + the XP of the learner's today."""
    return math.log1p(int(r["xp_day"]))
