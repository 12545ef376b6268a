"""Continuous scoring: whoever changed, or whose day ended, is scored again; intake never waits for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.loop import Loop
from actors.ports import Pending, Scorer, ScoringError

MOST_ROWS = 4_096
"""Learners scored at a time: their signals take about a millisecond of the actor, between two batches of events."""


class RiskChange(NamedTuple):
    """A learner's fresh risk."""

    row: int
    risk: float
    confidence: float
    standing: int
    standing_before: int
    since_ms: int
    """Instant of the oldest change that this score is the first to know of."""


class Rescoring:
    """Keeps the risk of a loop's learners fresh.

    Scores are not journalled: what is lost is computed again. There is one request at the pool at a time, so a score
    never overtakes a newer one; who changes meanwhile is asked for again.

    Args:
        loop: whose learners.
        scorer: turns signals into risk.
        started_with: version of the model that the scorer was started with.

    Attributes:
        version: of the model that scores.
    """

    def __init__(self, loop: Loop, scorer: Scorer, started_with: str) -> None:
        self._loop = loop
        self._scorer = scorer
        self._started_with = self.version = started_with
        self._dirty: dict[int, int] = {}  # row -> instant of its oldest change
        self._asked: tuple[dict[int, int], NDArray[np.int64], NDArray[np.int64], Pending] | None = None

    def use(self, version: str, rows: NDArray[np.int64]) -> None:
        """Score by a model from now on, and everybody anew if it is another than before.

        Args:
            version: of the model, "" = the one that the scorer was started with.
            rows: of all learners; scores that are on their way to them still come, and are replaced.
        """
        version = version or self._started_with
        if version != self.version:
            self.version = version
            self.touch(rows, 0)  # nothing has happened to anybody

    def touch(self, rows: NDArray[np.int64], at_ms: int) -> None:
        """Note that something changed for these learners at an instant; 0 = nothing did, but a score is due."""
        for row in rows.tolist():
            self._dirty[row] = self._dirty.get(row) or at_ms

    def forget(self, row: int) -> None:
        """Forget a learner, also one whose score is on its way."""
        self._dirty.pop(row, None)
        if self._asked is not None:
            self._asked[0].pop(row, None)

    def fresh(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each row whether its risk knows all that has happened."""
        waiting = set(self._dirty) | (set(self._asked[0]) if self._asked else set())
        return np.array([row not in waiting for row in rows.tolist()], bool)

    def waiting(self) -> int:
        """Return how many learners wait for a score."""
        return len(self._dirty) + (len(self._asked[0]) if self._asked else 0)

    def step(self) -> list[RiskChange]:
        """Take scores that have come, and ask for those that are due; return what changed.

        Raises:
            ScoringError: the scorer failed; nobody's wait is over, so the next step asks again.
        """
        changes = []
        if self._asked is not None and self._asked[3].ready():
            changes = self._enter()
        if self._asked is None and self._dirty:
            taken = dict(list(self._dirty.items())[:MOST_ROWS])
            among = np.fromiter(taken, np.int64, len(taken))
            rows, matrix = self._loop.signals(among)
            try:
                pending = self._scorer.submit(matrix, self.version)
            except Exception as error:
                if changes:  # they are told first; the next step fails again
                    return changes
                raise ScoringError.of(self.version, error) from error
            for row in taken:
                del self._dirty[row]
            self._asked = taken, among, rows, pending
        return changes

    def _enter(self) -> list[RiskChange]:
        assert self._asked is not None  # noqa: S101  # its one caller has looked
        since, among, rows, pending = self._asked
        self._asked = None
        try:
            scores = pending()
        except Exception as error:
            for row, at_ms in self._dirty.items():  # who has waited longest is asked for first
                since[row] = since.get(row) or at_ms
            self._dirty = since
            raise ScoringError.of(self.version, error) from error
        records = self._loop.records
        if len(since) < len(among):  # somebody was forgotten meanwhile
            among = np.fromiter(since, np.int64, len(since))
            still = np.isin(rows, among)
            rows, scores = rows[still], scores[still]
        before = records["standing"][among]
        self._loop.apply_scores(rows, scores, among)
        scored = (records[name][among].tolist() for name in ("risk", "confidence", "standing"))
        return [
            RiskChange(row, risk, confidence, standing, old, since[row])
            for row, risk, confidence, standing, old in zip(among.tolist(), *scored, before.tolist(), strict=True)
        ]
