"""The decision log as a table, with named columns and no codes, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.errors import InputError, did_you_mean
from engine.notifications.catalogue import catalogue
from engine.policies.base import NOTHING_BIT
from engine.policies.decisions import DECISION, REWARD_DAYS, UNKNOWN
from engine.policies.features import NAMES, ONE
from engine.rules import Rules
from simulation.tables import dates, standing_names

NOTHING = "nothing"
_REWARDS = tuple(f"active_{days}" for days in REWARD_DAYS)
_FEATURES = tuple(f"feature_{name}" for name in NAMES)


def schema() -> dict[str, Any]:
    """Return the columns of the table with their types, in order."""
    types = catalogue().names
    return {
        "arm": pl.String,
        "learner": pl.UInt32,  # number
        "day": pl.Date,  # local
        "risk": pl.Float64,  # 0-100, null = not scored
        "standing": pl.String,
        "eligible": pl.List(pl.String),
        "possible": pl.List(pl.String),  # choices that had a chance, "nothing" among them
        "chosen": pl.String,  # null = nothing
        "sent": pl.String,  # null = nothing reached the learner
        "propensity": pl.Float64,
        **dict.fromkeys(_REWARDS, pl.Int8),  # active days of the next 1, 3, 7, today included; null = not known yet
        **dict.fromkeys(_FEATURES, pl.Float32),  # 0-1, see engine.policies.features
        **dict.fromkeys((f"rested_{name}" for name in types), pl.UInt8),  # days since this type was sent; 255 = longer
    }


def to_table(logs: Sequence[NDArray[Any]], arm_ids: Sequence[str], rules: Rules) -> pl.DataFrame:
    """Return the decision logs of some arms, one after another.

    Args:
        logs: rows of `DECISION` for each arm.
        arm_ids: the arms.
        rules: for the names of the standings.
    """
    frames = [to_frame(log, [arm] * len(log), rules) for log, arm in zip(logs, arm_ids, strict=True)]
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema())


def to_frame(log: NDArray[Any], arms: Sequence[str], rules: Rules) -> pl.DataFrame:
    """Return one decision log as a table.

    Args:
        log: rows with the fields of `DECISION`.
        arms: whose decision each row is.
        rules: for the names of the standings.
    """
    types, standings = catalogue().names, standing_names(rules)
    kinds = [*types, None]  # -1 is the last: nothing
    columns: dict[str, Any] = {
        "arm": list(arms),
        "learner": log["learner"],
        "day": dates(log["day"]),
        "risk": log["risk"],
        "standing": [standings[code] for code in log["standing"].tolist()],
        "eligible": _names(log["eligible"], types),
        "possible": _names(log["possible"], types),
        "chosen": [kinds[code] for code in log["chosen"].tolist()],
        "sent": [kinds[code] for code in log["sent"].tolist()],
        "propensity": log["propensity"],
        **{name: pl.Series(log[name]).replace(UNKNOWN, None) for name in _REWARDS},
        **{name: log["features"][:, place] / np.float32(ONE) for place, name in enumerate(_FEATURES)},
        **{f"rested_{name}": log["rested_days"][:, code] for code, name in enumerate(types)},
    }
    return pl.DataFrame(columns, schema=schema(), nan_to_null=True)


def _names(sets: NDArray[Any], types: Sequence[str]) -> list[list[str]]:
    """Return the names in each set of types; a set's name lists are made once."""
    distinct, which = np.unique(sets, return_inverse=True)
    named = [
        [name for code, name in enumerate(types) if bits >> code & 1] + [NOTHING] * (bits >> NOTHING_BIT & 1)
        for bits in distinct.tolist()
    ]
    return [named[place] for place in which.tolist()]


def read(path: Path, arm: str | None, rules: Rules) -> NDArray[Any]:
    """Return the log of one arm, rows of `DECISION` by day and learner.

    Args:
        path: of a Parquet file that `to_table` made.
        arm: which arm's; None = there is one only.
        rules: for the names of the standings.

    Raises:
        InputError: no such file or arm, or a column that is missing or holds what it cannot.
    """
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"decision log {path}", str(error).split("\n")[0], "a Parquet file of decisions") from None
    if missing := [name for name in schema() if name not in table.columns]:
        raise InputError(f"decision log {path}", f"no column {missing[0]!r}", f"columns {', '.join(schema())}")
    arms = table["arm"].unique().sort().to_list()
    if arm is None and len(arms) != 1:
        raise InputError(f"decision log {path}", f"arms {', '.join(arms) or 'none'}", "one arm", "Name it with --arm.")
    if arm is not None and arm not in arms:
        raise InputError(f"decision log {path}", f"arm {arm!r}", "an arm of the log", did_you_mean(arm, arms))
    table = table.filter(pl.col("arm") == arm) if arm else table
    try:
        return _log(table.select(list(schema())).cast(pl.Schema(schema())).sort("day", "learner"), rules)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"decision log {path}", str(error).split("\n")[0], "the columns' own types") from None


def _log(table: pl.DataFrame, rules: Rules) -> NDArray[Any]:
    types = catalogue().names
    codes = {name: code for code, name in enumerate(types)}
    standings = {name: code for code, name in enumerate(standing_names(rules))}
    log = np.zeros(len(table), DECISION)
    for name in ("learner", "propensity"):
        log[name] = table[name].to_numpy()
    log["day"] = table["day"].cast(pl.Int32).to_numpy()
    log["risk"] = table["risk"].fill_null(np.nan).to_numpy()
    log["standing"] = table["standing"].replace_strict(standings, return_dtype=pl.UInt8).to_numpy()
    for name in ("chosen", "sent"):
        log[name] = table[name].replace_strict(codes, return_dtype=pl.Int8).fill_null(-1).to_numpy()
    for name in ("eligible", "possible"):
        log[name] = _bits(table[name], {**codes, NOTHING: NOTHING_BIT})
    for name in _REWARDS:
        log[name] = table[name].fill_null(UNKNOWN).to_numpy()
    log["features"] = np.rint(table.select(_FEATURES).to_numpy() * ONE)
    log["rested_days"] = 255
    log["rested_days"][:, : len(types)] = table.select(f"rested_{name}" for name in types).to_numpy()
    return log


def _bits(names: pl.Series, places: dict[str, int]) -> NDArray[np.uint32]:
    values = {name: 1 << place for name, place in places.items()}
    bits = names.list.eval(pl.element().replace_strict(values, return_dtype=pl.UInt32)).list.sum()
    return bits.fill_null(0).to_numpy().astype(np.uint32)
