"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.place import URL_VARIABLE
from engine.errors import InputError
from engine.experiments.campaigns import Campaign, read_campaigns, standard

Data = Annotated[
    Path, typer.Option(envvar="ENGAGE_DATA", help="Directory of the service: its database, secrets and snapshots")
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar=URL_VARIABLE,
        help="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; default: an SQLite file in the data directory",
    ),
]
CampaignFile = Annotated[
    Path | None,
    typer.Option("--campaigns", help="File of campaigns; default: streaks, celebrations and retention"),
]
RetentionPolicy = Annotated[
    str | None, typer.Option("--policy", help="Of the default campaign for retention; default: at_risk")
]
DATA = Path("engage-data")


def campaigns_of(file: Path | None, policy: str | None) -> tuple[Campaign, ...]:
    """Return the campaigns that options name.

    Raises:
        InputError: both are given, or one is wrong.
    """
    if file is not None and policy is not None:
        raise InputError("--policy", repr(policy), "none beside --campaigns", "Name it in the file.")
    return standard(policy or "at_risk") if file is None else read_campaigns(file)
