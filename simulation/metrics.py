"""Metrics of a cohort: what a local day was like, counted over records as integers.

Counts are kept for 16 groups of learners (learner number modulo 16), so that Monte-Carlo error can be read off one run
by batches. Integers add up over actors in any order, so every layout gives the same numbers. `simulation.series`
derives rates from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import bitmaps
from engine.compiled import compiled
from engine.errors import InputError
from engine.notifications.catalogue import CHANNELS, catalogue
from engine.policies.base import NO_MESSAGE
from engine.record import NEVER, Records
from engine.rules import Rules

GROUPS = 16
"""Batches of learners: learner number modulo this."""

RETENTION_WINDOWS: tuple[tuple[int, int], ...] = (
    *((n, 1) for n in (1, 7, 14, 30)),
    *((30 * month - 6, 7) for month in (1, 2)),
    *((7 * week, 7) for week in range(13)),  # the weekly curve; its last window is month 3
)
"""(n, w) of every retention(n, w) that is counted, in days."""

GROWTH_STATES = ("new", "current", "reactivated", "resurrected", "at_risk_wau", "at_risk_mau", "dormant", "not_started")
"""Active today: first active day ever, active in the prior 6 days, back after 7-29 days, after 30 or more. Inactive
today: active in the prior 6 days, in the prior 29, earlier, never (Duolingo's growth model)."""

STANDINGS = ("critical", "high", "medium", "low", "dropped_off", "not_started")
"""The bands of the rules, highest first, and the standings beyond them."""

METRICS: tuple[str, ...] = (
    "learners",  # registered
    "active",  # today
    "wau",  # active on any of the last 7 days
    "mau",  # active on any of the last 30 days
    *(f"growth_{state}" for state in GROWTH_STATES),
    *(f"retention_{n}_{w}_{part}" for n, w in RETENTION_WINDOWS for part in ("eligible", "retained")),
    "completions",  # learners who have completed a course
    "units",  # units (lessons) done so far
    "xp",  # held so far
    "streaks_alive",  # learners with a streak
    "streak_days",  # sum of the streaks alive
    "longest_streak_days",  # sum over learners of the longest
    "freezes_held",
    "freezes_used",  # so far
    *(f"standing_{name}" for name in STANDINGS),
    *(f"without_{name}" for name in CHANNELS),  # learners who do not allow the channel today
    *(f"sent_{name}" for name in catalogue().names),  # notifications of the day; last, because the types are data
)
"""What is counted, by column. Retention is counted on the day a learner's window ends; standings are those of the
day's first moment, when policies decided; all else is as of the day's end."""

COMPLETE, UNIT = "course_complete", "lesson_complete"
"""The actions by which completions and units are counted."""

_GROWTH, _RETENTION = METRICS.index("growth_new"), METRICS.index("retention_1_1_eligible")
_COMPLETIONS, _STANDING = METRICS.index("completions"), METRICS.index("standing_critical")
_WITHOUT, _CHANNELS = METRICS.index("without_email"), len(CHANNELS)
_SENT = _WITHOUT + _CHANNELS
_NEW, _CURRENT, _REACTIVATED, _RESURRECTED, _AT_RISK_WAU, _AT_RISK_MAU, _DORMANT, _NOT_STARTED = range(8)


@compiled
def growth_state(active: int, active_days: int) -> int:
    """Return the place in `GROWTH_STATES`.

    Args:
        active: window of 56 days, bit k = active k days ago.
        active_days: of the lifetime.
    """
    if active_days == 0:
        return _NOT_STARTED
    before = bitmaps.newest(active & ~1)
    if active & 1:
        if active_days == 1:
            return _NEW
        return _CURRENT if before <= 6 else _REACTIVATED if before <= 29 else _RESURRECTED
    return _AT_RISK_WAU if before <= 6 else _AT_RISK_MAU if before <= 29 else _DORMANT


@compiled
def _measure(
    records: Any, day: int, first_learner: int, sent: Any, windows: Any, complete: int, unit: int, out: Any
) -> None:
    """Add every registered learner's day to ``out``."""
    for i in range(len(records)):
        r = records[i]
        registered = int(r["first_day"])
        if registered == NEVER or registered > day:
            continue
        row = out[(first_learner + i) % GROUPS]
        active = bitmaps.window(r["active_bits"], day)
        row[0] += 1
        row[1] += active & 1
        row[2] += 1 if active & ((1 << 7) - 1) else 0
        row[3] += 1 if active & ((1 << 30) - 1) else 0
        row[_GROWTH + growth_state(active, int(r["active_days"]))] += 1
        age = day - registered + 1  # days of the learner's life that have ended
        for place in range(len(windows)):
            if windows[place, 0] + windows[place, 1] == age:
                row[_RETENTION + 2 * place] += 1
                row[_RETENTION + 2 * place + 1] += 1 if active & ((1 << windows[place, 1]) - 1) else 0
        view = r["view"]
        row[_COMPLETIONS] += 1 if int(r["totals"][complete]) > 0 else 0
        row[_COMPLETIONS + 1] += int(r["totals"][unit])
        row[_COMPLETIONS + 2] += int(view["xp"])
        row[_COMPLETIONS + 3] += 1 if int(view["streak"]) > 0 else 0
        row[_COMPLETIONS + 4] += int(view["streak"])
        row[_COMPLETIONS + 5] += int(view["longest_streak"])
        row[_COMPLETIONS + 6] += int(view["freezes"])
        row[_COMPLETIONS + 7] += int(view["freezes_used"])
        row[_STANDING + int(r["standing"])] += 1
        for channel in range(_CHANNELS):
            row[_WITHOUT + channel] += 1 - ((int(r["consent"]) >> channel) & 1)
        if int(sent[i]) != NO_MESSAGE:
            row[_SENT + int(sent[i])] += 1


@dataclass(frozen=True)
class CohortMeter:
    """Counts `METRICS` over the records of one arm: the `actors.ports.Meter` of a simulation.

    Args:
        complete: code of the action that completes a course.
        unit: code of the action that is one unit of a course.
    """

    complete: int
    unit: int

    @classmethod
    def by(cls, rules: Rules) -> CohortMeter:
        """Return the meter for these rules.

        Raises:
            InputError: the rules lack an action or have other bands than the metrics are named after.
        """
        bands = tuple(band.name for band in rules.bands)
        if bands != STANDINGS[: len(bands)] or len(bands) != len(STANDINGS) - 2:
            expected = ", ".join(STANDINGS[:-2])
            remedy = "A simulation counts learners by these bands: keep their names and change where they start."
            raise InputError("rules: bands", ", ".join(bands), expected, remedy)
        return cls(rules.code(COMPLETE), rules.code(UNIT))

    def measure(self, day: int, records: Records, first_learner: int, sent: NDArray[np.int8]) -> NDArray[np.int64]:
        """Return counts of one day, shaped (`GROUPS`, `METRICS`); see `actors.ports.Meter`."""
        out = np.zeros((GROUPS, len(METRICS)), np.int64)
        windows = np.array(RETENTION_WINDOWS, np.int64)
        _measure(records, day, first_learner, sent, windows, self.complete, self.unit, out)
        return out
