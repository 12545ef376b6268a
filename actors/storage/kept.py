"""A connection that its owner keeps, for work that has to be fast: each statement is one transaction, one trip."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from actors.storage.database import Database
from actors.storage.trouble import locked, persist

_Result = TypeVar("_Result")


class KeptConnection:
    """One connection to a database, opened at first use and again after trouble. It serves one thread at a time.

    Args:
        database: closed with the connection.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def run(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do work of one statement, again while trouble is passing.

        Raises:
            JournalError: the trouble lasts; whether the statement took effect may not be known.
        """

        def attempt() -> _Result:
            if self._connection is None:
                self._connection = self._database.keep()
            try:
                result = work(self._connection)
                self._connection.commit()
            except BaseException as error:
                if locked(error):
                    self._connection.rollback()
                else:  # whatever it was, what the connection would say next is not known
                    self._hang_up()
                raise
            return result

        return persist(attempt, self._database.name)

    def close(self) -> None:
        """Close the connection and its database; a later use opens them again."""
        self._hang_up()
        self._database.dispose()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
