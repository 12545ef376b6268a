"""``engage dataset``: turn a public data set into an event log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import console, output_file
from simulation import adapters
from simulation.adapters import event_log


def dataset(
    name: Annotated[str, typer.Argument(help="platform365, oulad or kddcup2015")],
    source_dir: Annotated[Path, typer.Argument(help="Directory with the data set's files")],
    out: Annotated[Path, typer.Option(help="Event log to write: .parquet, .csv or .ndjson")],
) -> None:
    """Turn a public data set into an event log that every other command reads."""
    adapter = adapters.adapter(name)
    event_log.format_of(output_file(out))
    frame = adapter.convert(source_dir)
    event_log.write(frame, out)
    first, last = frame["occurred_at"].dt.date().min(), frame["occurred_at"].dt.date().max()
    learners = frame["learner_id"].n_unique()
    console.print(f"{out}: {len(frame):,} events of {learners:,} learners, {first!s} to {last!s}")
