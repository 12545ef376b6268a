"""Intensity: how much the learner does, in all and on a day of being here."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.rules import MAX_KINDS
from engine.signals.catalogue import signal
from engine.signals.moment import READING, VIDEO, VISIT, Now

_MOST_KINDS = float(MAX_KINDS)


@signal("log events", 0, 20, monotone=-1)
def log_events_1d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 1 day."""
    return math.log1p(now.events_1d)


@signal("log events", 0, 20, monotone=-1)
def log_events_7d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 7 days."""
    return math.log1p(now.events_7d)


@signal("log events", 0, 20, monotone=-1)
def log_events_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 28 days."""
    return math.log1p(now.events_28d)


@signal("log events", 0, 20)
def log_events_a_day(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent events, half-life 28 days, a day with activity of the last 28."""
    days = bitmaps.count(now.active & ((1 << 28) - 1))
    return math.log1p(now.events_28d / max(1, days))


@signal("log events", 0, 20)
def log_busiest_day(r: Any, now: Now) -> float:
    """Logarithm of 1 + the events of the busiest of the last 8 days."""
    return math.log1p(now.busiest)


@signal("minutes", 0, 1_500)
def mean_span_minutes(r: Any, now: Now) -> float:
    """Minutes from a day's first action to its last, mean over the active days of the last 8."""
    return now.span_minutes


@signal("log minutes", 0, 45)
def log_minutes(r: Any, now: Now) -> float:
    """Logarithm of 1 + all minutes of videos and live sessions."""
    return math.log1p(int(r["watched"]) / 100.0)


@signal("log minutes", 0, 45)
def log_minutes_a_day(r: Any, now: Now) -> float:
    """Logarithm of 1 + the minutes of videos and live sessions, mean over all active days."""
    return math.log1p(int(r["watched"]) / 100.0 / max(1, int(r["active_days"])))


@signal("log events", 0, 20)
def log_visits_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent visits, half-life 28 days."""
    return math.log1p(now.kinds_28d[VISIT])


@signal("log events", 0, 20)
def log_videos_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent videos and live sessions, half-life 28 days."""
    return math.log1p(now.kinds_28d[VIDEO])


@signal("log events", 0, 20)
def log_readings_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent reading, half-life 28 days."""
    return math.log1p(now.kinds_28d[READING])


@signal("kinds", 1, _MOST_KINDS)
def effective_kinds(r: Any, now: Now) -> float:
    """How many kinds of action the learner uses, half-life 28 days: 1 over the sum of squared shares (Simpson)."""
    squares = 0.0
    for kind in range(MAX_KINDS):
        squares += now.kinds_28d[kind] * now.kinds_28d[kind]
    if squares == 0.0:
        return 1.0
    return min(_MOST_KINDS, max(1.0, now.events_28d * now.events_28d / squares))
