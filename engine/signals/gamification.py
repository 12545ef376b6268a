"""Gamification: streak, freezes, level and quiz results."""

from __future__ import annotations

import math
from typing import Any

from engine.signals.catalogue import signal
from engine.signals.moment import Now


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
def quiz_accuracy(r: Any, now: Now) -> float:
    """Mean score of all quizzes, shrunk towards one half by two of them: no quiz says nothing."""
    return (int(r["quiz_points"]) / 10_000.0 + 1.0) / (int(r["quiz_count"]) + 2.0)
