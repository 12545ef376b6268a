"""The roster: all learners side by side, for lists and ranks, however many ask.

A second old at most where it is quick to gather; where that takes long, twenty times as old as that takes.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.service import Service
from actors.views import LearnerView
from api.clock import Clock, steady_clock
from engine import leaderboards
from engine.leaderboards import Leaderboard

FRESH_MS = 1_000
_REST = 20  # times what a fetch took: it costs the actors no more than a twentieth of their time
_ROW_BITS = 32
_COLUMNS = ["as_of", "xp_day", "xp_week", "view.xp", "view.last_ms", "risk", "confidence", "standing"]
_SCORED = np.dtype([("as_of", "i8"), ("xp_day", "i8"), ("xp_week", "i8"), ("view", [("xp", "i8")])])
"""What `engine.leaderboards.scores` looks at."""


def number_of(log: int, row: int) -> int:
    """Return the number of a learner among all: it never changes, and who comes later has a higher one in its log."""
    return log << _ROW_BITS | row


def place_of(number: int) -> tuple[int, int]:
    """Return log and row of a learner's number."""
    return number >> _ROW_BITS, number & ((1 << _ROW_BITS) - 1)


@dataclass(frozen=True, eq=False)
class Table:
    """All learners at one moment; erased ones are left out.

    Args:
        at_ms: the moment, UTC ms.
        number: of each learner, rising.
        columns: fields of `engine.record.LEARNER` by name, and ``today``.
    """

    at_ms: int
    number: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.number)

    @functools.cached_property
    def _boards(self) -> dict[str, Leaderboard]:
        return {}

    def board(self, period: str) -> Leaderboard:
        """Return a leaderboard of `engine.leaderboards.BOARDS`; its learners are numbers."""
        if period not in self._boards:
            told = np.zeros(len(self), _SCORED)
            told["view"]["xp"] = self.columns["view.xp"]
            for name in ("as_of", "xp_day", "xp_week"):
                told[name] = self.columns[name]
            self._boards[period] = Leaderboard(leaderboards.scores(told, period, self.columns["today"]), self.number)
        return self._boards[period]

    @functools.cached_property
    def _all_xp(self) -> NDArray[Any]:
        return np.sort(self.columns["view.xp"])

    def rank(self, number: int, xp: int) -> int:
        """Return the all-time rank of a learner who has so much XP by now, be it more than the table knows."""
        above = len(self) - int(np.searchsorted(self._all_xp, xp, side="right"))
        at = int(np.searchsorted(self.number, number))
        myself = self.knows(number) and self.columns["view.xp"][at] > xp
        return 1 + above - int(myself)

    def knows(self, number: int) -> bool:
        """Return whether a learner is among them."""
        at = int(np.searchsorted(self.number, number))
        return at < len(self) and int(self.number[at]) == number


class Roster:
    """Keeps the newest table. One fetch serves all who wait for it.

    Args:
        service: whose learners.
        steady: a steady clock.
        fresh_ms: how old a table may be; where a fetch takes long, it rests longer.
    """

    def __init__(self, service: Service, steady: Clock = steady_clock, fresh_ms: int = FRESH_MS) -> None:
        self._service, self._steady, self._fresh_ms = service, steady, fresh_ms
        self._table: Table | None = None
        self._taken_at = self._rest_ms = 0
        self._fetching: asyncio.Task[Table] | None = None

    async def table(self) -> Table:
        """Return all learners, as of a moment ago."""
        table = self._table
        # By both clocks: the service's is not always the system's, and may have been set on.
        fresh = table is not None and abs(self._service.clock() - table.at_ms) < self._rest_ms
        if table is not None and fresh and self._steady() - self._taken_at < self._rest_ms:
            return table
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        return await asyncio.shield(self._fetching)

    async def _fetch(self) -> Table:
        try:
            self._taken_at = self._steady()
            self._table = await asyncio.to_thread(self._taken)
            self._rest_ms = max(self._fresh_ms, _REST * (self._steady() - self._taken_at))
            return self._table
        finally:
            self._fetching = None

    def _taken(self) -> Table:
        at_ms = self._service.clock()
        numbers, parts = [], []
        for lane in self._service.lanes:
            columns = lane.ask("columns", _COLUMNS, at_ms)
            there = np.array([name is not None for name in lane.ids(len(columns["today"]))], bool)
            numbers.append(number_of(lane.log, 0) + np.flatnonzero(there))
            parts.append({name: column[there] for name, column in columns.items()})
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Table(at_ms, np.concatenate(numbers), columns)

    def views(self, numbers: Sequence[int]) -> list[LearnerView | None]:
        """Return all that is held of learners, fresh, None = erased; it blocks."""
        by_log: dict[int, list[int]] = {}
        for number in numbers:
            log, row = place_of(number)
            by_log.setdefault(log, []).append(row)
        found: dict[int, LearnerView | None] = {}
        for log, rows in by_log.items():
            views = self._service.lanes[log].ask("learners", rows, self._service.clock())
            found |= {number_of(log, row): view for row, view in zip(rows, views, strict=True)}
        return [found[number] for number in numbers]

    def id_of(self, number: int) -> str | None:
        """Return a learner's id, None = erased."""
        log, row = place_of(number)
        return self._service.lanes[log].id_of(row)

    def number(self, learner_id: str, view: LearnerView) -> int:
        """Return the number of a learner."""
        return number_of(self._service.lane(learner_id).log, int(view.record["learner"][0]))

    def place(self, learner_id: str, table: Table) -> int | None:
        """Return the number of a learner whom a table knows, None = it is older than the learner; it blocks.

        Raises:
            UnknownLearnerError: nobody has that id.
        """
        number = self.number(learner_id, self._service.learner(learner_id))
        return number if table.knows(number) else None
