"""Local days: zone tables for whole arrays of instants, and the zone a profile was in at an instant.

Only the rim uses zones: it writes each event's local day and minute, and the fold never sees a zone. The tables come
from the pinned `tzdata` package, never from the system's files, so that a day is the same day on every machine.
A day is an int, local days since 1970-01-01; an instant is UTC milliseconds in int64.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from engine.compiled import compiled
from engine.errors import InputError

TZDATA_VERSION = importlib.metadata.version("tzdata")
"""Recorded with every result: another version may know other transitions."""
MS_PER_DAY = 86_400_000
MS_PER_MINUTE = 60_000
SECONDS_PER_DAY = 86_400
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
NO_ZONE = -1  # code of an event that names no zone of its own

_END_S = 4_102_444_800  # 2100-01-01: a table's last offset holds from there on, its first one before 1970
_STEP_S = 4 * 86_400  # no zone has kept, or by its rules will keep, an offset for fewer than 6.9 days (test)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

Ints = NDArray[Any]
LocalTime = tuple[NDArray[np.int32], NDArray[np.int16]]


def day_number(when: date) -> int:
    """Return the number of a calendar day: days since 1970-01-01."""
    return when.toordinal() - _EPOCH_ORDINAL


def date_of(day: int) -> date:
    """Return the calendar day of a number."""
    return date.fromordinal(int(day) + _EPOCH_ORDINAL)


@compiled
def weekday(day: int) -> int:
    """Return the weekday of a day: Monday 0 to Sunday 6."""
    return (day + EPOCH_WEEKDAY) % 7


@compiled
def week_start(day: int) -> int:
    """Return the Monday that begins the ISO week of a day."""
    return day - weekday(day)


def week_starts(days: Ints) -> Ints:
    """Return `week_start` of an array: NumPy alone, since compiling the same for arrays takes a second."""
    starts: Ints = days - (days + EPOCH_WEEKDAY) % 7
    return starts


@dataclass(frozen=True, eq=False)
class ZoneTable:
    """One zone's offsets from 1970 to 2100; `zone` builds it."""

    name: str  # IANA name
    starts_ms: NDArray[np.int64]  # instants from which each offset holds, rising, UTC ms; the first is 0; shape (k,)
    offsets_ms: NDArray[np.int64]  # local time minus UTC, shape (k,)


@cache
def zone_names() -> tuple[str, ...]:
    """Return every IANA name that the pinned data knows, sorted."""
    return tuple(sorted((importlib.resources.files("tzdata") / "zones").read_text().split()))


@cache
def zone(name: str) -> ZoneTable:
    """Return the table of a zone by its IANA name, built at its first use (10-40 ms); `InputError` if unknown."""
    if name not in zone_names():
        near = difflib.get_close_matches(name, zone_names(), n=1)  # naming all six hundred would help nobody
        remedy = f"Did you mean {near[0]!r}?" if near else "Use a name such as 'Europe/Berlin' or 'UTC'."
        raise InputError("time zone", got=repr(name), expected="an IANA name", remedy=remedy)
    with importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        rules = ZoneInfo.from_file(file, key=name)

    def offset_ms(at_s: int) -> int:
        offset = datetime.fromtimestamp(at_s, rules).utcoffset() or timedelta(0)  # never None: the datetime is aware
        return offset.days * MS_PER_DAY + offset.seconds * 1000

    starts_s, offsets = [0], [offset_ms(0)]
    before = 0  # the last instant known to have the last offset
    while before < _END_S:
        after = min(before + _STEP_S, _END_S)
        if offset_ms(after) == offsets[-1]:
            before = after
            continue
        while after - before > 1:  # to the second
            middle = (before + after) // 2
            before, after = (middle, after) if offset_ms(middle) == offsets[-1] else (before, middle)
        starts_s.append(after)
        offsets.append(offset_ms(after))
        before = after
    return ZoneTable(name, np.array(starts_s, np.int64) * 1000, np.array(offsets, np.int64))


