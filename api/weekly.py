"""The weekly report: how the ISO week went that has ended, made once, whoever makes it and when.

It is stored with rows in place of learners' ids, so that an erasure need not look for it: who is gone has no name any
more when the report is read.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from actors.ports import Journal
from actors.service import Service
from actors.storage.reports import Report, ReportStore
from api.week import DAYS, MONTH_DAYS, NOT_SCORED, Week, gather, monday_of, name_of
from engine import calendar
from engine.outcomes import ENDED, USED
from engine.record import NEVER
from engine.risk.dropoff import SILENT_DAYS, STANDINGS, standing_names
from engine.rules import Rules

NAME = "weekly"
"""Of the reports in the store; their periods are ISO weeks."""
DUE_MINUTE = 13 * 60
"""Minute of Monday, UTC, from which on last week's report is due: at noon Sunday ends in the last zone on earth, and is
scored soon afterwards."""
TOP = 10
"""Learners in each list."""
NO_SCORE = "not_scored"
"""Stands beside the standings: who was active lately, but had no daily scoring in the week."""

_MOST_WEEKS = 8  # a service that comes back after more makes the reports of the last ones only: bitmaps end, too


class WeeklyReports:
    """Makes the reports that are due: an `api.jobs.Job`.

    Args:
        service: whose learners.
        reports: where they are kept.
        journal_of: opens the journal of an actor, for reading.
        rules: of the product.
    """

    def __init__(
        self, service: Service, reports: ReportStore, journal_of: Callable[[int], Journal], rules: Rules
    ) -> None:
        self._service, self._reports, self._journal_of, self._rules = service, reports, journal_of, rules
        self._done = 0  # Monday of the newest week that has been seen to

    def step(self, now_ms: int) -> None:
        """Make the reports that are due and not there, oldest first."""
        newest = self._newest_due(now_ms)
        if newest <= self._done:
            return
        standing = self._reports.newest(NAME, 1)
        first = monday_of(standing[0].period) + DAYS if standing else newest
        for monday in range(max(first, newest - DAYS * (_MOST_WEEKS - 1)), newest + 1, DAYS):
            self._make(monday, now_ms)
        self._done = newest

    def _newest_due(self, now_ms: int) -> int:
        day = (now_ms - DUE_MINUTE * calendar.MS_PER_MINUTE) // calendar.MS_PER_DAY
        return int(calendar.week_start(day)) - DAYS

    def _make(self, monday: int, now_ms: int) -> None:
        before = self._reports.newest(NAME, 1, before=name_of(monday))
        after = before[0].body["next"] if before else {}
        weeks = [
            gather(lane, self._journal_of(lane.log), monday, after.get(str(lane.log), 0), now_ms)
            for lane in self._service.lanes
        ]
        if any(week.known.any() for week in weeks):  # else there was no service yet
            self._reports.add(Report(NAME, name_of(monday), summary(weeks, self._rules), now_ms))


def summary(weeks: Sequence[Week], rules: Rules) -> dict[str, Any]:
    """Return what a report says; learners stand in it as (log, row).

    Args:
        weeks: the same week of every actor, in order.
        rules: of the product.
    """
    monday = weeks[0].monday
    booked = np.sum([week.outcomes for week in weeks], axis=0)
    earned = ((int(xp), log, row) for log, week in enumerate(weeks) for row, xp in _positive(week, week.xp))
    risen = (
        (float(rise), log, row)
        for log, week in enumerate(weeks)
        for row, rise in _positive(week, np.nan_to_num(week.risk[:, 1] - week.risk[:, 0]))
    )
    risks = [week.risk.round(1).tolist() for week in weeks]
    return {
        "learners": _count(week.known for week in weeks),
        "new": _count(week.known & (week.first_day >= monday) for week in weeks),
        "by_day": [_count(week.active_on(day) for week in weeks) for day in range(monday, monday + DAYS)],
        "weekly": _count(week.active_within(DAYS) for week in weeks),
        "monthly": _count(week.active_within(MONTH_DAYS) for week in weeks),
        "standings": _standings(weeks, rules),
        "sends": _sends(weeks),
        "streaks_ended": int(booked[ENDED]),
        "streaks_restored": int(booked[ENDED + 1]),
        "freezes_used": int(booked[USED]),
        "freezes_refunded": int(booked[USED + 1]),
        "risers": [[log, row, *risks[log][row]] for _, log, row in _top(risen)],
        "earners": [[log, row, xp] for xp, log, row in _top(earned)],
        "next": {str(log): week.next for log, week in enumerate(weeks)},
    }


def _count(parts: Any) -> int:
    return sum(int(np.count_nonzero(part)) for part in parts)


def _positive(week: Week, values: Any) -> Any:
    """Return (row, value) of learners who have more than 0."""
    rows = np.flatnonzero(week.known & (values > 0))
    return zip(rows.tolist(), values[rows].tolist(), strict=True)


def _top(found: Any) -> list[Any]:
    """Return the highest; of equals those who came first."""
    return heapq.nsmallest(TOP, found, key=lambda each: (-each[0], each[1], each[2]))


def _standings(weeks: Sequence[Week], rules: Rules) -> dict[str, int]:
    """Return how many learners stood where as Sunday ended, as each one's last daily scoring of the week has it."""
    tally = Counter[str]()
    names = standing_names(rules)
    for week in weeks:
        begun = week.known & (week.first_day != NEVER)
        silent = begun & ~week.active_within(SILENT_DAYS)
        scored = begun & ~silent & (week.standing != NOT_SCORED)
        tally[STANDINGS[0]] += int(np.count_nonzero(silent))
        tally[STANDINGS[1]] += int(np.count_nonzero(week.known & ~begun))
        tally[NO_SCORE] += int(np.count_nonzero(begun & ~silent & ~scored))
        tally.update(names[code] for code in week.standing[scored].tolist())
    return {name: tally[name] for name in (*names, NO_SCORE)}


def _sends(weeks: Sequence[Week]) -> dict[str, list[int]]:
    """Return for each type how many were sent, how many learners came back, and of how many that is still open."""
    tally: dict[str, list[int]] = {}
    for week in weeks:
        for kind, row, day in week.sends:
            counts = tally.setdefault(kind, [0, 0, 0])
            back = False if row is None else week.returned(row, day)
            counts[0] += 1
            counts[1] += back is True
            counts[2] += back is None
    return dict(sorted(tally.items()))
