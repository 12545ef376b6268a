"""Logs to learn from: an event log with the end of everyone's data, replayed day by day through the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from actors.loop import Loop
from engine.calendar import MS_PER_DAY, MS_PER_MINUTE
from engine.events import Events
from engine.policies import make
from engine.risk import dropoff
from engine.rules import Rules
from simulation.adapters import event_log

Progress = Callable[[int, int], None]
"""Called with (days done, days in all)."""

_COURSE_LEARNERS = 50  # a course tells its end by its learners only if it has at least this many


@dataclass(frozen=True)
class Population:
    """One event log to train or judge on.

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


def last_days(frame: pl.DataFrame, log: event_log.ResolvedLog) -> NDArray[np.int64]:
    """Return the last day with data of each learner, in days since 1970-01-01.

    That is the end of the last of the learner's courses, or of the log for what belongs to no course. A course ends
    when nobody does anything in it any more; where it has few learners one could not tell that from their drop-off, so
    it ends with the log. Without this, the end of a course would pass for everyone's drop-off.

    Args:
        frame: an event log.
        log: the same resolved, row by row: local days, and the learners in the order of the answer.
    """
    days = frame.select(
        "learner_id",
        (pl.col("course_id") if "course_id" in frame.columns else pl.lit(None, pl.String)).alias("course_id"),
        pl.Series("day", log.events["day"].astype(np.int64)),
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
    return np.array([by_id[learner] for learner in log.learner_ids], np.int64)


def population(name: str, frame: pl.DataFrame, rules: Rules) -> Population:
    """Return an event log ready to train or judge on.

    An event is known when it arrives. Where a log does not say when that was, it is a history, of which is known at the
    end of a day what has happened by then.
    """
    log = event_log.resolve(frame, rules)
    if "arrived_at" not in frame.columns or frame["arrived_at"].null_count() == len(frame):
        log.events["arrived_ms"] = log.events["occurred_ms"]
    return Population(name, log.learner_ids, log.events, last_days(frame, log))


@dataclass(frozen=True)
class Days:
    """What became of everyone on each day of a log.

    Args:
        first: the first local day.
        active: (learners, days), whether the learner did anything.
        labels: of the same shape.
    """

    first: int
    active: NDArray[np.bool_]
    labels: dropoff.Labels


def days_of(log: Population) -> Days:
    """Return who was active on which day, and who dropped off."""
    first, last = int(log.events["day"].min()), int(log.last_day.max())
    active = np.zeros((len(log.learner_ids), last - first + 1), bool)
    events = log.events[log.events["day"] <= last]
    active[events["learner"], events["day"] - first] = True
    return Days(first, active, dropoff.labels(active, log.last_day - first))


def replayed(
    log: Population, rules: Rules, until: int | None = None, progress: Progress | None = None
) -> Iterator[tuple[int, Loop]]:
    """Yield each day and the loop as it stands at the day's end, when what had arrived by then is folded.

    Args:
        log: to replay.
        rules: of the product.
        until: last local day to yield; default: the log's.
        progress: called after each day.
    """
    first, last = int(log.events["day"].min()), int(log.last_day.max()) if until is None else until
    known = np.maximum(log.events["day"], _arrival_days(log.events))
    order = np.lexsort((log.events["occurred_ms"], log.events["learner"], known))
    events = log.events[order]
    starts = np.searchsorted(known[order], np.arange(first, last + 2))
    loop = Loop(rules, make("none", {}), len(log.learner_ids))
    for day in range(first, last + 1):
        loop.ingest(events[starts[day - first] : starts[day - first + 1]])
        loop.close(day + 1)
        yield day, loop
        if progress is not None:
            progress(day - first + 1, last - first + 1)


def _arrival_days(events: Events) -> NDArray[np.int64]:
    """Return the local day on which each event arrived, by the clock that it happened by."""
    local_ms = events["day"].astype(np.int64) * MS_PER_DAY + events["minute"].astype(np.int64) * MS_PER_MINUTE
    ahead_ms = local_ms - events["occurred_ms"] // MS_PER_MINUTE * MS_PER_MINUTE
    days: NDArray[np.int64] = (events["arrived_ms"] + ahead_ms) // MS_PER_DAY
    return days


def knows_hours(log: Population) -> bool:
    """Return whether a log tells the hour of events: one that knows days only lets each begin at the same minute."""
    order = np.lexsort((log.events["occurred_ms"], log.events["day"], log.events["learner"]))
    events = log.events[order]
    begins = np.ones(len(events), bool)
    begins[1:] = (np.diff(events["day"]) != 0) | (np.diff(events["learner"].astype(np.int64)) != 0)
    return len(np.unique(events["minute"][begins])) > 1
