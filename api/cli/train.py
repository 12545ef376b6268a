"""``engage train``: fit the risk model on event logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import console, output_file, progress
from engine import rules as engine_rules
from simulation import training


def train(
    events: Annotated[list[Path], typer.Argument(help="Event logs (.parquet, .csv, .ndjson)")],
    out: Annotated[Path, typer.Option(help="Model file to write (.json)")],
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
) -> None:
    """Fit a calibrated risk model on event logs and say how good it is on learners it has not seen."""
    with progress("training") as tick:
        report = training.train(events, output_file(out), engine_rules.load(rules), tick)
    figures = ("base_rate", "auc", "average_precision", "brier", "calibration_slope")
    table = Table("population", "learner-days", *figures, title="On learners held out")
    for name, row in report.items():
        table.add_row(name, f"{row['learner_days']:,}", *(f"{row[figure]:.3f}" for figure in figures))
    console.print(table)
    console.print(f"Model written to {out}")
