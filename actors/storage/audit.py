"""The audit log: who asked for what, line by line, never changed, and dropped when it is old.

Learners stand in it as hashes, so an erasure leaves nobody's id here; whoever knows an id still finds its lines.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from actors.storage.database import Database
from actors.storage.schema import AUDIT
from actors.storage.settings import Settings

_KEY = "audit_key"  # of the hashes; it must not change, or nobody would find older lines
_OLDEST = 1_000  # lines that each writing looks at for old ones: far more than it adds, so none are left behind


@dataclass(frozen=True)
class AuditLine:
    """One request, about one learner or none in particular.

    Args:
        at_ms: when.
        who: the id of a key or the subject of a token.
        role: in which it came.
        method: of HTTP.
        path: that was asked for.
        status: that was answered.
        learner: whose data it was about, None = no single learner's. The id when a line is written, its hash when read.
        id: of the line, given by the database.
    """

    at_ms: int
    who: str
    role: str
    method: str
    path: str
    status: int
    learner: str | None = None
    id: int | None = None


class AuditLog:
    """The audit log of a database.

    Args:
        database: where it is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, lines: Sequence[AuditLine], oldest_ms: int) -> None:
        """Add lines, and drop old ones.

        Args:
            lines: one or more.
            oldest_ms: lines from before it are dropped.

        Raises:
            JournalError: they were not written, so what they tell of must not be answered.
        """
        rows = [self._row(line) for line in lines]
        first = select(AUDIT.c.id).order_by(AUDIT.c.id).limit(_OLDEST)
        with self._database.writing() as connection:
            connection.execute(insert(AUDIT), rows)
            connection.execute(delete(AUDIT).where(AUDIT.c.id.in_(first), AUDIT.c.at_ms < oldest_ms))

    def page(
        self, before: int | None = None, limit: int = 100, learner: str | None = None, since_ms: int | None = None
    ) -> list[AuditLine]:
        """Return lines, newest first.

        Args:
            before: id of the last line of the page before, None = from the newest.
            limit: how many at most.
            learner: only lines about the learner of this id, None = all.
            since_ms: only lines from this instant on, None = all.
        """
        wanted = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(AUDIT.c.id < before)
        if learner is not None:
            wanted = wanted.where(AUDIT.c.learner == self._hash(learner))
        if since_ms is not None:
            wanted = wanted.where(AUDIT.c.at_ms >= since_ms)
        with self._database.reading() as connection:
            return [AuditLine(**row._asdict()) for row in connection.execute(wanted)]

    def _row(self, line: AuditLine) -> dict[str, Any]:
        learner = None if line.learner is None else self._hash(line.learner)
        return {name: value for name, value in vars(line).items() if name != "id"} | {"learner": learner}

    def _hash(self, learner: str) -> str:
        return hmac.new(self._key, learner.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    @functools.cached_property
    def _key(self) -> bytes:
        """The key of this database, made at its first use: equal ids look different in every other one."""
        return Settings(self._database).settle(_KEY, uuid.uuid4().hex).encode()
