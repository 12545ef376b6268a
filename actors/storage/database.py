"""A database: one SQLite file or one PostgreSQL database, opened by URL."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from sqlalchemy import URL, Connection
from sqlalchemy.exc import IntegrityError

from actors.storage import engines
from actors.storage.trouble import TROUBLE, explained, persist
from engine.errors import InputError


def open_database(url: str) -> Database:
    """Return the database of a URL; nothing is read or made before its first use.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Raises:
        InputError: it is neither.
    """
    return Database(engines.parse(url))


class Database:
    """Connections to one database. It pickles as its URL, so that an actor's process opens its own.

    Args:
        url: as `engines.parse` returns it.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.name = engines.public_name(url)
        self.engine = engines.make_engine(url)
        self._reader = self.engine.execution_options(**{engines.BEGIN: "BEGIN"})

    def __repr__(self) -> str:
        return f"Database({self.name})"

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.dispose()

    def __reduce__(self) -> tuple[Callable[[URL], Database], tuple[URL]]:
        return Database, (self.url,)

    def migrate(self) -> None:
        """Make the tables, or bring them up to this version; a file that is missing is made, for this user alone.

        Several processes may do so at once.

        Raises:
            InputError: a newer version has been at work, or the file cannot be made.
            JournalError: the database cannot be reached or written.
        """
        from actors.storage import upgrades  # noqa: PLC0415  # Alembic takes 12 MB, and actors' processes never migrate

        if file := engines.file_of(self.url):
            try:
                os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # its WAL takes the mode over
            except OSError as error:
                got = error.strerror or "an error"
                raise InputError(f"database {file}", got, "a file that can be made, read and written") from None

        def work() -> None:
            with self.engine.begin() as connection:
                upgrades.upgrade(connection, self.name)

        persist(work, self.name)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with.

        Raises:
            JournalError: the database cannot be read.
        """
        with self._explaining(), self._reader.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end.

        Raises:
            JournalError: nothing was written.
            IntegrityError: the key stands already.
        """
        with self._explaining(), self.engine.begin() as connection:
            yield connection

    def keep(self) -> Connection:
        """Return a connection for one owner, on which each statement is a transaction; a lock is reported at once."""
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT", **{engines.BEGIN: ""})
        if engines.file_of(self.url):
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
        return connection

    def scrub(self) -> None:
        """Empty SQLite's write-ahead log, which still holds what has been replaced; a server has ways of its own."""
        if engines.file_of(self.url):
            with self._explaining(), self.engine.connect().execution_options(**{engines.BEGIN: ""}) as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except TROUBLE as error:
            raise explained(error, self.name) from error

    def dispose(self) -> None:
        """Close all connections; a later use opens new ones."""
        self.engine.dispose()
