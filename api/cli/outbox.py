"""``engage outbox``: what waits to be handed over, what failed, and what to do about it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.table import Table

from actors.delivery.outbox import Outbox, State
from actors.delivery.suppression import Suppressed
from api.cli.console import console
from api.cli.options import DATA, Data, DatabaseUrl
from api.clock import wall_clock
from api.place import find_place
from engine.errors import InputError

app = typer.Typer(no_args_is_help=True, help="See what waits to be handed over, and what failed.")

Channel = Annotated[str | None, typer.Option(help="Of this channel alone")]


@app.command("list")
def list_(data: Data = DATA, database_url: DatabaseUrl = None) -> None:
    """Count messages by channel and state, and those that failed by reason."""
    with find_place(data, database_url).database as database:
        outbox = Outbox(database)
        counts, reasons = outbox.counts(), outbox.reasons()
    table = Table("channel", *(state.value for state in State), title="Messages")
    for channel in sorted({channel for channel, _ in counts}):
        table.add_row(channel, *(f"{counts.get((channel, state), 0):,}" for state in State))
    console.print(table)
    for (channel, state, reason), count in sorted(reasons.items(), key=lambda each: -each[1]):
        console.print(f"{channel}: {count:,} {state.value}, {reason}", highlight=False, markup=False)


@app.command()
def redrive(channel: Channel = None, data: Data = DATA, database_url: DatabaseUrl = None) -> None:
    """Try dead messages again that are still worth it: within their day, outcomes within three days."""
    with find_place(data, database_url).database as database:
        count = Outbox(database).redrive(wall_clock(), channel)
    console.print(f"{count:,} are tried again; a running service takes them within a second.")


@app.command()
def lift(
    channel: Annotated[Literal["email", "push", "sms"], typer.Argument(help="Of the address")],
    address: Annotated[str, typer.Argument(help="That bounced or complained, and is fine again")],
    data: Data = DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """Use an address again that bounced or complained."""
    with find_place(data, database_url).database as database:
        if not Suppressed(database).lift(channel, address):
            raise InputError(f"{channel} {address!r}", "an address that is used", "one that is suppressed")
    console.print("It is used again.")
