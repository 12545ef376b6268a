"""Responses: what became of what was handed over, the first time of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import delete, select

from actors.storage.database import Database
from actors.storage.rows import put_once
from actors.storage.schema import RESPONSES


class Kind(StrEnum):
    """What may become of it. ``opened_by_machine``: a program loaded the image, which says nothing of people."""

    DELIVERED = "delivered"
    OPENED = "opened"
    OPENED_BY_MACHINE = "opened_by_machine"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


class Response(NamedTuple):
    """One response."""

    id: str  # of the outbox
    kind: Kind
    learner: str
    at_ms: int


class Responses:
    """The responses of a database.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, response: Response) -> bool:
        """Keep a response. Return False where one of its kind stands already: the first one counts."""
        return put_once(self._database, RESPONSES, response._asdict())

    def of(self, ids: Iterable[str]) -> dict[str, dict[Kind, int]]:
        """Return the instants of responses by id and kind, of those ids that have any."""
        wanted, found = list(ids), dict[str, dict[Kind, int]]()
        with self._database.reading() as connection:
            for start in range(0, len(wanted), 500):
                query = select(RESPONSES).where(RESPONSES.c.id.in_(wanted[start : start + 500]))
                for row in connection.execute(query):
                    found.setdefault(row.id, {})[Kind(row.kind)] = row.at_ms
        return found

    def since(self, at_ms: int) -> Iterator[Response]:
        """Yield all responses from an instant on."""
        with self._database.reading() as connection:
            for row in connection.execute(select(RESPONSES).where(RESPONSES.c.at_ms >= at_ms)):
                yield Response(row.id, Kind(row.kind), row.learner, row.at_ms)

    def of_learner(self, learner: str) -> list[Response]:
        """Return all responses of a learner, oldest first."""
        query = select(RESPONSES).where(RESPONSES.c.learner == learner).order_by(RESPONSES.c.at_ms, RESPONSES.c.kind)
        with self._database.reading() as connection:
            return [Response(row.id, Kind(row.kind), row.learner, row.at_ms) for row in connection.execute(query)]

    def prune(self, before_ms: int) -> int:
        """Delete what came before an instant; return how many there were."""
        with self._database.writing() as connection:
            return connection.execute(delete(RESPONSES).where(RESPONSES.c.at_ms < before_ms)).rowcount
