"""From a database URL to an engine: which databases there are, and how each is set so that a commit lasts."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from engine.errors import InputError

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BEGIN = "engage_begin"
"""Execution option of a connection: the statement that begins its transactions in SQLite, "" = each is its own."""

_BUSY_S = 5.0
_DRIVERS = {SQLITE: "sqlite+pysqlite", POSTGRESQL: "postgresql+psycopg"}
_EXPECTED = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"

_PRAGMAS = (
    "journal_mode=WAL",  # readers and the writer do not wait for each other
    "synchronous=FULL",  # a commit is on the disk when it returns
    "fullfsync=ON",  # macOS: and not only in the disk's cache
    "foreign_keys=ON",
    "secure_delete=ON",  # an erased learner's bytes are overwritten, not only given free
)

# A server that is gone is noticed in seconds; what the URL says itself goes before.
_CONNECT = {"connect_timeout": "5", "tcp_user_timeout": "10000", "keepalives_idle": "10", "application_name": "engage"}
_SESSION = """
    SELECT set_config('lock_timeout', '5s', false),
           set_config('idle_in_transaction_session_timeout', '60s', false),
           set_config('synchronous_commit',
                      CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                      ELSE current_setting('synchronous_commit') END, false)
"""
"""A lock of a process that was stopped is not waited for without end; and a commit is on the disk when it returns."""


def parse(url: str) -> URL:
    """Read a database URL.

    Raises:
        InputError: there is no such kind of database here. The error never shows the URL, which may hold a password.
    """
    scheme, mark, _ = url.partition("://")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        got = f"a URL that cannot be read, of kind {scheme!r}" if mark else "no URL"
        raise InputError("database URL", got, _EXPECTED) from None
    kind = parsed.get_backend_name()
    if kind not in _DRIVERS or parsed.drivername not in (kind, _DRIVERS[kind]):
        raise InputError("database URL", f"a database of kind {parsed.drivername!r}", _EXPECTED)
    if kind == SQLITE and (parsed.host or parsed.query or parsed.database in (None, "", ":memory:")):
        remedy = "A path from the root has four slashes: sqlite:////var/lib/engage.db."
        raise InputError("database URL", "an SQLite URL without a file of its own", "sqlite:///FILE", remedy)
    if kind == POSTGRESQL and not parsed.database:
        raise InputError("database URL", "a PostgreSQL URL without the name of a database", _EXPECTED)
    return parsed.set(drivername=_DRIVERS[kind])


def public_name(url: URL) -> str:
    """Return what to call a database before people: no password, and no parameters, which may hold another."""
    if file := file_of(url):
        return str(file)
    return URL.create(POSTGRESQL, url.username, None, url.host, url.port, url.database).render_as_string()


def file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database, None for a server."""
    return Path(url.database or "").absolute() if url.get_backend_name() == SQLITE else None


def make_engine(url: URL) -> Engine:
    """Return an engine; it connects at its first use.

    Statements' parameters are kept out of errors and logs: they are people's data.
    """
    file = file_of(url)
    if file is not None:
        engine = create_engine(url, creator=lambda: _open_file(file), hide_parameters=True)
        event.listen(engine, "begin", _begin)
        return engine
    defaults = {name: value for name, value in _CONNECT.items() if name not in url.query}
    engine = create_engine(url, connect_args=defaults, hide_parameters=True, pool_pre_ping=True)
    event.listen(engine, "connect", _set_session)
    return engine


def _open_file(file: Path) -> sqlite3.Connection:
    """Open a file that is there: one that was lost is not silently begun anew."""
    connection = sqlite3.connect(
        f"{file.as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _begin(connection: Connection) -> None:
    """Begin a transaction as a writer: one that begins as a reader may fail to become a writer later."""
    if statement := connection.get_execution_options().get(BEGIN, "BEGIN IMMEDIATE"):
        connection.exec_driver_sql(statement)


def _set_session(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(_SESSION)
    connection.autocommit = False
