"""The moment of a scoring: what every signal may look at besides the record, computed once for all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import bitmaps, decay
from engine.compiled import compiled
from engine.record import OPEN_DAYS, Records
from engine.rules import KINDS, MAX_KINDS

LESSON, PROGRESS, VISIT, QUIZ, VIDEO, ASSIGNMENT, SOCIAL, READING = range(len(KINDS))
FEW_DAYS = 4
"""Days that are compared with as many before them: both lie among the open days, whenever a learner is scored."""
_SHORT, _MIDDLE, _LONG = 0, 1, 2  # places in HALF_LIVES_DAYS
SCRATCH = (2, MAX_KINDS)
"""Shape of the working memory of a moment."""


class Now(NamedTuple):
    """What a signal may look at besides the record: the moment, and the learner's recent past.

    The moment is the end of ``day``: the learner's today once it has activity, else the day before, because a day
    without activity says nothing before it has ended.
    """

    day: int
    """Local day, days since 1970-01-01."""
    active: int
    """The 56 days that end with ``day``: bit k = active k days before (see `engine.bitmaps`)."""
    silent_days: int
    """Days since the last active day, 0-56; 0 = active on ``day``."""
    tenure_days: int
    """Days from the first day to ``day``, at least 1."""
    events_1d: float
    """Events of all kinds, each weighted by 2^(-age / 1 day), ages in whole days before ``day``."""
    events_7d: float
    """The same with a half-life of 7 days."""
    events_28d: float
    """The same with a half-life of 28 days."""
    kinds_7d: Any
    """The same with a half-life of 7 days, by kind."""
    kinds_28d: Any
    """The same with a half-life of 28 days, by kind."""
    events_few: int
    """Events of the last `FEW_DAYS` days."""
    events_before: int
    """Events of as many days before them."""
    busiest: int
    """Most events on one of those days."""
    span_minutes: float
    """Minutes from the first to the last action, mean over those days that were active; 0 = none was."""


@compiled
def scored_day(r: Any) -> int:
    """Return the local day at whose end a record is scored."""
    day = int(r["as_of"])
    return day if bitmaps.has_day(r["active_bits"], day) else day - 1


@compiled
def _scored_days(records: Any, rows: Any, out: Any) -> None:
    for place in range(len(rows)):
        out[place] = scored_day(records[rows[place]])


def scored_days(records: Records, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the local day at whose end each of some records is scored."""
    out = np.empty(len(rows), np.int64)
    _scored_days(records, rows, out)
    return out


@compiled
def moment(r: Any, scratch: Any) -> Now:
    """Return the moment at which a record is scored; the learner has had an active day.

    Args:
        r: the record.
        scratch: working memory, which the moment holds until the next one is asked for.
    """
    day = scored_day(r)
    active = bitmaps.window(r["active_bits"], day)
    middle, long = scratch[0], scratch[1]
    short = 0.0
    gap_days = day - int(r["decayed_day"])
    if gap_days < 20_000:  # some day is sealed
        seventh, month = decay.factor(gap_days, _MIDDLE), decay.factor(gap_days, _LONG)
        for kind in range(MAX_KINDS):
            short += float(r["decayed"][kind, _SHORT])
            middle[kind] = float(r["decayed"][kind, _MIDDLE]) * seventh
            long[kind] = float(r["decayed"][kind, _LONG]) * month
        short *= decay.factor(gap_days, _SHORT)
    else:
        middle[:] = 0.0
        long[:] = 0.0
    few = before = busiest = days = span_ms = 0
    for back in range(day - int(r["as_of"]) + OPEN_DAYS):
        if (active >> back) & 1:
            slot = (day - back) % OPEN_DAYS
            seventh, month = decay.factor(back, _MIDDLE), decay.factor(back, _LONG)
            events = 0
            for kind in range(MAX_KINDS):
                count = int(r["open_kinds"][slot, kind])
                events += count
                middle[kind] += count * seventh
                long[kind] += count * month
            short += events * decay.factor(back, _SHORT)
            if back < 2 * FEW_DAYS:
                busiest = max(busiest, events)
                days += 1
                span_ms += int(r["open_last"][slot]) - int(r["open_first"][slot])
                if back < FEW_DAYS:
                    few += events
                else:
                    before += events
    sum_7d = sum_28d = 0.0
    for kind in range(MAX_KINDS):
        sum_7d += middle[kind]
        sum_28d += long[kind]
    return Now(
        day,
        active,
        bitmaps.newest(active),
        max(1, day - int(r["first_day"])),
        short,
        sum_7d,
        sum_28d,
        middle,
        long,
        few,
        before,
        busiest,
        span_ms / 60_000.0 / max(1, days),
    )
