"""``engage train``: fit the risk model on event logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import console, progress
from engine import rules as engine_rules
from simulation import training


def train(
    events: Annotated[list[Path], typer.Argument(help="Event logs (.parquet, .csv, .ndjson)")],
    out: Annotated[Path, typer.Option(help="Model file to write (.json)")],
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
) -> None:
    """Fit a calibrated risk model on event logs and say how good it is on learners it has not seen."""
    with progress("training") as tick:
        report = training.train(events, out, engine_rules.load(rules), tick)
    table = Table("population", "learners", "rows", "base rate", "AUC", "Brier", title="On learners held out")
    for name, row in report["populations"].items():
        table.add_row(
            name,
            f"{row['learners']:,}",
            f"{row['rows']:,}",
            f"{row['base_rate']:.3f}",
            f"{row['auc']:.3f}",
            f"{row['brier']:.4f}",
        )
    console.print(table)
    console.print(f"Model written to {out}")
