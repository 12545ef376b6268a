"""Leaderboards: daily, weekly and all-time, each learner on their own local date.

Equal XP shares a rank and the next rank is skipped (1, 1, 3). Everyone is on the board, also with 0 XP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.calendar import week_starts
from engine.errors import InputError, did_you_mean
from engine.record import Records, column

BOARDS = ("daily", "weekly", "all_time")


def scores(records: Records, board: str, today: NDArray[Any] | int) -> NDArray[np.int64]:
    """Return every learner's XP for a board.

    A view that is older than the learner's today has earned nothing on it: `xp_day` counts only if the view is of
    today, `xp_week` only if it is of today's ISO week.

    Args:
        records: learner records, shape (n,).
        board: one of `BOARDS`.
        today: each learner's own local day, shape (n,), or one day for all.

    Returns:
        XP, shape (n,), 0 or more.

    Raises:
        InputError: the board is unknown.
    """
    as_of = records["as_of"].astype(np.int64)
    days = np.asarray(today, np.int64)
    if board == "daily":
        return np.where(as_of == days, column(records, "xp_day"), 0).astype(np.int64)
    if board == "weekly":
        return np.where(week_starts(as_of) == week_starts(days), column(records, "xp_week"), 0).astype(np.int64)
    if board == "all_time":
        return column(records, "view.xp").astype(np.int64)
    raise InputError("leaderboard", got=repr(board), expected="a board", remedy=did_you_mean(board, BOARDS))


def competition_ranks(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return 1 + the number of strictly higher scores for each score: 1, 1, 3. Shape (n,), range 1..n."""
    ordered = np.sort(values)
    return len(values) - np.searchsorted(ordered, values, side="right") + 1


def percentiles(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return for each score 100 x (learners with a strictly lower score) / (all learners).

    It is "you are ahead of x% of learners": equal scores have equal percentiles, those at the bottom have 0 however
    many they are, and nobody has 100. Shape (n,), range [0, 100).
    """
    ordered = np.sort(values)
    return 100.0 * np.searchsorted(ordered, values, side="left") / max(len(values), 1)


@dataclass(frozen=True)
class Entry:
    """One line of a leaderboard."""

    learner: Any
    """The learner's id, as the board was given it."""
    score: int
    """XP."""
    rank: int
    """1-based, shared by equal scores."""


@dataclass(frozen=True)
class Standing:
    """Where one learner stands, with the lines around them."""

    entry: Entry
    percentile: float
    """Share of learners with a strictly lower score, 0 <= x < 100 (see `percentiles`)."""
    learners: int
    """Number of learners on the board."""
    above: tuple[Entry, ...]
    """The lines just above in the order of the board, best first; they may share the learner's rank."""
    below: tuple[Entry, ...]
    """The lines just below, best first."""


class Leaderboard:
    """A board at one moment: learners by score, equal scores by id.

    Args:
        values: scores, integer, shape (n,).
        learners: ids, shape (n,), unique; anything NumPy can sort.

    Raises:
        InputError: the shapes differ or an id comes twice.
    """

    def __init__(self, values: NDArray[Any], learners: NDArray[Any]) -> None:
        if values.shape != learners.shape:
            raise InputError("leaderboard", got=f"{learners.shape} learners", expected=f"{values.shape}, as the scores")
        self._by_id = np.argsort(learners, kind="stable")
        ids = learners[self._by_id]
        if twice := ids[1:][ids[1:] == ids[:-1]].tolist():
            raise InputError("leaderboard", got=f"learner {twice[0]!r} twice", expected="each learner once")
        self._learners = learners
        self._scores = values.astype(np.int64)
        self._ranks = competition_ranks(self._scores)
        self._percentiles = percentiles(self._scores)
        # Learners are sorted by id already, so a stable sort by falling score keeps equal scores in order of id.
        self._order = self._by_id[np.argsort(-self._scores[self._by_id], kind="stable")]

    def __len__(self) -> int:
        return len(self._order)

    def top(self, n: int) -> tuple[Entry, ...]:
        """Return the first ``n`` lines, fewer if there are fewer learners.

        Raises:
            InputError: ``n`` is negative.
        """
        _not_negative("lines of a leaderboard", n)
        return self._lines(0, n)

    def standing(self, learner: Any, neighbours: int = 2) -> Standing:
        """Return where a learner stands, with up to ``neighbours`` lines above and as many below.

        Raises:
            InputError: the learner is not on the board, or ``neighbours`` is negative.
        """
        _not_negative("neighbours on a leaderboard", neighbours)
        at = int(np.searchsorted(self._learners, learner, sorter=self._by_id))
        if at == len(self) or self._learners[self._by_id[at]] != learner:
            raise InputError("leaderboard", got=f"learner {learner!r}", expected="a learner who is on the board")
        row = int(self._by_id[at])
        # The learner's place: everyone of a higher score, then those of the same score with a smaller id.
        first = int(self._ranks[row]) - 1
        same = int(np.count_nonzero(self._scores == self._scores[row]))
        place = first + int(np.searchsorted(self._learners[self._order[first : first + same]], learner))
        return Standing(
            entry=self._lines(place, place + 1)[0],
            percentile=float(self._percentiles[row]),
            learners=len(self),
            above=self._lines(max(place - neighbours, 0), place),
            below=self._lines(place + 1, place + 1 + neighbours),
        )

    def _lines(self, start: int, stop: int) -> tuple[Entry, ...]:
        rows = self._order[start:stop]
        columns = (self._learners[rows].tolist(), self._scores[rows].tolist(), self._ranks[rows].tolist())
        return tuple(Entry(*line) for line in zip(*columns, strict=True))


def _not_negative(what: str, value: int) -> None:
    if value < 0:
        raise InputError(what, got=str(value), expected="0 or more")
