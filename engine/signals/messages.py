"""Messages: what the learner has been sent, and whether activity followed."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps
from engine.compiled import compiled
from engine.record import NEVER, NOTIFICATION_TYPES
from engine.signals.catalogue import signal
from engine.signals.moment import Now

_DAYS = 28  # looked back on


@compiled
def _sent(r: Any, now: Now) -> int:
    """Return which of the 28 days that end with the moment's had a notification, bit k = k days before it."""
    if int(r["sent_day"]) == NEVER:
        return 0
    ago = now.day - int(r["sent_day"])
    if ago >= _DAYS:
        return 0
    days = int(r["sent_bits"])
    return (days << ago if ago >= 0 else days >> -ago) & ((1 << _DAYS) - 1)


@signal("days", 0, 7)
def message_days_7(r: Any, now: Now) -> float:
    """Days of the last 7 on which the learner was sent a notification."""
    return float(bitmaps.count(_sent(r, now) & ((1 << 7) - 1)))


@signal("days", 0, 28)
def message_days_28(r: Any, now: Now) -> float:
    """Days of the last 28 on which the learner was sent a notification."""
    return float(bitmaps.count(_sent(r, now)))


@signal("days", 0, _DAYS)
def days_since_message(r: Any, now: Now) -> float:
    """Days since the last notification; 28 = longer ago, or never."""
    return float(min(_DAYS, bitmaps.newest(_sent(r, now))))


@signal("share", 0, 1)
def messages_answered(r: Any, now: Now) -> float:
    """Share of the days with a notification of the last 28 that were active or before an active one, one half added."""
    sent = _sent(r, now)
    answered = bitmaps.count(sent & (now.active | (now.active << 1)))
    return (answered + 0.5) / (bitmaps.count(sent) + 1.0)


@signal("log sends", 0, 15)
def log_messages(r: Any, now: Now) -> float:
    """Logarithm of 1 + all notifications sent so far."""
    sends = 0
    for kind in range(NOTIFICATION_TYPES):
        sends += int(r["sent_counts"][kind])
    return math.log1p(sends)


@signal("channels", 0, 8)
def channels_allowed(r: Any, now: Now) -> float:
    """Channels by which the learner may be reached."""
    return float(bitmaps.count(int(r["consent"])))
