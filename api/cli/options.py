"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.place import URL_VARIABLE

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
DATA = Path("engage-data")
