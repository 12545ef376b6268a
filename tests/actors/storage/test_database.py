"""Databases by URL: which are taken, what is never shown, and how each is set."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from actors.ports import JournalError
from actors.storage.database import Database, open_database
from engine.errors import InputError
from tests.databases import Postgres, sqlite_url

PASSWORD = "s3cr3t"  # noqa: S105  # of no account


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("", "no URL"),
        ("engage.db", "no URL"),
        ("/var/lib/engage.db", "no URL"),
        ("sqlite", "no URL"),
        ("sqlite://", "an SQLite URL without a file of its own"),
        ("sqlite:///", "an SQLite URL without a file of its own"),
        ("sqlite:///:memory:", "an SQLite URL without a file of its own"),
        ("sqlite:///engage.db?mode=memory", "an SQLite URL without a file of its own"),
        (f"sqlite://me:{PASSWORD}@host/engage.db", "an SQLite URL without a file of its own"),
        ("sqlite+aiosqlite:///engage.db", "a database of kind 'sqlite+aiosqlite'"),
        (f"mysql://me:{PASSWORD}@host/engage", "a database of kind 'mysql'"),
        (f"postgres://me:{PASSWORD}@host/engage", "a database of kind 'postgres'"),
        (f"postgresql+asyncpg://me:{PASSWORD}@host/engage", "a database of kind 'postgresql+asyncpg'"),
        (f"postgresql://me:{PASSWORD}@host", "a PostgreSQL URL without the name of a database"),
        (f"postgresql://me:{PASSWORD}@host:{PASSWORD}/engage", "a URL that cannot be read, of kind 'postgresql'"),
        (f"{PASSWORD}:me@host/engage", "no URL"),
    ],
)
def test_what_is_no_database_here_is_refused_without_showing_the_password(url: str, got: str) -> None:
    with pytest.raises(InputError) as error:
        open_database(url)
    assert f"got {got}" in str(error.value) and "expected sqlite:///FILE" in str(error.value)
    assert PASSWORD not in str(error.getrepr(style="native"))


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/engage",
        f"postgresql+psycopg://me:{PASSWORD}@127.0.0.1:1/engage",
        f"postgresql://me@127.0.0.1:1/engage?password={PASSWORD}&sslmode=disable",
    ],
)
def test_the_name_of_a_server_shows_no_password(url: str) -> None:
    with open_database(url) as database:
        assert database.name == "postgresql://me@127.0.0.1:1/engage"
        assert PASSWORD not in f"{database} {database!r}"
        with pytest.raises(JournalError) as error, database.reading():
            pass
    assert PASSWORD not in str(error.value)


def test_a_database_pickles_as_its_url(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("INSERT INTO settings VALUES ('name', 'value')"))
    arrived = pickle.loads(pickle.dumps(database))  # noqa: S301  # our own bytes: it has to travel to actors
    with arrived, arrived.reading() as connection:
        assert connection.execute(text("SELECT value FROM settings")).scalar() == "value"
    assert arrived.name == database.name


def test_parameters_stay_out_of_errors(database: Database) -> None:
    with pytest.raises(JournalError) as error, database.writing() as connection:
        connection.execute(text("INSERT INTO missing VALUES (:secret)"), {"secret": PASSWORD})
    assert PASSWORD not in str(error.getrepr(chain=True, style="native"))


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("INSERT INTO settings VALUES ('name', 'value')"))
    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        1 / (connection.execute(text("UPDATE settings SET value = 'other'")).rowcount - 1)
    with database.reading() as connection:
        assert connection.execute(text("SELECT value FROM settings")).scalar() == "value"


def test_a_file_of_sqlite_is_for_its_user_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        with open_database(sqlite_url(tmp_path / "engage.db")) as database:
            database.migrate()
            with database.writing() as connection:
                connection.execute(text("INSERT INTO settings VALUES ('name', 'value')"))
                modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(mask)
    assert modes == {"engage.db": 0o600, "engage.db-wal": 0o600, "engage.db-shm": 0o600}


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    place = tmp_path / "a b%c?d#e"
    place.mkdir()
    with open_database(sqlite_url(place / "engage?.db")) as database:
        database.migrate()
        assert database.name == str(place / "engage?.db")
    assert [file.name for file in place.iterdir()] == ["engage?.db"]


def test_a_relative_path_begins_where_the_process_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_database("sqlite:///engage.db") as database:
        database.migrate()
        assert database.name == str(tmp_path / "engage.db")


def test_a_commit_of_sqlite_is_on_the_disk(tmp_path: Path) -> None:
    with open_database(sqlite_url(tmp_path / "engage.db")) as database:
        database.migrate()
        with database.reading() as connection:
            names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
            values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]
    assert values == ["wal", 2, 1, 1, 5000]


@pytest.mark.parametrize(("theirs", "ours"), [("off", "on"), ("on", "on"), ("local", "local"), ("remote_apply",) * 2])
def test_a_commit_of_postgresql_is_on_the_disk(postgres: Postgres, theirs: str, ours: str) -> None:
    url = postgres.fresh()
    with open_database(url) as database:
        postgres.run(f"ALTER DATABASE {database.url.database} SET synchronous_commit = {theirs}")
        with database.reading() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == ours
            assert connection.execute(text("SHOW lock_timeout")).scalar() == "5s"
    postgres.drop(url)
