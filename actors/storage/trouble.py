"""Trouble with a database: what happened, whether it passes by itself, and what to do, in people's words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from actors.ports import JournalError

TROUBLE = (DBAPIError, PoolTimeoutError)
"""What is explained; SQLAlchemy's other errors are mistakes of the program."""

RETRY_S = 5.0
"""How long passing trouble is waited out before it is reported."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5
_LOCK_PAUSE_S = 0.0005  # a lock is held for less than a millisecond, and whoever sleeps long is overtaken
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Case:
    """One kind of trouble.

    Args:
        got: what happened.
        remedy: what to do about it.
        passing: it may be over in a moment, as a restart of the server is.
    """

    got: str
    remedy: str
    passing: bool = False


_FULL = _Case(
    "no room left on its disk",
    "Free some space or enlarge the disk. Nothing acknowledged is lost; send again what was not acknowledged.",
)
_LOCKED = _Case(
    "a lock that another process holds",
    "See which other process works on this database (a second service, a back-up, a shell) and let it end.",
    passing=True,
)
_AWAY = _Case(
    "no connection",
    "See that the database server runs, can be reached and lets this user in; then try again.",
    passing=True,
)
_READ_ONLY = _Case(
    "a database that cannot be written",
    "Give this user the right to write the file and its folder; of servers, name the primary, not a stand-by.",
)
_MISSING = _Case("no file that can be opened", "See that the file is there and that this user may read and write it.")
_DAMAGED = _Case("a damaged file", "Stop the service and restore the newest back-up.")
_NO_TABLES = _Case(
    "no tables, or older ones", "Start the service once with this version: it brings the tables up to date."
)
_DISK = _Case("an error of its disk", "See the system's log; the disk may be failing.")
_OTHER = _Case("an error", "If it stays, report it with this text.")

_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,  # two processes opened it in the same moment
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _MISSING,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_ERROR: _NO_TABLES,  # the statements are fixed, so what fails in one is a table or column
}
_PRIMARY_CODE = 0xFF  # the rest of an SQLite code is a detail

# PostgreSQL's codes by their longest known beginning, two characters being a class.
_POSTGRESQL = {
    "53100": _FULL,
    "53": _AWAY,  # too many connections, out of memory
    "08": _AWAY,
    "57P": _AWAY,  # shutting down, starting up
    "25P03": _AWAY,  # it ended a transaction whose process had been stopped
    "55P03": _LOCKED,
    "40": _LOCKED,  # a deadlock or a conflict, which the server resolved
    "25006": _READ_ONLY,
    "42501": _READ_ONLY,
    "42P01": _NO_TABLES,
    "42703": _NO_TABLES,
    "58": _DISK,
    "XX00": _DAMAGED,
}


def _case(error: DBAPIError | PoolTimeoutError) -> _Case:
    if isinstance(error, PoolTimeoutError):
        return _AWAY
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & _PRIMARY_CODE, _OTHER)
    state = getattr(cause, "sqlstate", None)
    if state is None:  # the server did not answer, so it gave no code
        return _AWAY
    found = (_POSTGRESQL.get(state[:length]) for length in range(len(state), 1, -1))
    return next((case for case in found if case is not None), _OTHER)


def locked(error: BaseException) -> bool:
    """Tell whether another process held a lock, the connection being as good as before."""
    return isinstance(error, DBAPIError) and _case(error) is _LOCKED


def explained(error: DBAPIError | PoolTimeoutError, database: str) -> JournalError:
    """Return what to tell people about a failure of the database.

    Args:
        error: as SQLAlchemy raised it.
        database: its name, without the password.
    """
    case = _case(error)
    cause = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
    return JournalError(f"database {database}", f"{case.got} ({cause})", "", case.remedy)


def persist(work: Callable[[], _Result], database: str) -> _Result:
    """Do database work, again and again while trouble is passing, but not for long.

    Args:
        work: may be done twice: after a lost connection nobody knows whether the first time was committed.
        database: its name, without the password.

    Raises:
        JournalError: the trouble lasts.
    """
    deadline, pause_s = time.monotonic() + RETRY_S, _FIRST_PAUSE_S
    while True:
        try:
            return work()
        except TROUBLE as error:
            overtaken = isinstance(error, IntegrityError)  # two at once: one now sees what the other wrote
            if not (overtaken or _case(error).passing) or time.monotonic() + pause_s > deadline:
                raise explained(error, database) from error
            waits_for_lock = locked(error)
        if waits_for_lock:
            time.sleep(_LOCK_PAUSE_S)
        else:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
