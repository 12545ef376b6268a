"""``engage keys``: the API keys of services and admins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Table

from actors.storage.keys import KeyStore
from api import keys
from api.access import Role, Scope
from api.cli.console import console
from api.cli.options import DATA, Data, DatabaseUrl
from api.clock import wall_clock
from api.place import open_tables
from engine.calendar import MS_PER_DAY
from engine.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke API keys.")

_MS_PER_HOUR = 3_600_000


@contextmanager
def _store(data: Data, url: str | None) -> Iterator[KeyStore]:
    database = open_tables(data, url)
    try:
        yield KeyStore(database)
    finally:
        database.dispose()


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What you call it")],
    role: Annotated[Role, typer.Option(help="service: send events and read; admin: see everyone, too")] = Role.SERVICE,
    scope: Annotated[list[Scope] | None, typer.Option(help="Narrow it; may be given several times")] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, help="Days it is valid; default: until it is revoked")
    ] = None,
    data: Data = DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    now_ms = wall_clock()
    expires_ms = None if days is None else now_ms + int(days * MS_PER_DAY)
    with _store(data, database_url) as store:
        made = keys.create(store, name, role, now_ms, None if not scope else frozenset(scope), expires_ms)
    print(made.text)


@app.command("list")
def list_(data: Data = DATA, database_url: DatabaseUrl = None) -> None:
    """List all keys, also those that are no longer valid."""
    now_ms = wall_clock()
    table = Table("id", "name", "role", "scopes", "valid")
    with _store(data, database_url) as store:
        for key in store.all():
            table.add_row(key.id, key.name, key.role, " ".join(key.scopes), "yes" if key.valid(now_ms) else "no")
    console.print(table)


@app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `engage keys list` shows it")],
    overlap_hours: Annotated[float, typer.Option(min=0, help="How long the old one stays valid")] = 24.0,
    data: Data = DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key that can do the same and print it; the old one ends a little later."""
    with _store(data, database_url) as store:
        print(keys.rotate(store, key_id, wall_clock(), int(overlap_hours * _MS_PER_HOUR)).text)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key")], data: Data = DATA, database_url: DatabaseUrl = None
) -> None:
    """Make a key invalid, at once and for good."""
    with _store(data, database_url) as store:
        if not store.revoke(key_id, wall_clock()):
            raise InputError(
                f"key {key_id!r}", "none that is valid", "the id of a valid key", "See `engage keys list`."
            )
    console.print(f"{key_id} is revoked; a running service refuses it within seconds.")
