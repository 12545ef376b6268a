"""What holds for a whole database, and was settled when it was first used: the number of its logs, for one."""

from __future__ import annotations

from sqlalchemy import select

from actors.storage.database import Database
from actors.storage.rows import put, put_once
from actors.storage.schema import SETTINGS


class Settings:
    """The settings of a database: texts by name.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """Return a setting, None = it was never put."""
        with self._database.reading() as connection:
            return connection.execute(select(SETTINGS.c.value).where(SETTINGS.c.name == name)).scalar()

    def put(self, name: str, value: str) -> None:
        """Put a setting, also over another value."""
        put(self._database, SETTINGS, {"name": name, "value": value})

    def settle(self, name: str, value: str) -> str:
        """Put a setting that was never put; return the one that holds, which may be another's."""
        if put_once(self._database, SETTINGS, {"name": name, "value": value}):
            return value
        standing = self.get(name)
        return value if standing is None else standing
