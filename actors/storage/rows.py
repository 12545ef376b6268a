"""What tables of the same shape share: JSON as text, rows that are put once, and rows that are put anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, insert, update
from sqlalchemy.exc import IntegrityError

from actors.storage.database import Database

Row = Mapping[str, Any]


def to_json(value: Any) -> str:
    """Return JSON in ASCII alone: no database and no encoding can then change it.

    Raises:
        ValueError: the value is not a number (NaN), which JSON cannot say.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def put_once(database: Database, table: Table, row: Row) -> bool:
    """Insert a row for good.

    Returns:
        False where a row of this key stands already; it stays as it is.

    Raises:
        JournalError: nothing was written.
    """
    try:
        with database.writing() as connection:
            connection.execute(insert(table), row)
    except IntegrityError:
        return False
    return True


def put(database: Database, table: Table, row: Row) -> None:
    """Insert a row, or replace the one of the same key.

    Raises:
        JournalError: nothing was written.
    """
    key = [column == row[column.name] for column in table.primary_key]
    replace = update(table).where(*key).values(row)
    with database.writing() as connection:
        found = connection.execute(replace).rowcount
    if not found and not put_once(database, table, row):  # put by another in this very moment
        with database.writing() as connection:
            connection.execute(replace)
