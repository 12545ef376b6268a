"""Social: whether the learner deals with others."""

from __future__ import annotations

import math
from typing import Any

from engine.signals.catalogue import signal
from engine.signals.moment import SOCIAL, Now
from engine.signals.recency import LONGEST_DAYS, days_since_kind


@signal("log events", 0, 20)
def log_social_28d(r: Any, now: Now) -> float:
    """Logarithm of 1 + recent posts, replies, reviews and the like, half-life 28 days."""
    return math.log1p(now.kinds_28d[SOCIAL])


@signal("share", 0, 1)
def social_share_28d(r: Any, now: Now) -> float:
    """Share of recent events that deal with others, half-life 28 days, one event of none added."""
    return float(now.kinds_28d[SOCIAL]) / (1.0 + now.events_28d)


@signal("days", 0, LONGEST_DAYS)
def days_since_social(r: Any, now: Now) -> float:
    """Days since the learner last dealt with others."""
    return days_since_kind(r, now, SOCIAL)
