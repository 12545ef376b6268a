"""Migrations: from nothing to the tables that the code knows, once, whoever starts first."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from actors.storage.database import Database, open_database
from actors.storage.schema import METADATA
from engine.errors import InputError
from tests.conftest import ROOT

MIGRATE = """
import sys
from actors.storage.database import open_database
sys.stdin.read()
with open_database(sys.argv[1]) as database:
    database.migrate()
"""


def test_migrations_make_the_tables_that_the_code_knows(database: Database) -> None:
    with database.reading() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, "alembic_version"}


def test_a_difference_would_be_found(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("ALTER TABLE settings ADD COLUMN more TEXT"))
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) != []


def test_migrating_again_keeps_what_there_is(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("INSERT INTO settings VALUES ('name', 'value')"))
    database.migrate()
    with database.reading() as connection:
        assert connection.execute(text("SELECT name, value FROM settings")).all() == [("name", "value")]


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    command = [sys.executable, "-c", MIGRATE, database_url]
    starts = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) for _ in range(4)]
    for start in starts:
        assert start.stdin is not None
        start.stdin.close()
    assert [start.wait(timeout=120) for start in starts] == [0, 0, 0, 0]
    with open_database(database_url) as database, database.reading() as connection:
        assert len(connection.execute(text("SELECT * FROM alembic_version")).all()) == 1


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"tables of a newer version \(migration 9999\)") as error:
        database.migrate()
    assert database.name in str(error.value)
    with database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_a_migration_that_fails_leaves_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is one transaction, on both databases."""
    from alembic import op

    def fail(*_: object) -> None:
        raise ArithmeticError

    with open_database(database_url) as database:
        with monkeypatch.context() as failing:
            failing.setattr(op, "create_index", fail)
            with pytest.raises(ArithmeticError):
                database.migrate()
        with database.reading() as connection:
            assert inspect(connection).get_table_names() == []
        database.migrate()
