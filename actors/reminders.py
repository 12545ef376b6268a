"""Streak reminders: in the learner's own evening, before a streak is lost, once a local day."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.loop import Loop
from actors.ports import Message
from actors.register import Register
from engine.notifications import catalogue as notifications
from engine.notifications.catalogue import CHANNELS, EVENING_MINUTE
from engine.notifications.quiet_hours import is_quiet
from engine.signals.moment import scored_days

TYPE = "streak_warning"
MOST_ROWS = 4_096
"""Learners of one message."""


def due(
    loop: Loop,
    register: Register,
    today: NDArray[np.int32],
    minute: NDArray[np.int16],
    reminded_day: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Return who has a streak, has not been active today, and in whose evening this has not been looked at.

    Quiet hours are waited for; where they last until midnight, there is no reminder that day.
    """
    records = loop.records
    evening = (minute >= EVENING_MINUTE) & (records["as_of"] == today) & (reminded_day < today)
    rows = np.flatnonzero(evening & (records["view"]["streak"] > 0))
    rows = rows[scored_days(records, rows) < today[rows]]
    waiting = [is_quiet(register.profiles.get(row, {}).get("quietHours"), int(minute[row])) for row in rows.tolist()]
    chosen: NDArray[np.int64] = rows[~np.array(waiting, bool)]
    return chosen


def resolve(loop: Loop, rows: NDArray[np.int64], now_ms: int) -> Message:
    """Return the reminders of those who may be sent one; the others are done for the day, too."""
    catalogue = notifications.catalogue()
    bit = 1 << catalogue.code(TYPE)
    days = loop.records["as_of"][rows]
    by_standing = catalogue.channel_bits(loop.rules)
    sends = []
    for row, day in zip(rows.tolist(), days.tolist(), strict=True):
        allowed = int(loop.eligible(day, np.array([row]))[0]) & bit
        bits = int(by_standing[loop.records["standing"][row]]) & int(loop.records["consent"][row])
        if allowed and bits:
            sends.append([row, day, bits])
    body = {"now_ms": now_ms, "sends": sends, "rows": rows.tolist(), "days": days.tolist()}
    return Message("remind", body)


def apply(
    loop: Loop, register: Register, message: Message
) -> tuple[NDArray[np.int64], NDArray[np.int32], list[dict[str, Any]]]:
    """Enter the sends; return whose evening was looked at, on which day, and what is to be delivered."""
    code = notifications.catalogue().code(TYPE)
    sends = []
    for row, day, bits in message.body["sends"]:
        learner_id = register.ids[row]
        if learner_id is None:
            continue
        kinds = np.array([code], np.int8)
        notifications.mark_sent(loop.records[row : row + 1], day, kinds)
        channels = [name for place, name in enumerate(CHANNELS) if bits >> place & 1]
        identity = f"{learner_id}/{TYPE}/{day}"
        sends.append({"id": identity, "learner": learner_id, "type": TYPE, "day": day, "channels": channels})
    return np.array(message.body["rows"], np.int64), np.array(message.body["days"], np.int32), sends
