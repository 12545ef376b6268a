"""Training: real event logs, replayed day by day through the loop, become learner-days with labels, then a risk model."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from actors.loop import Loop
from engine import record
from engine.errors import InputError
from engine.events import Events
from engine.policies import make
from engine.risk import dropoff, fitting, quality
from engine.risk.model import LinearRisk
from engine.rules import Rules
from engine.signals import compute, names
from simulation.adapters import event_log

Progress = Callable[[int, int], None]
"""Called with (days done, days in all)."""

_MOST_ROWS = 200_000  # of one log: learner-days are thinned to about this many
_COURSE_LEARNERS = 50  # a course tells its end by its learners only if it has at least this many
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
    every = max(1, math.ceil(np.count_nonzero(scored) / _MOST_ROWS))
    bucket = np.array([fitting.bucket_of(learner) for learner in log.learner_ids], np.int64)
    offset = np.array([_offset(learner, every) for learner in log.learner_ids], np.int64)

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
        learner,
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


def _offset(learner_id: str, every: int) -> int:
    return int.from_bytes(hashlib.sha256(learner_id.encode()).digest()[8:16], "big") % every


def _silence(records: record.Records, day: int, rules: Rules) -> NDArray[np.float64]:
    """Return the signals of learners who were active on ``day``, at its end and after each of the silent days to come."""
    loop = Loop(rules, make("none", {}), len(records))
    everyone = np.arange(len(records))
    loop.records[:] = records
    loop.records["learner"] = everyone
    days = []
    for silent in range(dropoff.SILENT_DAYS):
        loop.close(day + 1 + silent)
        days.append(compute(loop.records, everyone))
    return np.stack(days, axis=1)


def fit(
    logs: Sequence[Population], rules: Rules, progress: Progress | None = None
) -> tuple[LinearRisk, dict[str, Any]]:
    """Fit a risk model on event logs, each log weighing the same.

    Args:
        logs: to train on.
        rules: of the product.
        progress: called with (days done, days in all), over all logs.

    Returns:
        the model, its ``about`` filled; what stands there under ``held_out``: measures on learners it never saw.

    Raises:
        EngageError: see `engine.risk.fitting.fit`.
    """
    lengths = [int(log.last_day.max()) - int(log.events["day"].min()) + 1 for log in logs]
    samples = []
    for source, log in enumerate(logs):
        before = sum(lengths[:source])
        step = None if progress is None else _shifted(progress, before, sum(lengths))
        samples.append(sample(log, source, rules, step))
    rows = _together(samples)
    model, _pipeline = fitting.fit(rows)
    log_names = [log.name for log in logs]
    held_out = quality.by_source(model, rows.judged_on, log_names)
    for name, found in zip(log_names, samples, strict=True):
        held_out[name]["silence"] = _silence_risk(model, found.silences)
    about = {
        **model.about,
        "trained_on": [_describe(log, found) for log, found in zip(logs, samples, strict=True)],
        "held_out": held_out,
        "standings": {
            name: _shares(model, rows.where(rows.source == source), found, rules)
            for source, (name, found) in enumerate(zip(log_names, samples, strict=True))
        },
    }
    return replace(model, about=about), held_out


def train(event_files: Sequence[Path], out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, Any]:
    """Fit a risk model on event log files and write it.

    Args:
        event_files: event logs, Parquet, CSV or NDJSON.
        out: the model's file.
        rules: of the product.
        progress: called with (days done, days in all), over all logs.

    Returns:
        measures on held-out learners, by log and pooled.
    """
    logs = [population(file.stem, event_log.read(file), rules) for file in event_files]
    repeated = sorted({log.name for log in logs if [other.name for other in logs].count(log.name) > 1})
    if repeated:
        raise InputError("event logs", f"two named {repeated[0]!r}", "file names that tell them apart")
    model, held_out = fit(logs, rules, progress)
    model.save(out)
    return held_out


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _days: progress(before + done, total)


def _together(samples: Sequence[Sample]) -> fitting.Rows:
    """Return the rows of all logs, learners numbered on from one to the next."""
    tables = [found.rows for found in samples]
    shift = np.cumsum([0] + [int(table.learner.max(initial=-1)) + 1 for table in tables])
    learner = np.concatenate([table.learner + shift[place] for place, table in enumerate(tables)])
    columns = [
        np.concatenate([getattr(table, name) for table in tables]) for name in ("matrix", "dropped", "source", "bucket")
    ]
    matrix, dropped, source, bucket = columns
    return fitting.Rows(tables[0].signals, matrix, dropped, source, learner, bucket)


def _describe(log: Population, found: Sample) -> dict[str, Any]:
    epoch = date(1970, 1, 1)
    return {
        "name": log.name,
        "learners": len(log.learner_ids),
        "events": len(log.events),
        "first_day": str(epoch + timedelta(days=int(log.events["day"].min()))),
        "last_day": str(epoch + timedelta(days=int(log.last_day.max()))),
        "learner_days_used": len(found.rows),
    }


def _silence_risk(model: LinearRisk, silences: NDArray[np.float64]) -> dict[str, Any]:
    """Return how risk moves as learners who were active fall silent, by the clock alone."""
    learners, days, width = silences.shape
    risk = model.score(silences.reshape(-1, width))[:, 0].reshape(learners, days)
    steps = np.diff(risk, axis=1)
    return {
        "learners": learners,
        "mean_risk_by_silent_day": [float(value) for value in risk.mean(axis=0)],
        "share_of_days_risen": float((steps > 0).mean()) if learners else None,
        "share_of_days_fallen": float((steps < 0).mean()) if learners else None,
    }


def _shares(model: LinearRisk, rows: fitting.Rows, found: Sample, rules: Rules) -> dict[str, float]:
    """Return the share of learner-days in each standing, from a learner's first active day on."""
    risk = model.score(rows.matrix)[:, 0]
    band = (risk[:, None] < rules.band_starts).sum(axis=1)
    counts = np.bincount(band, minlength=len(rules.bands))
    total = found.standings["scored"] + found.standings["dropped_off"]
    shares = {entry.name: float(counts[place] / len(rows)) for place, entry in enumerate(rules.bands)}
    scored = found.standings["scored"] / total
    return {**{f"{name}": share * scored for name, share in shares.items()}, "dropped_off": 1 - scored}
