"""``engage export``: what the journals hold, for analysts."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from actors.storage.journal import SqlJournal
from api import exports
from api.cli.console import Stopwatch, console, output_file, progress
from api.cli.options import DATA, Data, DatabaseUrl
from api.export_tables import TableName
from api.place import find_place, zone_of
from engine import rules as engine_rules
from engine.errors import InputError


def export(
    table: Annotated[
        TableName,
        typer.Argument(
            help="events: the event log; signals: daily scorings; outcomes: what events and days brought; "
            "decisions: of campaigns, a week later, with their rewards"
        ),
    ],
    out: Annotated[Path, typer.Option(help="File (.parquet)")],
    data: Data = DATA,
    database_url: DatabaseUrl = None,
    rules: Annotated[Path | None, typer.Option(help="The service's own rules, overriding the defaults")] = None,
) -> None:
    """Write a table of all that the journals hold; a running service is not disturbed."""
    watch = Stopwatch()
    if out.suffix != ".parquet":
        raise InputError(f"--out {out}", f"suffix {out.suffix!r}", ".parquet")
    product_rules = engine_rules.load(rules)
    file = output_file(out)
    place = find_place(data, database_url)
    with place.database, contextlib.ExitStack() as stack:
        journals = [stack.enter_context(contextlib.closing(SqlJournal(place.url, log))) for log in range(place.actors)]
        with progress("entries") as tick:
            rows = exports.export(table, journals, zone_of(place), product_rules, file, tick)
    console.print(f"{out}: {rows:,} rows, in {watch.seconds():.1f} s.")
