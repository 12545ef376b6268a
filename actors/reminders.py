"""Streak reminders: in the learner's own evening, before a streak is lost, once a local day."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.loop import Loop
from actors.ports import Message
from actors.register import Profile, Register
from actors.simulated_day import EVENING_MINUTE
from engine import bitmaps
from engine.notifications import catalogue as notifications
from engine.notifications.catalogue import CHANNELS

TYPE = "streak_warning"


def due(loop: Loop, today: NDArray[np.int32], minute: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return who has a streak, has not been active today, and whose evening has come."""
    records = loop.records
    open_ = (minute >= EVENING_MINUTE) & (records["as_of"] == today) & (records["view"]["streak"] > 0)
    rows = np.flatnonzero(open_).tolist()
    return np.array(
        [row for row in rows if not bitmaps.has_day(records["active_bits"][row], int(today[row]))], np.int64
    )


def resolve(loop: Loop, register: Register, rows: NDArray[np.int64], now_ms: int) -> Message:
    """Return the reminders of those who may be sent one; the others are done for the day, too."""
    catalogue = notifications.catalogue()
    bit = 1 << catalogue.code(TYPE)
    days = loop.records["as_of"][rows]
    by_standing = catalogue.channel_bits(loop.rules)
    _, minutes = register.now(now_ms)
    sends = []
    for row, day in zip(rows.tolist(), days.tolist(), strict=True):
        allowed = int(loop.eligible(day, np.array([row]))[0]) & bit
        bits = int(by_standing[loop.records["standing"][row]]) & int(loop.records["consent"][row])
        if allowed and bits and not quiet(register.profiles.get(row, {}), int(minutes[row])):
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


def quiet(profile: Profile, minute: int) -> bool:
    """Return whether a local minute lies in the learner's quiet hours, which may go over midnight."""
    hours = profile.get("quietHours")
    if not hours:
        return False
    begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in (hours["from"], hours["to"]))
    return begin <= minute < end if begin <= end else minute >= begin or minute < end
