"""Arrival: what an event's age means for it, and the memory of event ids that lets nothing count twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.chance import philox4x32
from engine.compiled import compiled

FULL, LATE, DUPLICATE, TOO_OLD, FUTURE = range(5)  # up to LATE an event counts
VERDICTS = ("full", "late", "duplicate", "too_old", "future")
"""What became of an event: its full effect; lifetime totals only; counted before; refused as older than the dedup
horizon (history belongs into a replay, before going live); refused as too far in the future."""

_ZERO, _32, _LOW = np.uint64(0), np.uint64(32), np.uint64(0xFFFFFFFF)  # unsigned with signed would mix to float
_FIRST_CAPACITY = 1 << 12
_MOST_LOAD = 0.5

SEEN = np.dtype(
    [
        ("key", "<u8"),  # learner and event id, mixed; 0 = free
        ("occurred_ms", "<i8"),  # UTC instant, by which it is forgotten
        ("first", "<i8"),  # where it counted, for whoever sends it again
    ]
)
"""One remembered event id."""


@compiled
def age_verdict(occurred_ms: int, arrived_ms: int, rules: Any) -> int:
    """Return what an event's age alone says of it."""
    age_ms = arrived_ms - occurred_ms
    if age_ms < -int(rules["future_ms"]):
        return FUTURE
    if age_ms <= int(rules["grace_ms"]):
        return FULL
    if age_ms <= int(rules["horizon_ms"]):
        return LATE
    return TOO_OLD


@compiled
def _key(learner: int, event_id: Any) -> Any:
    """Mix learner and event id into one non-zero key of 64 bits."""
    low, high = event_id & _LOW, event_id >> _32
    one, two, _, _ = philox4x32(low, high, np.uint64(learner), _ZERO, _ZERO, _ZERO)
    key = (one << _32) | two
    return key if key != _ZERO else np.uint64(1)


@compiled
def _insert(table: Any, key: Any, occurred_ms: int, first: int) -> int:
    """Insert by linear probing; return the ``first`` that stands there already, -1 = the key is new."""
    mask = len(table) - 1
    place = np.int64(key & np.uint64(mask))  # signed: unsigned and signed would mix to float
    while table[place]["key"] != _ZERO:
        if table[place]["key"] == key:
            return int(table[place]["first"])
        place = (place + 1) & mask
    table[place]["key"] = key
    table[place]["occurred_ms"] = occurred_ms
    table[place]["first"] = first
    return -1


@compiled
def first_place(table: Any, learner: int, event_id: Any, occurred_ms: int, here: int) -> int:
    """Remember an event id of a learner; return where it was counted before, -1 = it is new."""
    return int(_insert(table, _key(learner, event_id), occurred_ms, here))


@compiled
def judge(event: Any, table: Any, here: int, rules: Any) -> tuple[int, int]:
    """Judge an event by its age and by what was counted before, and remember it if it counts.

    Args:
        event: one row of `engine.events.EVENT`.
        table: of `SeenIds`, with room for it; empty = the source never repeats itself and is never late.
        here: where it counts, 0 or more: what a later duplicate is told.
        rules: one row of `engine.rules.RULES`.

    Returns:
        its code in `VERDICTS`; where it counted first, which is ``here`` unless it is a duplicate.
    """
    if len(table) == 0:
        return FULL, here
    verdict = age_verdict(int(event["occurred_ms"]), int(event["arrived_ms"]), rules)
    if verdict > LATE:
        return verdict, here
    first = first_place(table, int(event["learner"]), event["event_id"], int(event["occurred_ms"]), here)
    if first >= 0:
        return DUPLICATE, first
    return verdict, here


@compiled
def _move(table: Any, new: Any, oldest_ms: int) -> int:
    kept = 0
    for place in range(len(table)):
        entry = table[place]
        if entry["key"] != _ZERO and int(entry["occurred_ms"]) >= oldest_ms:
            _insert(new, entry["key"], int(entry["occurred_ms"]), int(entry["first"]))
            kept += 1
    return kept


class SeenIds:
    """The event ids of one actor's learners within the dedup horizon: an open-addressing table of 24 bytes an entry.

    An id may be forgotten once its event is older than the horizon, because such an event is refused for its age. Two
    ids collide with a chance of n^2 / 2^65 among n remembered (3e-6 at ten million).

    >>> seen = SeenIds()
    >>> seen.remember(1, 77, 1_000), seen.remember(1, 77, 1_000), seen.remember(2, 77, 1_000)
    (True, False, True)
    """

    def __init__(self) -> None:
        self.table: NDArray[Any] = np.zeros(_FIRST_CAPACITY, SEEN)
        self._entries = 0  # at most: counted in advance by `reserve`

    def reserve(self, coming: int, oldest_ms: int) -> None:
        """Make room for a batch, forgetting what occurred before ``oldest_ms``."""
        if self._entries + coming > _MOST_LOAD * len(self.table):
            live = int(np.count_nonzero((self.table["key"] != _ZERO) & (self.table["occurred_ms"] >= oldest_ms)))
            capacity = _FIRST_CAPACITY
            while live + coming > _MOST_LOAD * capacity / 2:  # room to double before the next move
                capacity *= 2
            table = np.zeros(capacity, SEEN)
            self._entries = _move(self.table, table, oldest_ms)
            self.table = table
        self._entries += coming

    def take(self, table: NDArray[Any]) -> None:
        """Take over a table from a snapshot."""
        self.table = table
        self._entries = int(np.count_nonzero(table["key"]))

    def remember(self, learner: int, event_id: int, occurred_ms: int) -> bool:
        """Remember one id; return False if it was remembered already."""
        self.reserve(1, np.iinfo(np.int64).min)
        return first_place(self.table, learner, np.uint64(event_id), occurred_ms, 0) < 0
