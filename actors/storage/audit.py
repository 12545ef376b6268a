"""The audit log: who asked for what, line by line, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from actors.storage.database import Database
from actors.storage.schema import AUDIT


@dataclass(frozen=True)
class AuditLine:
    """One request.

    Args:
        at_ms: when.
        who: the id of a key or the subject of a token.
        role: in which it came.
        method: of HTTP.
        path: that was asked for.
        status: that was answered.
        learner: whose data it was about, None = no single learner's.
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

    def append(self, line: AuditLine) -> None:
        """Add a line.

        Raises:
            JournalError: it was not written, so what it tells of must not be answered.
        """
        values: dict[str, Any] = {name: value for name, value in vars(line).items() if name != "id"}
        with self._database.writing() as connection:
            connection.execute(insert(AUDIT), values)

    def page(self, before: int | None = None, limit: int = 100) -> list[AuditLine]:
        """Return lines, newest first.

        Args:
            before: id of the last line of the page before, None = from the newest.
            limit: how many at most.
        """
        older = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
        if before is not None:
            older = older.where(AUDIT.c.id < before)
        with self._database.reading() as connection:
            return [AuditLine(**row._asdict()) for row in connection.execute(older)]
