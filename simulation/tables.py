"""Tables for people and notebooks: learners and daily metrics as Polars frames with plain columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.calendar import date_of
from engine.record import NEVER, WALK, Records, column
from engine.risk.dropoff import STANDINGS
from engine.rules import Rules

_WALK_COLUMNS = [name for name in WALK.names or () if name not in ("milestones", "last_ms")]
_PLAIN_COLUMNS = ("active_days", "qualifying_days", "late_events", "xp_day", "xp_week", "risk", "confidence")


def write(path: Path, frame: pl.DataFrame) -> None:
    """Write a Parquet file whole: under another name first, then renamed."""
    draft = path.with_name(f".{path.name}.draft")
    frame.write_parquet(draft)
    draft.replace(path)


def standing_names(rules: Rules) -> list[str]:
    """Return the names of all standings by code: the bands, then those beyond them."""
    return [*(band.name for band in rules.bands), *STANDINGS]


def learners(learner_ids: Sequence[str], records: Records, rules: Rules) -> pl.DataFrame:
    """Return one row a learner: XP, level, streak, freezes, achievements, risk, standing and lifetime totals."""
    names = np.array(standing_names(rules))
    badges = [badge.id for badge in rules.achievements]
    totals = records["totals"]
    columns: dict[str, Any] = {"learner_id": list(learner_ids)}
    columns |= {name: column(records, f"view.{name}") for name in _WALK_COLUMNS}
    columns["level_name"] = np.array([level.name for level in rules.levels])[records["view"]["level"] - 1]
    columns |= {name: records[name] for name in _PLAIN_COLUMNS}
    columns["standing"] = names[records["standing"]]
    columns["first_day"] = dates(records["first_day"])
    columns["as_of"] = dates(records["as_of"])
    columns["achievements"] = [
        [badge for place, badge in enumerate(badges) if (bits >> place) & 1]
        for bits in records["achievements"].tolist()
    ]
    for place, days in enumerate(rules.streak.milestones):
        columns[f"milestone_{days}"] = records["view"]["milestones"][:, place]
    columns |= {f"total_{action}": totals[:, code] for action, code in rules.codes.items()}
    return pl.DataFrame(columns, nan_to_null=True)


def dates(days: NDArray[Any]) -> pl.Series:
    """Return local days as dates; `NEVER` is null."""
    numbers = pl.Series(days.astype(np.int32))
    return numbers.set(numbers == NEVER, None).cast(pl.Date)


def date_text(day: int) -> str:
    """Return a local day as an ISO date."""
    return date_of(day).isoformat()
