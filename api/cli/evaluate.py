"""``engage evaluate``: how good a risk model is on a log, or the engine's signals on a published task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from rich.table import Table

from api.cli.console import console, output_directory, progress, write_json
from engine import rules as engine_rules
from engine.errors import InputError
from engine.risk import model as risk_model
from engine.rules import Rules
from simulation import evaluation, tasks, trials
from simulation.adapters import event_log
from simulation.evaluation import Labels
from simulation.logs import population
from simulation.report import evaluation_page

_OWN_SLICES = frozenset({"cohort", "tenure", "silent days"})
_DASH = "\N{EN DASH}"
_MEASURES = ("auc", "average_precision", "brier", "calibration_slope")
_LEADS = {"rang": "3-7 days: rang", "early": "3-7: stayed", "ahead": "1+: stayed"}
_READERS: dict[str, Callable[[Path], pl.DataFrame]] = {".csv": pl.read_csv, ".parquet": pl.read_parquet}


def evaluate(
    events: Annotated[Path | None, typer.Argument(help="Event log (.parquet, .csv, .ndjson)")] = None,
    model: Annotated[Path | None, typer.Option(help="Risk model; default: the packaged one")] = None,
    learners: Annotated[
        Path | None, typer.Option(help="Table (.csv, .parquet) with learner_id and columns to compare groups by")
    ] = None,
    task: Annotated[str | None, typer.Option(help=f"Run a published task: {', '.join(tasks.catalogue())}")] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of the task's data set")] = None,
    test_data: Annotated[
        Path | None, typer.Option(help="Judge on this directory of the same layout; train on all of --data")
    ] = None,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="With --task: from one signal to all, family by family")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Directory for result.json and report.html")] = None,
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
) -> None:
    """Say how well drop-off is told, how early and how fairly, with 95% intervals by learner."""
    if (events is None) == (task is None):
        got = "neither" if events is None else "both"
        raise InputError("evaluate", got, "an event log, or --task with --data")
    target = output_directory(out)
    if events is None:
        result = _on_task(str(task), data, test_data, model, learners, engine_rules.load(rules), ablate=ablate)
    else:
        if data or test_data or ablate:
            raise InputError("evaluate EVENTS", "--data, --test-data or --ablate", "these only with --task")
        result = _on_log(events, model, learners, engine_rules.load(rules))
    if target is not None:
        write_json(target / "result.json", result)
        if events is not None:
            evaluation_page.write(target / "report.html", result)
        console.print(f"Written to {target}")


def _on_task(
    task: str,
    data: Path | None,
    test_data: Path | None,
    model: Path | None,
    learners: Path | None,
    rules: Rules,
    *,
    ablate: bool,
) -> dict[str, Any]:
    if data is None or model or learners:
        got = "no --data" if data is None else "--model or --learners"
        raise InputError(
            f"evaluate --task {task}", got, "--data, and perhaps --test-data", "A task fits its own model."
        )
    with console.status(f"{task}: signals") as status:
        result = trials.run(task, data, rules, test_data, lambda name: status.update(f"{task}: {name}"), ablate=ablate)
    _show_task(result)
    return result


def _on_log(events: Path, model: Path | None, learners: Path | None, rules: Rules) -> dict[str, Any]:
    log = population(events.stem, event_log.read(events), rules)
    segments = None if learners is None else _segments(learners, log.learner_ids)
    fitted = risk_model.load(model)
    with progress("days") as tick:
        panel = evaluation.panel(log, fitted, rules, tick)
    result = {"log": log.name, "model": fitted.version} | evaluation.evaluate(panel, segments)
    _show(result)
    return result


def _segments(path: Path, learner_ids: Any) -> Mapping[str, Labels]:
    """Return the columns of a table of learners, as labels in the order of the log's learners."""
    if path.suffix not in _READERS:
        raise InputError(str(path), f"a file {path.suffix!r}", "a table .csv or .parquet")
    try:
        frame = _READERS[path.suffix](path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(str(path), str(error).splitlines()[0], "a table of learners") from None
    if "learner_id" not in frame.columns:
        raise InputError(f"{path}: columns", ", ".join(frame.columns), "'learner_id' and columns to compare groups by")
    frame = frame.with_columns(pl.col("learner_id").cast(pl.String))
    if frame["learner_id"].is_duplicated().any():
        twice = frame["learner_id"].filter(frame["learner_id"].is_duplicated())[0]
        raise InputError(f"{path}: learner_id", f"{twice!r} twice", "one row a learner")
    if taken := _OWN_SLICES.intersection(frame.columns):
        raise InputError(f"{path}: columns", repr(min(taken)), "names that the report does not use", "Rename it.")
    if not frame["learner_id"].is_in(list(learner_ids)).any():
        raise InputError(f"{path}: learner_id", "no learner of the log", "the log's own ids")
    asked = pl.DataFrame({"learner_id": list(learner_ids)})
    told = asked.join(frame, on="learner_id", how="left", maintain_order="left")
    return {
        name: told[name].cast(pl.String).fill_null("unknown").to_numpy().astype(np.str_)
        for name in told.columns
        if name != "learner_id"
    }


def _figure(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return _DASH
    low, high = row.get("intervals", {}).get(name, (None, None))
    return _short(value) if low is None else f"{_short(value)} [{_short(low)}{_DASH}{_short(high)}]"


def _short(figure: float) -> str:
    return f"{figure:.3f}".removeprefix("0")


def _share(told: Mapping[str, Any]) -> str:
    if told["share"] is None:
        return _DASH
    low, high = told["interval"]
    return f"{told['share']:.1%} [{100 * low:.1f}{_DASH}{100 * high:.1f}]"


def _show_task(result: Mapping[str, Any]) -> None:
    table = Table(
        "method",
        "auc",
        "average_prec.",
        "brier",
        "calib. slope",
        "auc ahead by",
        title=f"{result['task']}: {result['question']}",
    )
    for method, row in result["methods"].items():
        table.add_row(method, *(_figure(row, name) for name in _MEASURES), _ahead(row["ahead"]["auc"]))
    console.print(table)
    console.print(f"{result['learners']:,} learners judged ({result['split']}); in brackets: 95% by learner.")
    console.print(f"Ahead of: {result['against']}, on the same learners.")


def _ahead(told: Mapping[str, Any]) -> str:
    low, high = told["interval"]
    return f"{_signed(told['difference'])} [{_signed(low)}{_DASH}{_signed(high)}]"


def _signed(figure: float) -> str:
    return f"{figure:+.3f}".replace("0.", ".", 1)


def _show(result: Mapping[str, Any]) -> None:
    overall = result["overall"]
    title = f"{result['log']}: {overall['learner_days']:,} learner-days of {result['learners']:,} learners"
    table = Table("", *_MEASURES, "base rate", title=title)
    table.add_row("all", *(_figure(overall, name) for name in _MEASURES), _short(overall["base_rate"]))
    for name in ("cohort", "tenure", "silent days"):
        for label, row in result["slices"][name].items():
            told = {"base_rate": row.get("base_rate")}
            table.add_row(f"{name}: {label}", *(_figure(row, each) for each in _MEASURES), _figure(told, "base_rate"))
    console.print(table)
    console.print(result["judged"])
    _show_groups(result)
    ahead = Table("budget", "who", "recall", "precision", *_LEADS.values())
    for who, found in result["budgets"].items():
        ahead.add_section()
        for budget, told in result["lead_time"][who].items():
            cells = [_figure(found, f"{each}_{budget}") for each in ("recall", "precision")]
            ahead.add_row(budget, who, *cells, *(_share(told[each]) for each in _LEADS))
    ahead.title = f"Alarms, and how many days before the {result['lead_time']['drop_offs']:,} drop-offs they rang"
    console.print(ahead)
    console.print("Rang: on one of these days before the first silent one. Stayed: from then to the last active day.")


def _show_groups(result: Mapping[str, Any]) -> None:
    given = [name for name in result["slices"] if name not in _OWN_SLICES]
    if not given:
        return
    table = Table("group", "learners", "auc", "brier", "mean risk", "base rate", "missed", "false alarms")
    table.title = "Groups, where the highest tenth of all risks rings an alarm"
    for name in given:
        table.add_section()
        table.add_row(f"[bold]{name}")
        for label, row in result["slices"][name].items():
            if "mean_risk" not in row or row["base_rate"] is None:
                table.add_row(label, f"{row['learners']:,}", *[_DASH] * 6)
                continue
            cells = [_figure(row, "auc"), _figure(row, "brier"), _short(row["mean_risk"]), _short(row["base_rate"])]
            told = [_share(row[each]) for each in ("missed", "false_alarms")]
            table.add_row(label, f"{row['learners']:,}", *cells, *told)
    console.print(table)
