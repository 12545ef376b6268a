"""Forgetting: nothing that is kept of messages outlives the erasure of a learner.

A sender may have a message to the learner in its hands at that moment, and enter afterwards what became of it. So who
is erased is forgotten here at once, and again when nobody can hold anything from before. A service that begins looks
for whoever is kept here and nobody to it: one before it may have been killed in between.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable

from sqlalchemy import delete, select, union

from actors.delivery.sender import LEASE_MS
from actors.storage.database import Database
from actors.storage.schema import INBOX, OUTBOX, RESPONSES, TASKS

_TABLES = (OUTBOX, INBOX, RESPONSES, TASKS)
_AGAIN_MS = 2 * LEASE_MS
_MOST = 1_000  # learners of one question


class Forgetting:
    """Deletes what is kept of messages to learners who have been erased: a `api.jobs.Job`.

    Args:
        database: where it is kept.
        unknown: returns which of some learners nobody is any more.
        clock: UTC ms.
    """

    def __init__(self, database: Database, unknown: Callable[[list[str]], list[str]], clock: Callable[[], int]) -> None:
        self._database, self._unknown, self._clock = database, unknown, clock
        self._erased: collections.deque[tuple[int, str]] = collections.deque()  # when to look again, and for whom
        self._begun = False

    def forget(self, learner: str) -> None:
        """Delete all that is kept of a learner, who has been erased, and look again later.

        Raises:
            JournalError: all of it is kept.
        """
        self._erased.append((self._clock() + _AGAIN_MS, learner))
        self._delete([learner])

    def step(self, now_ms: int) -> None:
        """Forget again whom it is time for; at the first step, whoever is unknown."""
        if not self._begun:
            self._delete(self._strangers(self._kept()))
            self._begun = True
        while self._erased and self._erased[0][0] <= now_ms:
            self._delete(self._strangers([self._erased[0][1]]))  # who came back since is somebody else
            self._erased.popleft()

    def _kept(self) -> list[str]:
        with self._database.reading() as connection:
            return list(connection.execute(union(*(select(table.c.learner) for table in _TABLES))).scalars())

    def _strangers(self, learners: list[str]) -> Iterable[str]:
        for start in range(0, len(learners), _MOST):
            yield from self._unknown(learners[start : start + _MOST])

    def _delete(self, learners: Iterable[str]) -> None:
        for learner in learners:
            with self._database.writing() as connection:
                for table in _TABLES:
                    connection.execute(delete(table).where(table.c.learner == learner))
