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
def _insert(keys: Any, times: Any, key: Any, occurred_ms: int) -> bool:
    """Insert by linear probing; return False if the key stands there already."""
    mask = len(keys) - 1
    place = np.int64(key & np.uint64(mask))  # signed: unsigned and signed would mix to float
    while keys[place] != _ZERO:
        if keys[place] == key:
            return False
        place = (place + 1) & mask
    keys[place] = key
    times[place] = occurred_ms
    return True


@compiled
def first_time(keys: Any, times: Any, learner: int, event_id: Any, occurred_ms: int) -> bool:
    """Remember an event id of a learner; return False if it was remembered already."""
    return bool(_insert(keys, times, _key(learner, event_id), occurred_ms))


@compiled
def _move(keys: Any, times: Any, new_keys: Any, new_times: Any, oldest_ms: int) -> int:
    kept = 0
    for place in range(len(keys)):
        if keys[place] != _ZERO and int(times[place]) >= oldest_ms:
            _insert(new_keys, new_times, keys[place], int(times[place]))
            kept += 1
    return kept


class SeenIds:
    """The event ids of one actor's learners within the dedup horizon: an open-addressing table of 16 bytes an entry.

    An id may be forgotten once its event is older than the horizon, because such an event is refused for its age. Two
    ids collide with a chance of n^2 / 2^65 among n remembered (3e-6 at ten million).

    >>> seen = SeenIds()
    >>> seen.remember(1, 77, 1_000), seen.remember(1, 77, 1_000), seen.remember(2, 77, 1_000)
    (True, False, True)
    """

    def __init__(self) -> None:
        self.keys: NDArray[np.uint64] = np.zeros(_FIRST_CAPACITY, np.uint64)
        self.times: NDArray[np.int64] = np.zeros(_FIRST_CAPACITY, np.int64)
        self._entries = 0  # at most: counted in advance by `reserve`

    def reserve(self, coming: int, oldest_ms: int) -> None:
        """Make room for a batch, forgetting what occurred before ``oldest_ms``."""
        if self._entries + coming > _MOST_LOAD * len(self.keys):
            live = int(np.count_nonzero((self.keys != _ZERO) & (self.times >= oldest_ms)))
            capacity = _FIRST_CAPACITY
            while live + coming > _MOST_LOAD * capacity / 2:  # room to double before the next move
                capacity *= 2
            keys, times = np.zeros(capacity, np.uint64), np.zeros(capacity, np.int64)
            self._entries = _move(self.keys, self.times, keys, times, oldest_ms)
            self.keys, self.times = keys, times
        self._entries += coming

    def take(self, keys: NDArray[np.uint64], times: NDArray[np.int64]) -> None:
        """Take over a table from a snapshot."""
        self.keys, self.times = keys, times
        self._entries = int(np.count_nonzero(keys))

    def remember(self, learner: int, event_id: int, occurred_ms: int) -> bool:
        """Remember one id; return False if it was remembered already."""
        self.reserve(1, np.iinfo(np.int64).min)
        return bool(first_time(self.keys, self.times, learner, np.uint64(event_id), occurred_ms))
