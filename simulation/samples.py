"""Samples: a real event log, replayed day by day through the loop, becomes learner-days with labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from actors.loop import Loop
from engine import record
from engine.errors import InputError
from engine.events import Events
from engine.policies import make
from engine.risk import dropoff, fitting
from engine.rules import Rules
from engine.signals import compute, names
from simulation.adapters import event_log

Progress = Callable[[int, int], None]
"""Called with (days done, days in all)."""

_MOST_ROWS = 200_000  # of one log: learner-days are thinned to about this many
_COURSE_LEARNERS = 50  # a course tells its end by its learners only if it has at least this many
_WITNESS_DAYS = dropoff.HORIZON_DAYS + dropoff.SILENT_DAYS  # the coming days that a label looks at
_SILENCE_EVERY_DAYS = 7
_SILENCE_LEARNERS = 200  # learners followed into silence from each of those days


@dataclass(frozen=True)
class Population:
    """One event log to train on.

    Args:
        name: of the log.
        learner_ids: sorted; a learner's number is the place in it.
        events: rows of `engine.events.EVENT`.
        last_day: last local day with data, for each learner; what comes after it is not looked at.
    """

    name: str
    learner_ids: Sequence[str]
    events: Events
    last_day: NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """What the replay of one log brought.

    Args:
        rows: labelled learner-days, of one source.
        silences: (learners, days, signals): what the signals of held-out learners would have been from an active day on
            had they fallen silent on the next.
        standings: learner-days scored, dropped off, and whose label is censored, before thinning.
    """

    rows: fitting.Rows
    silences: NDArray[np.float64]
    standings: dict[str, int]


def last_days(frame: pl.DataFrame, learner_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the last day with data of each learner, in days since 1970-01-01.

    That is the end of the last of the learner's courses, or of the log for what belongs to no course. A course ends
    when nobody does anything in it any more; where it has few learners one could not tell that from their drop-off, so
    it ends with the log. Without this, the end of a course would pass for everyone's drop-off.

    Args:
        frame: an event log.
        learner_ids: of the learners, in the order of the answer.
    """
    days = frame.select(
        "learner_id",
        (pl.col("course_id") if "course_id" in frame.columns else pl.lit(None, pl.String)).alias("course_id"),
        pl.col("occurred_at").dt.epoch("d").cast(pl.Int64).alias("day"),
    )
    end = pl.col("day").max()
    courses = days.filter(pl.col("course_id").is_not_null()).group_by("course_id")
    courses_end = courses.agg(end.alias("end"), pl.col("learner_id").n_unique().alias("learners"))
    ends = (
        days.select("learner_id", "course_id")
        .unique()
        .join(courses_end.filter(pl.col("learners") >= _COURSE_LEARNERS), on="course_id", how="left")
        .with_columns(pl.col("end").fill_null(days["day"].max()))
        .group_by("learner_id")
        .agg(pl.col("end").max())
    )
    by_id = dict(ends.iter_rows())
    return np.array([by_id[learner] for learner in learner_ids], np.int64)


def population(name: str, frame: pl.DataFrame, rules: Rules) -> Population:
    """Return an event log ready to train on."""
    log = event_log.resolve(frame, rules)
    return Population(name, log.learner_ids, log.events, last_days(frame, log.learner_ids))


def sample(log: Population, source: int, rules: Rules, progress: Progress | None = None) -> Sample:
    """Replay a log and take the signals of scored learners at the end of each day, with what became of them.

    Every k-th day of a learner is taken, with k so that a long log gives a bounded number of rows and with an offset
    by learner, so that no weekday is preferred.

    Args:
        log: to replay.
        source: number of the log.
        rules: of the product.
        progress: called after each day.
    """
    first, last = int(log.events["day"].min()), int(log.last_day.max())
    events = log.events[log.events["day"] <= last].copy()
    events["arrived_ms"] = events["occurred_ms"]  # history: what has happened by a day is known at its end
    events = events[np.lexsort((events["occurred_ms"], events["learner"], events["day"]))]
    starts = np.searchsorted(events["day"], np.arange(first, last + 2))
    learners = len(log.learner_ids)
    active = np.zeros((learners, last - first + 1), bool)
    active[events["learner"], events["day"] - first] = True
    found = dropoff.labels(active, log.last_day - first)
    scored = found.eligible & found.known
    if not scored.any():
        expected = f"more than {_WITNESS_DAYS} days of activity, or nothing is known of what became of anyone"
        raise InputError(f"event log {log.name!r}", f"{last - first + 1} days", expected, "Train on a longer log.")
    every = max(1, math.ceil(np.count_nonzero(scored) / _MOST_ROWS))
    hashes = np.array([fitting.stable_hash(learner) for learner in log.learner_ids], np.uint64)
    bucket = (hashes % fitting.BUCKETS).astype(np.int64)
    offset = (hashes // fitting.BUCKETS % every).astype(np.int64)

    loop = Loop(rules, make("none", {}), learners)
    matrices, taken, silences = [], [], []
    for column in range(last - first + 1):
        loop.ingest(events[starts[column] : starts[column + 1]])
        if column % _SILENCE_EVERY_DAYS == 0:
            here = np.flatnonzero(active[:, column] & fitting.held_out(bucket))[:_SILENCE_LEARNERS]
            silences.append(_silence(loop.records[here], first + column, rules))
        loop.close(first + column + 1)
        rows = np.flatnonzero(scored[:, column] & ((column + offset) % every == 0))
        matrices.append(compute(loop.records, rows))
        taken.append(np.stack([rows, np.full(len(rows), column)]))
        if progress is not None:
            progress(column + 1, last - first + 1)
    learner, day = np.concatenate(taken, axis=1)
    table = fitting.Rows(
        names(),
        np.concatenate(matrices),
        found.dropped[learner, day],
        np.full(len(learner), source),
        np.unique(learner * len(active[0]) + day // _WITNESS_DAYS, return_inverse=True)[1],
        bucket[learner],
    )
    inside = np.arange(last - first + 1) <= (log.last_day - first)[:, None]
    started = np.maximum.accumulate(active, axis=1)
    return Sample(
        table,
        np.concatenate(silences),
        {
            "scored": int(np.count_nonzero(found.eligible & inside)),
            "dropped_off": int(np.count_nonzero(started & ~found.eligible & inside)),
            "censored": int(np.count_nonzero(found.eligible & inside & ~found.known)),
        },
    )


def knows_hours(log: Population) -> bool:
    """Return whether a log tells the hour of events: one that knows days only lets each begin at the same minute."""
    order = np.lexsort((log.events["occurred_ms"], log.events["day"], log.events["learner"]))
    events = log.events[order]
    begins = np.ones(len(events), bool)
    begins[1:] = (np.diff(events["day"]) != 0) | (np.diff(events["learner"].astype(np.int64)) != 0)
    return len(np.unique(events["minute"][begins])) > 1


def _silence(records: record.Records, day: int, rules: Rules) -> NDArray[np.float64]:
    """Return the signals of learners who were active on ``day``: at its end, and after each silent day to come."""
    loop = Loop(rules, make("none", {}), len(records))
    everyone = np.arange(len(records))
    loop.records[:] = records
    loop.records["learner"] = everyone
    days = []
    for silent in range(dropoff.SILENT_DAYS):
        loop.close(day + 1 + silent)
        days.append(compute(loop.records, everyone))
    return np.stack(days, axis=1)
