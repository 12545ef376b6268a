"""Performance: quizzes and assignments, how many and how well."""

from __future__ import annotations

import math
from typing import Any

from engine.signals.catalogue import signal
from engine.signals.moment import ASSIGNMENT, QUIZ, Now
from engine.signals.recency import LONGEST_DAYS, days_since_kind


@signal("share", 0, 1)
def quiz_accuracy(r: Any, now: Now) -> float:
    """Mean score of all quizzes, shrunk towards one half by two of them: no quiz says nothing."""
    return (int(r["quiz_points"]) / 10_000.0 + 1.0) / (int(r["quiz_count"]) + 2.0)


@signal("share", 0, 1)
def assignment_score(r: Any, now: Now) -> float:
    """Mean score of all assignments and projects handed in, shrunk towards one half by two of them."""
    return (int(r["work_points"]) / 10_000.0 + 1.0) / (int(r["work_count"]) + 2.0)


@signal("log assignments", 0, 25)
def log_assignments(r: Any, now: Now) -> float:
    """Logarithm of 1 + all assignments and projects handed in that have a score."""
    return math.log1p(int(r["work_count"]))


@signal("log quizzes", 0, 25)
def log_quizzes(r: Any, now: Now) -> float:
    """Logarithm of 1 + all quizzes completed with a score."""
    return math.log1p(int(r["quiz_count"]))


@signal("log events", 0, 20)
def log_quiz_events_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent quiz events, half-life 28 days."""
    return math.log1p(now.kinds_28d[QUIZ])


@signal("days", 0, LONGEST_DAYS)
def days_since_quiz(r: Any, now: Now) -> float:
    """Days since a quiz was last begun or completed."""
    return days_since_kind(r, now, QUIZ)


@signal("log events", 0, 20)
def log_assignments_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent assignments and projects handed in, half-life 28 days."""
    return math.log1p(now.kinds_28d[ASSIGNMENT])


@signal("days", 0, LONGEST_DAYS)
def days_since_assignment(r: Any, now: Now) -> float:
    """Days since an assignment or project was last handed in."""
    return days_since_kind(r, now, ASSIGNMENT)