def local(occurred_ms: Ints, table: ZoneTable) -> LocalTime:
    """Return the local day and the local minute of the day (0-1439) of instants, in the instants' shape."""
    ms = np.asarray(occurred_ms, np.int64)
    at = np.maximum(np.searchsorted(table.starts_ms, ms, side="right") - 1, 0)
    local_ms = ms + table.offsets_ms[at]
    day = local_ms // MS_PER_DAY
    return day.astype(np.int32), ((local_ms - day * MS_PER_DAY) // MS_PER_MINUTE).astype(np.int16)


def to_utc_ms(day: Ints, minute: Ints, table: ZoneTable) -> NDArray[np.int64]:
    """Return the instants, in UTC ms, at which a zone's clocks begin to show local minutes of local days.

    A time shown twice (clocks put back) is its first occurrence. A time never shown (clocks put forward, a day left out
    at the date line) is moved forward by the length of the gap: 02:30 becomes 03:30. So does `datetime` with fold=0.
    """
    wall = np.asarray(day, np.int64) * MS_PER_DAY + np.asarray(minute, np.int64) * MS_PER_MINUTE
    ends = table.starts_ms[1:] + table.offsets_ms[:-1]  # local time at which each offset stops
    at = np.searchsorted(ends, wall, side="right")
    never_shown = (at > 0) & (wall - table.offsets_ms[at] < table.starts_ms[at])
    return wall - table.offsets_ms[at - never_shown]


def local_days(occurred_ms: Ints, codes: Ints, tables: Sequence[ZoneTable]) -> LocalTime:
    """Return `local` of a batch of mixed zones; ``codes`` holds each instant's place in ``tables``. Shapes (n,).

    Raises:
        InputError: a code has no table.
    """
    if len(wrong := codes[(codes < 0) | (codes >= len(tables))]):
        raise InputError("zone code", got=str(wrong[0]), expected=f"0 to {len(tables) - 1}, the place of a table")
    day, minute = np.empty(len(occurred_ms), np.int32), np.empty(len(occurred_ms), np.int16)
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(tables) + 1))
    for table, start, stop in zip(tables, bounds[:-1], bounds[1:], strict=True):
        if start < stop:
            rows = order[start:stop]
            day[rows], minute[rows] = local(occurred_ms[rows], table)
    return day, minute


class ZoneHistory:
    """Which zone each learner's profile was in, and since when; a change takes effect from its instant on.

    Args:
        learners, from_ms, codes: learner, UTC instant and zone (0 or more) of each change, shape (m,), in any order; of
            two changes of a learner at one instant the later in the arrays wins.
        default: zone of learners without a profile zone.
    """

    def __init__(self, learners: Ints, from_ms: Ints, codes: Ints, default: int) -> None:
        order = np.lexsort((from_ms, learners))
        self._learners = np.asarray(learners)[order]
        self._from_ms = np.asarray(from_ms, np.int64)[order]
        self._codes = np.asarray(codes, np.int64)[order]
        self._default = default

    def changed(self, learners: Ints, from_ms: Ints, codes: Ints) -> ZoneHistory:
        """Return a history with more changes."""
        return ZoneHistory(
            np.concatenate([self._learners, learners]),
            np.concatenate([self._from_ms, from_ms]),
            np.concatenate([self._codes, codes]),
            self._default,
        )

    def codes_at(self, learners: Ints, occurred_ms: Ints, own: Ints) -> NDArray[np.int64]:
        """Return each event's zone: its own, else the profile's in force at that instant.

        An instant before the learner's first change takes the first zone: it is a better guess than the default.

        Args:
            learners: learner of each event, shape (n,).
            occurred_ms: UTC instant of each event, shape (n,).
            own: code of the zone the event itself names, `NO_ZONE` = none, shape (n,).
        """
        first = np.searchsorted(self._learners, learners, side="left")
        end = np.searchsorted(self._learners, learners, side="right")
        low, high = first, np.maximum(end - 1, first)  # the change in force lies in low..high
        while np.any(low < high):  # bisection of all events at once
            middle = (low + high + 1) // 2
            # Clipped for learners without a change, whose place may be past the end; they take the default below.
            begun = self._from_ms[np.minimum(middle, len(self._from_ms) - 1)] <= occurred_ms
            low, high = np.where(begun, middle, low), np.where(begun, high, middle - 1)
        codes = np.full(len(first), self._default, np.int64)
        codes[first < end] = self._codes[low[first < end]]
        return np.where(np.asarray(own) == NO_ZONE, codes, own)
