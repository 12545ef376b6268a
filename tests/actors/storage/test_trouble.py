"""Trouble of every kind, made for real: what it is called, that it loses nothing, and that work goes on after it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from actors.ports import JournalError
from actors.storage import engines, trouble
from actors.storage.database import Database, open_database
from actors.storage.journal import SqlJournal
from engine.errors import InputError
from tests.databases import Postgres, sqlite_url
from tests.disks import small_disk
from tests.journals import entry

AT_ONCE_S = 2.0  # far below the time for which passing trouble is waited out
FULL = r"no room left on its disk.*Nothing acknowledged is lost"
UNREACHABLE = "postgresql://me:s3cret@127.0.0.1:1/engage"
BLOCK = os.urandom(50_000)


@pytest.fixture
def journal(database: Database) -> Iterator[SqlJournal]:
    """A log that has been taken and holds one entry."""
    with taken(database.url.render_as_string(hide_password=False)) as opened:
        yield opened


@contextlib.contextmanager
def taken(url: str) -> Iterator[SqlJournal]:
    with contextlib.closing(SqlJournal(url, 1)) as journal:
        journal.take()
        journal.append(entry(1, BLOCK))
        yield journal


def fill(journal: SqlJournal) -> int:
    """Append until there is no room; return the number of the entry that found none."""
    for sequence in range(2, 2_000):
        began = time.monotonic()
        try:
            journal.append(entry(sequence, BLOCK))
        except JournalError:
            assert time.monotonic() - began < AT_ONCE_S
            with pytest.raises(JournalError, match=FULL):
                journal.append(entry(sequence, BLOCK))
            return sequence
    raise AssertionError("the disk is never full")


def whole(journal: SqlJournal, count: int) -> bool:
    return list(journal.read(0)) == [entry(sequence, BLOCK) for sequence in range(1, count + 1)]


def test_a_full_disk_under_sqlite() -> None:
    with small_disk(2) as disk:
        (disk / "ballast").write_bytes(bytes(300_000))
        url = sqlite_url(disk / "engage.db")
        with open_database(url) as database:
            database.migrate()
        with taken(url) as journal:
            refused = fill(journal)
            assert whole(journal, refused - 1)
            (disk / "ballast").unlink()
            journal.append(entry(refused, BLOCK))
            assert whole(journal, refused)


def test_a_full_disk_under_postgresql(postgres: Postgres) -> None:
    with small_disk(24) as disk:
        shutil.chown(disk, user=postgres.owner)
        url = postgres.fresh()
        name = url.partition("?")[0].rpartition("/")[2]
        postgres.run(f"CREATE TABLESPACE small LOCATION '{disk}'")
        postgres.run(f"ALTER DATABASE {name} SET TABLESPACE small")
        try:
            with open_database(url) as database:
                database.migrate()
            with taken(url) as journal:
                refused = fill(journal)
                assert whole(journal, refused - 1)
                subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True)
                journal.append(entry(refused, BLOCK))
                assert whole(journal, refused)
        finally:
            postgres.drop(url)
            postgres.run("DROP TABLESPACE small")


def test_a_database_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a full disk, where none can be mounted."""
    url = sqlite_url(tmp_path / "engage.db")
    with open_database(url) as database:
        database.migrate()
    with monkeypatch.context() as limited:
        limited.setattr(engines, "_PRAGMAS", (*engines._PRAGMAS, "max_page_count=200"))
        with taken(url) as journal:
            refused = fill(journal)
            assert whole(journal, refused - 1)
    with contextlib.closing(SqlJournal(url, 1)) as journal:
        assert journal.take() == refused - 1
        journal.append(entry(refused, BLOCK))


@contextlib.contextmanager
def held(database: Database) -> Iterator[None]:
    """Hold the lock that every append needs."""
    with database.writing() as connection:
        connection.execute(text("UPDATE logs SET epoch = epoch"))
        yield


def test_a_lock_that_lasts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_SESSION", engines._SESSION.replace("'5s'", "'200ms'"))
    monkeypatch.setattr(trouble, "RETRY_S", 0.3)
    with taken(database.url.render_as_string(hide_password=False)) as journal:
        with held(database), pytest.raises(JournalError, match="a lock that another process holds"):
            journal.append(entry(2, BLOCK))
        journal.append(entry(2, BLOCK))
        assert whole(journal, 2)


def test_a_lock_that_passes(database: Database, journal: SqlJournal) -> None:
    appending = threading.Thread(target=journal.append, args=(entry(2, BLOCK),))
    with held(database):
        appending.start()
        time.sleep(0.2)
        assert appending.is_alive()
    appending.join()
    assert whole(journal, 2)


def test_an_answer_that_is_lost_on_its_way(journal: SqlJournal) -> None:
    """The entry is committed; its writer hears of a broken connection and tries again, to no further effect."""
    engine, lost = journal._database.engine, []

    def lose(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO journal"):
            lost.append(engine.dialect.loaded_dbapi.OperationalError("the connection was lost"))
            lost[-1].sqlite_errorcode = 5  # passing trouble to SQLite, which has no connections to lose
            raise lost[-1]

    event.listen(engine, "after_cursor_execute", lose)
    for sequence in (2, 3):
        journal.append(entry(sequence, BLOCK))
    assert len(lost) == 2
    assert whole(journal, 3)


def test_a_database_that_may_only_be_read(database: Database, journal: SqlJournal) -> None:
    journal.close()
    url = database.url.render_as_string(hide_password=False)
    if engines.file_of(database.url):
        pragmas = (*engines._PRAGMAS, "query_only=ON")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engines, "_PRAGMAS", pragmas)
            refused(url)
    else:
        with database.writing() as connection:
            connection.execute(text(f"ALTER DATABASE {database.url.database} SET default_transaction_read_only = on"))
        refused(url)


def refused(url: str) -> None:
    with contextlib.closing(SqlJournal(url, 1)) as reader:
        assert whole(reader, 1)
        with pytest.raises(JournalError, match="cannot be written"):
            reader.take()


def test_tables_that_are_missing(database_url: str, tmp_path: Path) -> None:
    if database_url.startswith("sqlite"):
        (tmp_path / "engage.db").touch()
    with contextlib.closing(SqlJournal(database_url, 1)) as journal:
        with pytest.raises(JournalError, match=r"no tables, or older ones .*Start the service once"):
            journal.take()
        with pytest.raises(JournalError, match="no tables"):
            list(journal.read(0))


def test_a_file_that_is_missing_is_not_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "engage.db"
    with contextlib.closing(SqlJournal(sqlite_url(file), 1)) as journal:
        with pytest.raises(JournalError, match="no file that can be opened"):
            journal.take()
        assert not file.exists()
    with open_database(sqlite_url(tmp_path / "missing" / "engage.db")) as database, pytest.raises(InputError) as error:
        database.migrate()
    assert "No such file or directory" in str(error.value)


def test_a_server_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "RETRY_S", 0.3)
    journal = SqlJournal(UNREACHABLE, 1)
    expected = r"postgresql://me@127\.0\.0\.1:1/engage; got no connection"
    with contextlib.closing(journal), pytest.raises(JournalError, match=expected) as error:
        journal.take()
    assert "s3cret" not in f"{error.value} {error.getrepr(style='long')} {journal!r}"
