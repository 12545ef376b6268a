"""Bringing a database up to this version by the migrations that ship with it."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from engine.errors import InputError

_LOCK = 0x656E67616765  # any number that is always the same


def upgrade(connection: Connection, name: str) -> None:
    """Apply the migrations that are missing, within the connection's transaction; one process at a time does so.

    Args:
        connection: in a transaction; in SQLite one that writes, and so is alone.
        name: of the database, for people.

    Raises:
        InputError: the database has migrations that this version does not know.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", "actors.storage:migrations")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    applied = MigrationContext.configure(connection).get_current_heads()
    if unknown := set(applied) - known:
        raise InputError(
            f"database {name}",
            f"tables of a newer version (migration {', '.join(sorted(unknown))})",
            f"migration {max(known)} at most",
            "Run the newer version again, or restore a back-up from before the upgrade.",
        )
    command.upgrade(config, "head")
