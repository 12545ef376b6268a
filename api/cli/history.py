"""``engage import``: history from before going live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actors.storage.services import Services
from api import history
from api.cli.console import Stopwatch, console, progress
from api.cli.options import DATA, Data, DatabaseUrl
from api.clock import wall_clock
from api.place import open_place
from api.wiring import open_service
from engine import rules as engine_rules
from engine.errors import InputError
from engine.risk import model as risk_model
from simulation.adapters import event_log

ALIVE_MS = 30_000
"""A service that was seen within these is taken to be running."""


def _before_all_days() -> int:
    """Return the instant that it is for the service meanwhile: no day of a history may end before all of it is in."""
    return 0


def import_(
    events: Annotated[Path, typer.Argument(help="Event log (.parquet, .csv, .ndjson)")],
    data: Data = DATA,
    database_url: DatabaseUrl = None,
    actors: Annotated[int | None, typer.Option(help="Learner actors of a new database")] = None,
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
) -> None:
    """Bring an event log in before its learners go live; broken off, the same command goes on."""
    watch = Stopwatch()
    product_rules = engine_rules.load(rules)
    frame = event_log.read(events)
    place = open_place(data, database_url, actors)
    try:
        if alive := Services(place.database).alive(wall_clock() - ALIVE_MS):
            remedy = "Stop it first: an import takes the journals over. If it was killed, wait half a minute."
            raise InputError("database", f"the service {alive[0]} running on it", "none", remedy)
        with (
            open_service(
                "local", place.url, place.actors, product_rules, risk_model.load(), place.snapshots, _before_all_days
            ) as service,
            progress("events") as tick,
        ):
            counted = history.bring_in(frame, product_rules, service, tick, wall_clock())
    finally:
        place.database.dispose()
    console.print(f"{counted:,} of {len(frame):,} events counted, in {watch.seconds():.1f} s.")
