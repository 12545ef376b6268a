"""Tables for people and notebooks: learners, decisions and daily metrics as Polars frames with plain columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.calendar import date_of
from engine.notifications.catalogue import catalogue
from engine.record import NEVER, WALK, Records, column
from engine.risk.dropoff import STANDINGS
from engine.rules import Rules

_WALK_COLUMNS = [name for name in WALK.names or () if name not in ("milestones", "last_ms")]
_PLAIN_COLUMNS = ("active_days", "qualifying_days", "late_events", "xp_day", "xp_week", "risk", "confidence")

_DECISION_TEXTS: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("arm", "standing", "chosen", "sent"), pl.String),
    "eligible": pl.List(pl.String),
}  # said, because an arm may have no decisions


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
    columns["first_day"] = _dates(records["first_day"])
    columns["as_of"] = _dates(records["as_of"])
    columns["achievements"] = [
        [badge for place, badge in enumerate(badges) if (bits >> place) & 1]
        for bits in records["achievements"].tolist()
    ]
    for place, days in enumerate(rules.streak.milestones):
        columns[f"milestone_{days}"] = records["view"]["milestones"][:, place]
    columns |= {f"total_{action}": totals[:, code] for action, code in rules.codes.items()}
    return pl.DataFrame(columns, nan_to_null=True)


def _dates(days: NDArray[Any]) -> pl.Series:
    numbers = pl.Series(days.astype(np.int32))
    return numbers.set(numbers == NEVER, None).cast(pl.Date)


def decisions(logs: Sequence[NDArray[Any]], arm_ids: Sequence[str], rules: Rules) -> pl.DataFrame:
    """Return the decision log of the first replication, arms one after another.

    Columns: arm, learner (number), day (local date), risk, standing, eligible (names), chosen and sent (name or null),
    propensity of the choice.
    """
    kinds = [*catalogue().names, None]  # -1 is the last: nothing
    standings = standing_names(rules)
    names_of = [
        [name for code, name in enumerate(catalogue().names) if (bits >> code) & 1]
        for bits in range(1 << len(catalogue().names))
    ]
    parts = []
    for arm, log in zip(arm_ids, logs, strict=True):
        columns = {
            "arm": [arm] * len(log),
            "learner": log["learner"],
            "day": _dates(log["day"]),
            "risk": log["risk"],
            "standing": [standings[code] for code in log["standing"].tolist()],
            "eligible": [names_of[bits] for bits in log["eligible"].tolist()],
            "chosen": [kinds[code] for code in log["chosen"].tolist()],
            "sent": [kinds[code] for code in log["sent"].tolist()],
            "propensity": log["propensity"],
        }
        parts.append(pl.DataFrame(columns, schema_overrides=_DECISION_TEXTS, nan_to_null=True))
    return pl.concat(parts)


def date_text(day: int) -> str:
    """Return a local day as an ISO date."""
    return date_of(day).isoformat()
