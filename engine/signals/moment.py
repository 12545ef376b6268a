"""The moment of a scoring: what every signal may look at besides the record, computed once for all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import bitmaps, decay
from engine.compiled import compiled
from engine.record import OPEN_DAYS, Records
from engine.rules import MAX_KINDS


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
def moment(r: Any) -> Now:
    """Return the moment at which a record is scored; the learner has had an active day."""
    day = scored_day(r)
    active = bitmaps.window(r["active_bits"], day)
    short = middle = long = 0.0
    for back in range(day - int(r["as_of"]) + OPEN_DAYS):
        if (active >> back) & 1:
            events = 0
            for kind in range(MAX_KINDS):
                events += int(r["open_kinds"][(day - back) % OPEN_DAYS, kind])
            short += events * decay.factor(back, 0)
            middle += events * decay.factor(back, 1)
            long += events * decay.factor(back, 2)
    gap_days = day - int(r["decayed_day"])
    if gap_days < 20_000:  # some day is sealed
        sealed_short = sealed_middle = sealed_long = 0.0
        for kind in range(MAX_KINDS):
            sealed_short += float(r["decayed"][kind, 0])
            sealed_middle += float(r["decayed"][kind, 1])
            sealed_long += float(r["decayed"][kind, 2])
        short += sealed_short * decay.factor(gap_days, 0)
        middle += sealed_middle * decay.factor(gap_days, 1)
        long += sealed_long * decay.factor(gap_days, 2)
    tenure = max(1, day - int(r["first_day"]))
    return Now(day, active, bitmaps.newest(active), tenure, short, middle, long)
