"""Where a service keeps its things: a data directory and a database, laid out at their first use."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from actors.directory import MOST_ACTORS
from actors.storage.database import Database, open_database
from actors.storage.settings import Settings
from engine.errors import InputError

_IDENTITY, _ACTORS, _ZONE = "identity", "actors", "timezone"
_FILE = "engage.db"
URL_VARIABLE = "ENGAGE_DATABASE_URL"
"""Environment variable that may name the database; a password in it shows in no list of processes."""
_LAID_OUT = "It is laid out by `engage serve` or `engage import`."


_FORMAT, _THIS_FORMAT = "journal_format", "3"  # raise it with the layout of a frame, or the kinds of messages
_OTHER_FORMAT = "Run the version of engagement-engine that wrote it."


@dataclass(frozen=True)
class Place:
    """A database that is ready, and the directory beside it.

    Args:
        data: directory of secrets and snapshots, its owner's alone.
        url: of the database.
        database: migrated.
        actors: learner actors that its journals are laid out for.
        identity: of the database, made at its first use.
        snapshots: directory for snapshots of this very database.
    """

    data: Path
    url: str
    database: Database
    actors: int
    identity: str
    snapshots: Path


def open_place(data: Path, url: str | None, actors: int | None) -> Place:
    """Return a place, made if it is not there.

    Args:
        data: directory.
        url: of the database; None = an SQLite file in the directory.
        actors: learner actors; None = as laid out, or one for a new database: an SQLite file has one writer at a time,
            and one actor applies several hundred thousand events a second.

    Raises:
        InputError: it cannot be made, it is laid out for another number of actors, or another version wrote it.
        JournalError: the database cannot be reached.
    """
    if actors is not None and not 1 <= actors <= MOST_ACTORS:
        raise InputError("--actors", str(actors), f"1-{MOST_ACTORS}")
    url = url or _own_url(data)
    database = open_tables(data, url)
    settings = Settings(database)
    identity = settings.settle(_IDENTITY, uuid.uuid4().hex)
    laid_out = int(settings.settle(_ACTORS, str(actors or 1)))
    _must_read(database, settings.settle(_FORMAT, _THIS_FORMAT))
    if actors not in {None, laid_out}:
        database.dispose()
        remedy = "Leave --actors out, or begin with a new database and `engage import`."
        raise InputError("--actors", str(actors), f"{laid_out}, which its journals are laid out for", remedy)
    return Place(data, url, database, laid_out, identity, data / "snapshots" / identity)


def open_tables(data: Path, url: str | None) -> Database:
    """Return a database with its tables, and the directory beside it, both made if they are not there.

    How many actors it is for is still open, so keys can be made before the service's first start.

    Raises:
        InputError: one of them cannot be made.
        JournalError: the database cannot be reached.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--data {data}", error.strerror or "an error", "a directory that can be made") from None
    database = open_database(url or _own_url(data))
    database.migrate()
    return database


def find_place(data: Path, url: str | None) -> Place:
    """Return a place that was laid out before, and change nothing there: a service may be at work.

    Args:
        data: directory.
        url: of the database; None = an SQLite file in the directory.

    Raises:
        InputError: there is none, or another version wrote it.
        JournalError: the database cannot be reached.
    """
    if url is None and not (data / _FILE).is_file():
        raise InputError(f"--data {data}", f"no {_FILE} in it", "the directory of a service", _LAID_OUT)
    url = url or _own_url(data)
    database = open_database(url)
    settings = Settings(database)
    identity, actors = settings.get(_IDENTITY), settings.get(_ACTORS)
    if identity is None or actors is None:
        database.dispose()
        raise InputError("--database-url", "a database that no service has used", "that of a service", _LAID_OUT)
    _must_read(database, settings.get(_FORMAT))
    return Place(data, url, database, int(actors), identity, data / "snapshots" / identity)


def _must_read(database: Database, written: str | None) -> None:
    """Refuse journals that another version wrote otherwise."""
    if written != _THIS_FORMAT:
        database.dispose()
        raise InputError(f"journals of {database.name}", f"format {written}", f"format {_THIS_FORMAT}", _OTHER_FORMAT)


def _own_url(data: Path) -> str:
    return f"sqlite:///{quote(str(data / _FILE), safe='/ ')}"  # a URL's own characters may be in a folder's name


def note_zone(place: Place, zone: str) -> None:
    """Note the zone of learners whose profile has none, for whoever reads the journals later."""
    Settings(place.database).put(_ZONE, zone)


def zone_of(place: Place) -> str:
    """Return the zone that was noted last."""
    return Settings(place.database).get(_ZONE) or "UTC"
