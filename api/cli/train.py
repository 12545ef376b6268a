"""``engage train``: fit the risk model on event logs, or on what a service has kept, and let it prove itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import console, output_directory, output_file, progress
from api.cli.options import DatabaseUrl
from api.clock import wall_clock
from api.learning import learn, registry_of
from api.place import find_place
from engine import rules as engine_rules
from engine.errors import InputError
from engine.risk import model as risk_model
from engine.risk.challenge import Verdict
from engine.risk.fitting import RECIPES
from engine.risk.registry import Registry
from simulation import training

_FIGURES = ("auc", "average_precision", "brier", "calibration_slope")


def train(
    events: Annotated[list[Path] | None, typer.Argument(help="Event logs (.parquet, .csv, .ndjson)")] = None,
    out: Annotated[Path | None, typer.Option(help="Model file to write (.json)")] = None,
    registry: Annotated[
        Path | None, typer.Option(help="Registry of models: the new one has to beat its champion on later days")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Directory of a service: learn from what it kept, for its own registry")
    ] = None,
    database_url: DatabaseUrl = None,
    model: Annotated[
        Path | None, typer.Option(help="The champion where a registry has none; default: the packaged model")
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
    kind: Annotated[
        str | None, typer.Option(help=f"What to fit: {' or '.join(RECIPES)}; default: whichever does better")
    ] = None,
) -> None:
    """Fit a calibrated risk model, and say how good it is on learners or days it has not seen."""
    product_rules, kinds = engine_rules.load(rules), [kind] if kind else tuple(RECIPES)
    if data is not None and not (events or out or registry):
        place, packaged = find_place(data, database_url), risk_model.load(model)
        with place.database, progress("entries") as tick:
            verdict = learn(place, product_rules, packaged, wall_clock(), kinds, tick)
        _show(verdict, registry_of(place.data))
    elif events and registry is not None and not (out or data):
        output_directory(registry, "--registry")
        with progress("training") as tick:
            verdict = training.contest(
                events, Registry(registry), risk_model.load(model), wall_clock(), product_rules, tick, kinds
            )
        _show(verdict, Registry(registry))
    elif events and out is not None and not (registry or data):
        with progress("training") as tick:
            report = training.train(events, output_file(out), product_rules, tick, kinds)
        table = Table("population", "learner-days", "base_rate", *_FIGURES, title="On learners held out")
        for name, row in report.items():
            figures = (_short(row[figure]) for figure in ("base_rate", *_FIGURES))
            table.add_row(name, f"{row['learner_days']:,}", *figures)
        console.print(table)
        console.print(f"Model written to {out}")
    else:
        given = {"events": events, "--out": out, "--registry": registry, "--data": data}
        got = ", ".join(name for name, value in given.items() if value) or "nothing"
        raise InputError("train", got, "events with --out, events with --registry, or --data alone")


def _show(verdict: Verdict, registry: Registry) -> None:
    title = f"On later days, {verdict.champion['learner_days']:,} learner-days"
    table = Table("", *_FIGURES, title=title)
    for name, row in (("challenger", verdict.challenger), ("champion", verdict.champion)):
        table.add_row(name, *(_short(row[figure]) for figure in _FIGURES))
    table.add_row("difference", *(_difference(verdict, figure) for figure in _FIGURES))
    console.print(table)
    decision = "The challenger is promoted" if verdict.promoted else "The champion stays"
    console.print(
        f"{decision}: {verdict.reason}. Champion of {registry.directory}: {registry.champion() or 'packaged'}"
    )


def _difference(verdict: Verdict, figure: str) -> str:
    if figure not in verdict.ahead:
        return "\N{EN DASH}"
    by, (low, high) = verdict.ahead[figure]
    return f"{by:+.3f} [{low:+.3f}\N{EN DASH}{high:+.3f}]"


def _short(figure: float | None) -> str:
    return "\N{EN DASH}" if figure is None else f"{figure:.3f}"
