"""A week of one actor's learners, as the journal and the records tell it.

Days are each learner's own local days, Monday to Sunday. The journal tells what happened on them: scores, outcomes,
sends. The records tell who was active.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors import daily
from actors.answers import Answer
from actors.lane import Lane
from actors.ports import Entry, Journal, Message
from engine import bitmaps, calendar
from engine.events import from_frame
from engine.outcomes import KINDS, XP
from engine.record import NEVER, WORD_DAYS

DAYS = 7
MONTH_DAYS = 30
NOT_SCORED = 255
"""Standing of who had no daily scoring in the week."""

_FARTHEST_AHEAD_MS = 15 * 3_600_000  # a local day begins up to 14 hours before UTC's, and clients' clocks run ahead


def name_of(monday: int) -> str:
    """Return the name of an ISO week.

    >>> name_of(monday_of("2026-W01"))
    '2026-W01'
    """
    year, week, _ = calendar.date_of(monday).isocalendar()
    return f"{year:04}-W{week:02}"


def monday_of(name: str) -> int:
    """Return the day that begins an ISO week, by the week's name."""
    return calendar.day_number(date.fromisocalendar(int(name[:4]), int(name[6:]), 1))


@dataclass
class Week:
    """What is known of a week; arrays have a row for each learner of the actor.

    Args:
        monday: its first day.
        known: learners who are there, and were so by Sunday at the latest.
        first_day: of each learner's life.
        as_of: each learner's today.
        active: bit k = active k days before the Monday after.
        risk: at the week's first and last daily scoring, NaN = none; (learners, 2).
        standing: at the last.
        xp: booked on the week's days.
        outcomes: booked on the week's days, by kind.
        sends: type, row (None = erased) and day of each.
        next: number of the entry after which the next week's may stand.
    """

    monday: int
    known: NDArray[np.bool_]
    first_day: NDArray[np.int32]
    as_of: NDArray[np.int32]
    active: NDArray[np.int64]
    risk: NDArray[np.float64]
    standing: NDArray[np.uint8]
    xp: NDArray[np.int64]
    outcomes: NDArray[np.int64]
    sends: list[tuple[str, int | None, int]] = field(default_factory=list)
    next: int = 0

    def active_within(self, days: int) -> NDArray[np.bool_]:
        """Return who was active on any of the last days that end with Sunday."""
        found: NDArray[np.bool_] = self.known & (self.active & (((1 << days) - 1) << 1) != 0)
        return found

    def active_on(self, day: int) -> NDArray[np.bool_]:
        """Return who was active on a day, the Monday after at the latest."""
        found: NDArray[np.bool_] = self.known & ((self.active >> (self.monday + DAYS - day)) & 1 == 1)
        return found

    def returned(self, row: int, sent_day: int) -> bool | None:
        """Return whether a learner was active on the day of a send or the next; None = that is still to be seen."""
        ago = self.monday + DAYS - sent_day
        if self.active[row] >> (ago - 1) & 3:
            return True
        return None if self.as_of[row] <= sent_day + 1 else False


def gather(lane: Lane, journal: Journal, monday: int, after: int, now_ms: int) -> Week:
    """Return a week of the learners of one actor.

    Args:
        lane: of the actor.
        journal: of the actor, for reading.
        monday: first day of the week.
        after: number of an entry before all that belong to the week, 0 = from the beginning.
        now_ms: the present instant.
    """
    columns = lane.ask("columns", ["first_day", "as_of", "active_bits"], now_ms)
    ids = lane.ids(len(columns["as_of"]))
    week = _begun(monday, ids, columns)
    week.next = after
    if not week.known.any():
        return week
    rows = {learner: row for row, learner in enumerate(ids) if learner is not None}
    _read(week, journal.read(after), rows)
    return week


def _begun(monday: int, ids: list[str | None], columns: dict[str, NDArray[Any]]) -> Week:
    count = len(ids)
    there = np.array([learner is not None for learner in ids], bool)
    as_of = columns["as_of"]
    until = monday + DAYS
    active = [_window(bits, int(day), until) for bits, day in zip(columns["active_bits"], as_of.tolist(), strict=True)]
    return Week(
        monday=monday,
        known=there & (columns["first_day"] < until),
        first_day=columns["first_day"],
        as_of=as_of,
        active=np.array(active, np.int64),
        risk=np.full((count, 2), np.nan),
        standing=np.full(count, NOT_SCORED, np.uint8),
        xp=np.zeros(count, np.int64),
        outcomes=np.zeros(len(KINDS), np.int64),
    )


def _window(bits: NDArray[np.int64], as_of: int, day: int) -> int:
    """Return `engine.bitmaps.window`, also for a day that has not come for the learner."""
    if as_of == NEVER or day - as_of >= WORD_DAYS:
        return 0
    ahead = max(day - as_of, 0)
    return (int(bitmaps.window(bits, day - ahead)) << ahead) & ((1 << WORD_DAYS) - 1)


def _read(week: Week, entries: Iterator[Entry], rows: dict[str, int]) -> None:
    next_begins_ms = (week.monday + DAYS) * calendar.MS_PER_DAY - _FARTHEST_AHEAD_MS
    open_ = True
    for entry in entries:
        open_ = open_ and _instant(entry.message) < next_begins_ms
        if open_:
            week.next = entry.sequence
        if entry.message.kind == "daily":
            _score(week, daily.table_of(entry.message))
        answer = Answer.of(entry.answer)
        if len(answer.outcomes):
            _book(week, answer.outcomes)
        for send in answer.sends:
            if week.monday <= send["day"] < week.monday + DAYS:
                week.sends.append((send["type"], rows.get(send["learner"]), send["day"]))


def _instant(message: Message) -> int:
    """Return when a message was applied; 0 = it does not say."""
    if message.kind == "events":
        return int(from_frame(message.frame)["arrived_ms"].max())
    return int(message.body.get("now_ms", 0))


def _score(week: Week, table: NDArray[Any]) -> None:
    """Take in daily scorings of the week: from what was known as Monday began to what was known as Sunday ended."""
    within = (table["day"] >= week.monday) & (table["day"] <= week.monday + DAYS)
    table = table[within & (table["learner"] < len(week.known))]
    rows = table["learner"]
    first = np.isnan(week.risk[rows, 0])
    week.risk[rows[first], 0] = table["risk"][first]
    week.risk[rows, 1] = table["risk"]
    week.standing[rows] = table["standing"]


def _book(week: Week, outcomes: NDArray[Any]) -> None:
    within = (outcomes["day"] >= week.monday) & (outcomes["day"] < week.monday + DAYS)
    mine = outcomes[within & (outcomes["learner"] < len(week.known))]
    week.outcomes += np.bincount(mine["kind"], minlength=len(KINDS))
    for kind, sign in ((XP, 1), (XP + 1, -1)):
        moved = mine[mine["kind"] == kind]
        np.add.at(week.xp, moved["learner"], sign * moved["amount"].astype(np.int64))
