"""``engage models``: the risk models that a registry keeps, and which of them is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import console
from api.cli.options import DATA, Data
from api.clock import wall_clock
from api.learning import registry_of
from engine.errors import InputError
from engine.risk import model as risk_model
from engine.risk.registry import Registry


def models(
    data: Data = DATA,
    registry: Annotated[Path | None, typer.Option(help="A registry elsewhere; default: the service's own")] = None,
    use: Annotated[
        str | None, typer.Option(help="Version to use from now on; a running service moves on to it")
    ] = None,
) -> None:
    """Show the models that are kept and what was decided of them, or use another one."""
    folder = data if registry is None else registry
    if not folder.is_dir():
        raise InputError("--data" if registry is None else "--registry", str(folder), "a directory that is there")
    kept = registry_of(data) if registry is None else Registry(registry)
    if use is not None:
        packaged = risk_model.load()
        if use == packaged.version:  # it is there without ever having been kept
            kept.add(packaged)
        kept.promote(use, wall_clock(), {"reason": "by hand"})
    champion, unfit = kept.champion(), dict[str, InputError]()
    table = Table("version", "", "kind", "signals", "last day learnt from", title=f"Models in {kept.directory}")
    for version in kept.versions():
        mark = "in use" if version == champion else ""
        try:
            model = kept.model(version)
        except InputError as error:
            unfit[version] = error
            table.add_row(version, f"{mark}, unfit".removeprefix(", "))
            continue
        days = [str(each.get("last_day", "")) for each in model.about.get("trained_on", [])]
        table.add_row(version, mark, model.kind, str(len(model.signals)), max(days, default=""))
    console.print(table)
    for version, reason in unfit.items():
        console.print(f"{version} unfit: {reason}", soft_wrap=True, markup=False)
    for each in kept.history():
        what = f"{each['promoted']} promoted" if "promoted" in each else f"{each.get('refused', '?')} refused"
        console.print(f"{each['at']}  {what}: {each.get('reason', '')}", soft_wrap=True)
    if champion is None:
        console.print("None was promoted yet: the packaged model is in use.")
    elif champion in unfit or champion not in {*kept.versions(), risk_model.load().version}:
        console.print(f"{champion} cannot be used: the packaged model stands in.")
