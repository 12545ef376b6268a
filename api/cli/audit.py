"""``engage audit``: what admins have asked, and about whom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from actors.storage.audit import AuditLine, AuditLog
from api.cli.console import console
from api.cli.options import DATA, Data, DatabaseUrl
from api.place import find_place

_HASH = 12  # characters of a hash that tell the learners of a page apart


def audit(
    learner: Annotated[str | None, typer.Option(help="Only what was asked about the learner of this id")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From this day on, UTC")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Lines at most, the newest")] = 100,
    data: Data = DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """Show the audit log, newest first; learners stand in it as hashes."""
    since_ms = None if since is None else int(since.replace(tzinfo=UTC).timestamp() * 1_000)
    with find_place(data, database_url).database as database:
        lines = AuditLog(database).page(limit=limit, learner=learner, since_ms=since_ms)
    table = Table("at (UTC)", "who", "asked", "answer", "learner")
    for line in lines:
        table.add_row(*_told(line))
    console.print(table)


def _told(line: AuditLine) -> tuple[str, ...]:
    at = datetime.fromtimestamp(line.at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    learner = "" if line.learner is None else line.learner[:_HASH]
    return at, line.who, f"{line.method} {line.path}", str(line.status), learner
