"""Damaged journals: a row that is not what was written is never taken for content."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from actors.ports import CorruptJournalError, JournalError
from actors.storage.database import Database, open_database
from actors.storage.journal import SqlJournal
from actors.storage.schema import JOURNAL
from tests.databases import sqlite_url
from tests.journals import entry

AT_FIVE = (JOURNAL.c.log == 1, JOURNAL.c.sequence == 5)


@pytest.fixture
def journal(database: Database) -> Iterator[SqlJournal]:
    """A log with nine entries."""
    with contextlib.closing(SqlJournal(database.url.render_as_string(hide_password=False), 1)) as opened:
        opened.take()
        for sequence in range(1, 10):
            opened.append(entry(sequence))
        yield opened


def change(database: Database, values: dict[str, Any]) -> None:
    with database.writing() as connection:
        connection.execute(update(JOURNAL).where(*AT_FIVE).values(values))


def stops_at_five(journal: SqlJournal) -> None:
    """See that what comes before is read, and nothing past the damage."""
    reading = journal.read(0)
    assert [next(reading) for _ in range(4)] == [entry(sequence) for sequence in range(1, 5)]
    with pytest.raises(CorruptJournalError, match="journal entry 5 of log 1"):
        next(reading)
    with pytest.raises(CorruptJournalError, match="journal entry 5 of log 1"):
        journal.rewrite(lambda found: found)
    assert journal.entry(4) == entry(4)
    assert list(journal.read(5)) == [entry(sequence) for sequence in range(6, 10)]


@pytest.mark.parametrize(
    "values",
    [
        {"frame": b"rowt"},
        {"frame": b""},
        {"answer_frame": b"rows"},
        {"kind": "daily"},
        {"answer_kind": ""},
        {"body": '{"number":6,"content":"726f7773"}'},
        {"answer": "not even JSON"},
        {"checksum": 0},
        {"frame": b"row", "answer_frame": b"sswor"},  # the same bytes, but parted elsewhere
    ],
    ids=lambda values: ",".join(f"{name}={value!r}" for name, value in values.items()),
)
def test_a_changed_part_is_told(database: Database, journal: SqlJournal, values: dict[str, Any]) -> None:
    change(database, values)
    stops_at_five(journal)
    with pytest.raises(CorruptJournalError):
        journal.entry(5)


def test_every_flipped_bit_of_a_frame_is_told(database: Database, journal: SqlJournal) -> None:
    whole = int.from_bytes(b"rows")
    for bit in range(32):
        change(database, {"frame": (whole ^ 1 << bit).to_bytes(4)})
        with pytest.raises(CorruptJournalError):
            journal.entry(5)
    change(database, {"frame": b"rows"})
    assert journal.entry(5) == entry(5)


def test_a_missing_entry_is_told(database: Database, journal: SqlJournal) -> None:
    with database.writing() as connection:
        connection.execute(delete(JOURNAL).where(*AT_FIVE))
    stops_at_five(journal)
    assert journal.entry(5) is None


def test_an_entry_under_anothers_number_is_told(database: Database, journal: SqlJournal) -> None:
    with database.writing() as connection:
        other = connection.execute(select(JOURNAL).where(JOURNAL.c.sequence == 6)).one()._asdict()
    change(database, {**other, "sequence": 5})
    stops_at_five(journal)


def test_what_was_replaced_is_not_left_in_the_files_of_sqlite(tmp_path: Path) -> None:
    secret = b"the name of somebody who wants to be forgotten" * 3

    def stands() -> bool:
        return any(secret in file.read_bytes() for file in tmp_path.iterdir())

    with open_database(sqlite_url(tmp_path / "engage.db")) as database:
        database.migrate()
    with contextlib.closing(SqlJournal(sqlite_url(tmp_path / "engage.db"), 1)) as journal:
        journal.take()
        for sequence in range(1, 4):
            journal.append(entry(sequence, secret))
        assert stands()
        journal.rewrite(lambda found: entry(found.sequence))
        assert not stands()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "engage.db").write_bytes(b"not a database at all" * 1000)
    url = sqlite_url(tmp_path / "engage.db")
    with contextlib.closing(SqlJournal(url, 1)) as journal, pytest.raises(JournalError, match="a damaged file"):
        journal.take()
    with open_database(url) as database, pytest.raises(JournalError, match=r"a damaged file .*restore the newest"):
        database.migrate()
