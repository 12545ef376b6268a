"""Kept scorings: what a service knew of its learners each day, with what became of them since, to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from engine.errors import InputError
from engine.risk import dropoff
from engine.risk.challenge import LATER_DAYS
from engine.risk.rows import Rows
from engine.signals import names
from simulation.samples import thinning

EVENT_COLUMNS = ("learner_id", "local_day", "verdict")
"""Of a table of events, those that are looked at."""
_SCORING_COLUMNS = ("learner_id", "day", "signals_day")
_RECENT_DAYS = 2 * LATER_DAYS + dropoff.HORIZON_DAYS + dropoff.SILENT_DAYS  # days to judge on, and as many to fit on
_KNOWN = 0.9  # share of recent scorings that tell a signal which is learnt from


def scoring_columns() -> tuple[str, ...]:
    """Return those columns of a table of daily scorings that are looked at."""
    return *_SCORING_COLUMNS, *names()


def rows_of(signals: Path, events: Path) -> Rows:
    """Return the daily scorings whose learners' next weeks are known.

    The signals are those of that day, not what today's code would make of the journal. Which of them a service keeps
    may change: those are taken that nearly all recent scorings tell, and the scorings that tell all of these.

    Args:
        signals: table of daily scorings, as `engage export signals` writes it.
        events: table of events, as `engage export events` writes it, from the same journals.

    Raises:
        InputError: there is no scoring yet whose learner's next weeks are known, or they tell no signal.
    """
    told = pl.scan_parquet(signals)
    scored = told.select(_SCORING_COLUMNS).with_row_index("at").collect()
    # A learner who was active before a day's scoring is told of twice at the same day's end: the later one knows all.
    newest = scored.unique(["learner_id", "signals_day"], keep="last", maintain_order=True)
    ids = newest["learner_id"].unique().sort()
    learner = newest["learner_id"].replace_strict(ids, np.arange(len(ids)), return_dtype=pl.Int64).to_numpy()
    day = newest["signals_day"].cast(pl.Int32).to_numpy().astype(np.int64)
    first, last = (
        (int(day.min()), int(day.max()) - 1) if len(day) else (0, 0)
    )  # the newest day has not ended everywhere
    active = _active(events, ids, first, last)
    found = dropoff.labels(active)
    column = np.clip(day - first, 0, active.shape[1] - 1)
    usable = (day <= last) & found.eligible[learner, column] & found.known[learner, column]
    if not usable.any():
        least = dropoff.HORIZON_DAYS + dropoff.SILENT_DAYS
        got = f"{len(day)} daily scorings over {last - first + 1} days"
        raise InputError("daily scorings", got, f"some that are {least} days old or more", "Wait until they are.")
    every, offset, bucket = thinning(ids.to_list(), int(np.count_nonzero(usable)))
    taken = np.flatnonzero(usable & ((column + offset[learner]) % every == 0))
    wanted = newest["at"].gather(taken)
    table = told.with_row_index("at").filter(pl.col("at").is_in(wanted.implode())).collect()
    table = table[np.argsort(np.argsort(wanted.to_numpy()))]  # in the order of ``taken``
    recent = day[taken] > day[taken].max() - _RECENT_DAYS
    told_of = (name for name in names() if name in table.columns)
    known = [name for name in told_of if table[name].is_not_null().to_numpy()[recent].mean() >= _KNOWN]
    if not known:
        raise InputError("daily scorings", "no signal that nearly all recent ones tell", "some", "Wait some weeks.")
    table = table.select(known)
    whole = table.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()
    table, taken = table.filter(whole), taken[whole]
    return Rows(
        tuple(known),
        table.to_numpy().astype(np.float64),
        found.dropped[learner[taken], column[taken]],
        np.zeros(len(taken), np.int64),
        learner[taken],
        day[taken],
        bucket[learner[taken]],
    )


def began(events: Path) -> dict[str, int]:
    """Return the first local day of each learner, days since 1970-01-01, as the exported events' own log tells it.

    Args:
        events: table of events, as `engage export events` writes it.
    """
    first = pl.scan_parquet(events).group_by("learner_id").agg(pl.col("local_day").cast(pl.Int32).min()).collect()
    return dict(first.iter_rows())


def _active(events: Path, ids: pl.Series, first: int, last: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return (learners, days): who was active on which local day."""
    days = (
        pl.scan_parquet(events)
        .filter(pl.col("verdict") == "full", pl.col("learner_id").is_in(ids.implode()))
        .select("learner_id", pl.col("local_day").cast(pl.Int32).alias("day"))
        .filter(pl.col("day").is_between(first, last))
        .unique()
        .collect()
    )
    active = np.zeros((len(ids), max(last - first + 1, 1)), bool)
    who = days["learner_id"].replace_strict(ids, np.arange(len(ids)), return_dtype=pl.Int64).to_numpy()
    active[who, days["day"].to_numpy() - first] = True
    return active
