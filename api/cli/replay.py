"""``engage replay``: a real event log through the learner actors."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.table import Table

from actors.directory import by_hash
from actors.spec import ActorSpec
from api.cli.console import Stopwatch, console, output_directory, progress, working_directory, write_json
from api.wiring import RuntimeName, cores, open_runtime
from engine import rules as engine_rules
from engine.calendar import day_number
from engine.risk import model as risk_model
from simulation import replay as driver
from simulation import tables
from simulation.adapters import event_log


def replay(
    events: Annotated[Path, typer.Argument(help="Event log (.parquet, .csv, .ndjson)")],
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Local day as of which all stand")
    ] = None,
    actors: Annotated[int, typer.Option(help="Learner actors; default: the cores but one")] = 0,
    out: Annotated[Path | None, typer.Option(help="Directory for result.json, run.json and learners.parquet")] = None,
    runtime: Annotated[RuntimeName, typer.Option(help="ray: processes; local: all in this one")] = "ray",
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
    model: Annotated[Path | None, typer.Option(help="Risk model; default: the packaged one")] = None,
) -> None:
    """Replay an event log: every learner's XP, level, streak, freezes, achievements and risk."""
    watch = Stopwatch()
    product_rules, risk = engine_rules.load(rules), risk_model.load(model)
    target = output_directory(out)
    log = event_log.resolve(event_log.read(events), product_rules)
    number = actors or max(1, cores() - 1)
    layout = by_hash(log.learner_ids, number)
    specs = [ActorSpec(actor, 0, count, product_rules) for actor, count in enumerate(layout.counts)]
    last = None if until is None else day_number(until.date())
    read_s = watch.seconds()
    with working_directory() as work, open_runtime(runtime, specs, risk, work) as running, progress("events") as tick:
        ready_s = watch.seconds()
        result = driver.replay(log, layout, running, last, tick)
        replayed_s = watch.seconds() - ready_s
    frame = tables.learners(result.learner_ids, result.records, product_rules)
    if target is not None:
        summary = {
            "learners": len(frame),
            "until": tables.date_text(result.until),
            "events": result.verdicts,
            "standings": dict(sorted(frame["standing"].value_counts().iter_rows())),
            "xp": int(frame["xp"].sum()),
            "model": risk.version,
            "digest": result.digest,
        }
        tables.write(target / "learners.parquet", frame)
        write_json(target / "run.json", watch.run_facts(actors=number, runtime=runtime, read_s=round(read_s, 3)))
        write_json(target / "result.json", summary)
    _show(frame, result, replayed_s)


def _show(frame: pl.DataFrame, result: driver.Replay, seconds: float) -> None:
    total = sum(result.verdicts.values())
    console.print(
        f"{total:,} events of {len(frame):,} learners, as of {tables.date_text(result.until)}, "
        f"in {seconds:.1f} s ({total / seconds:,.0f} events a second)"
    )
    console.print("  ".join(f"{name} {number:,}" for name, number in result.verdicts.items() if number))
    table = Table("learner", "XP", "level", "streak", "longest", "freezes", "risk", "standing", title="Most XP")
    for row in frame.sort("xp", "learner_id", descending=[True, False]).head(10).iter_rows(named=True):
        risk = "" if row["risk"] is None else f"{row['risk']:.0f}"
        cells = [row["xp"], row["level_name"], row["streak"], row["longest_streak"], row["freezes"]]
        table.add_row(row["learner_id"], *(str(cell) for cell in cells), risk, row["standing"])
    console.print(table)
    shares = frame["standing"].value_counts(normalize=True, sort=True)
    console.print("  ".join(f"{name} {share:.1%}" for name, share in shares.iter_rows()))
    console.print(f"digest {result.digest}")
