"""The moment of a scoring: what every signal may look at besides the record, computed once for all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from engine import bitmaps
from engine.compiled import compiled
from engine.record import HALF_LIVES_DAYS, OPEN_DAYS
from engine.rules import MAX_KINDS

_SHORT, _MIDDLE, _LONG = HALF_LIVES_DAYS
_STEP_SHORT, _STEP_MIDDLE, _STEP_LONG = (2.0 ** (-1.0 / days) for days in HALF_LIVES_DAYS)


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
def moment(r: Any) -> Now:
    """Return the moment at which a record is scored; the learner has had an active day."""
    day = int(r["as_of"])
    if not bitmaps.has_day(r["active_bits"], day):
        day -= 1
    active = bitmaps.window(r["active_bits"], day)
    short = middle = long = 0.0
    weight_short = weight_middle = weight_long = 1.0
    for back in range(day - int(r["as_of"]) + OPEN_DAYS):
        if (active >> back) & 1:
            events = 0
            for kind in range(MAX_KINDS):
                events += int(r["open_kinds"][(day - back) % OPEN_DAYS, kind])
            short += events * weight_short
            middle += events * weight_middle
            long += events * weight_long
        weight_short *= _STEP_SHORT
        weight_middle *= _STEP_MIDDLE
        weight_long *= _STEP_LONG
    gap_days = day - int(r["decayed_day"])
    if gap_days < 20_000:  # some day is sealed
        sealed_short = sealed_middle = sealed_long = 0.0
        for kind in range(MAX_KINDS):
            sealed_short += float(r["decayed"][kind, 0])
            sealed_middle += float(r["decayed"][kind, 1])
            sealed_long += float(r["decayed"][kind, 2])
        short += sealed_short * 2.0 ** (-gap_days / _SHORT)
        middle += sealed_middle * 2.0 ** (-gap_days / _MIDDLE)
        long += sealed_long * 2.0 ** (-gap_days / _LONG)
    tenure = max(1, day - int(r["first_day"]))
    return Now(day, active, bitmaps.newest(active), tenure, short, middle, long)
