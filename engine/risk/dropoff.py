"""Drop-off: what it is, who is scored for it, and which standing a learner has.

Drop-off is a run of at least `SILENT_DAYS` local days without any action; it begins on its first silent day. The risk
at the end of day t is the probability that such a run has begun, or begins by day t + `HORIZON_DAYS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import bitmaps
from engine.compiled import compiled
from engine.record import NEVER, Records
from engine.rules import Rules

SILENT_DAYS = 14
HORIZON_DAYS = 7
STANDINGS = ("dropped_off", "not_started")
"""Standings beyond the bands: outside scores, training and metrics. Their codes follow those of the bands."""

_SILENT_DAYS = SILENT_DAYS


@dataclass(frozen=True)
class Labels:
    """Who is scored, and what became of them; each (learners, days), bool.

    Args:
        eligible: has had an active day and, at the end of the day, fewer than `SILENT_DAYS` silent ones.
        dropped: a run of enough silent days has begun, or begins within the horizon; says nothing where not ``known``.
        known: the data reaches far enough to tell; other rows are censored.
    """

    eligible: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    known: NDArray[np.bool_]


def labels(
    active: NDArray[np.bool_],
    last_day: NDArray[np.int64] | int | None = None,
    silent_days: int = SILENT_DAYS,
    horizon_days: int = HORIZON_DAYS,
) -> Labels:
    """Return the labels of every learner at the end of every day.

    Args:
        active: (learners, days), whether the learner did anything on the day.
        last_day: last day with data, as a column of ``active``: of each learner (the end of the course) or of all.
            Default: the last column. What comes after it is not looked at.
        silent_days: S, the silent days in a row that make a drop-off.
        horizon_days: days ahead within which the run may still begin.
    """
    learners, days = active.shape
    last = np.broadcast_to(np.asarray(days - 1 if last_day is None else last_day, np.int64), (learners,))
    column = np.arange(days)
    active = active & (column <= last[:, None])

    newest = np.maximum.accumulate(np.where(active, column, -1), axis=1)  # last active day so far; -1 = none yet
    eligible = (newest >= 0) & (column - newest < silent_days)

    begins = beginnings(active, silent_days)
    so_far = np.zeros((learners, days + 1), np.int64)  # runs that began before each day
    np.cumsum(begins, axis=1, out=so_far[:, 1:])
    to = np.minimum(column + horizon_days + 1, days)
    dropped = so_far[:, to] > np.take_along_axis(so_far, newest + 1, axis=1)  # begun since the last active day
    known = column + horizon_days + silent_days - 1 <= last[:, None]
    return Labels(eligible, dropped, known)


def beginnings(active: NDArray[np.bool_], silent_days: int = SILENT_DAYS) -> NDArray[np.bool_]:
    """Return the first silent day of each run of silent days, within the columns, that is long enough.

    Args:
        active: (learners, days), whether the learner did anything on the day.
        silent_days: the silent days in a row that make a drop-off.
    """
    days = active.shape[1]
    column = np.arange(days)
    coming = np.minimum.accumulate(np.where(active, column, days)[:, ::-1], axis=1)[:, ::-1]  # next active day, or days
    begins = np.zeros(active.shape, bool)
    begins[:, 1:] = active[:, :-1] & (coming[:, 1:] - column[1:] >= silent_days)
    return begins


@compiled
def silent_days_of(r: Any) -> int:
    """Return a learner's silent days, 0-56, at the moment the signals look at.

    That is the end of today once there is activity, else the end of the day before, because a day without activity says
    nothing before it has ended.
    """
    today = int(r["as_of"])
    if bitmaps.has_day(r["active_bits"], today):
        return 0
    return bitmaps.newest(bitmaps.window(r["active_bits"], today - 1))


@compiled
def standing(r: Any, risk: float, starts: Any) -> int:
    """Return a learner's standing.

    Args:
        r: the record.
        risk: 0-100; NaN (not scored yet) falls in the lowest band.
        starts: lowest risk of each band, highest band first; the last is 0.

    Returns:
        place of the band, or beyond the bands the place in `STANDINGS`.
    """
    bands = len(starts)
    if int(r["as_of"]) == NEVER or int(r["active_days"]) == 0:
        return bands + 1
    if silent_days_of(r) >= _SILENT_DAYS:
        return bands
    for band in range(bands):
        if risk >= float(starts[band]):
            return band
    return bands - 1


@compiled
def _standings(records: Any, risk: Any, starts: Any, out: Any) -> None:
    for row in range(len(records)):
        out[row] = standing(records[row], float(risk[row]), starts)


def standings(records: Records, risk: NDArray[np.float64], rules: Rules) -> NDArray[np.uint8]:
    """Return every learner's standing: the band that the risk reaches, or one of `STANDINGS` beyond the bands.

    Args:
        records: rows of `engine.record.LEARNER`.
        risk: 0-100, one for each; only looked at for those who are scored.
        rules: of the product, for the bands.
    """
    out = np.empty(len(records), np.uint8)
    _standings(records, risk, rules.band_starts, out)
    return out


def standing_names(rules: Rules) -> tuple[str, ...]:
    """Return the names of the standings, in order of their codes."""
    return (*(band.name for band in rules.bands), *STANDINGS)
