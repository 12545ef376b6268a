"""Signs of life of the services that work on a database, so that what must not run beside one can refuse to."""

from __future__ import annotations

from sqlalchemy import delete, select

from actors.storage.database import Database
from actors.storage.rows import put
from actors.storage.schema import SERVICES


class Services:
    """The services of a database.

    This is a courtesy to people, not a lock: what keeps a log from two writers is its epoch.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, service_id: str, now_ms: int) -> None:
        """Say that a service is alive."""
        put(self._database, SERVICES, {"id": service_id, "seen_ms": now_ms})

    def alive(self, since_ms: int) -> list[str]:
        """Return the services that have been seen since."""
        wanted = select(SERVICES.c.id).where(SERVICES.c.seen_ms >= since_ms).order_by(SERVICES.c.id)
        with self._database.reading() as connection:
            return list(connection.execute(wanted).scalars())

    def forget(self, before_ms: int) -> None:
        """Forget the services that have not been seen since, as those that were killed: they never took their leave."""
        with self._database.writing() as connection:
            connection.execute(delete(SERVICES).where(SERVICES.c.seen_ms < before_ms))

    def leave(self, service_id: str) -> None:
        """Say that a service has ended, as one does that ends in order."""
        with self._database.writing() as connection:
            connection.execute(delete(SERVICES).where(SERVICES.c.id == service_id))
