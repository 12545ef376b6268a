"""Samples: a real event log, replayed day by day through the loop, becomes learner-days with labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.loop import Loop
from engine import record
from engine.errors import InputError
from engine.policies import make
from engine.risk import dropoff
from engine.risk.rows import BUCKETS, Rows, held_out, stable_hash
from engine.rules import Rules
from engine.signals import compute, names
from simulation.logs import Population, Progress, days_of, replayed

MOST_ROWS = 200_000
"""Learner-days of one log to learn from: of more, every k-th of each learner is taken."""
_SILENCE_EVERY_DAYS = 7
_SILENCE_LEARNERS = 200  # learners followed into silence from each of those days


@dataclass(frozen=True)
class Sample:
    """What the replay of one log brought.

    Args:
        rows: labelled learner-days, of one source.
        silences: (learners, days, signals): what the signals of held-out learners would have been from an active day on
            had they fallen silent on the next.
        standings: learner-days scored, dropped off, and whose label is censored, before thinning.
    """

    rows: Rows
    silences: NDArray[np.float64]
    standings: dict[str, int]


def thinning(learner_ids: Sequence[str], rows: int) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Return every which of a learner's days is taken, and by learner an offset to it and the bucket.

    A long log gives a bounded number of rows, and the offset prefers no weekday.

    Args:
        learner_ids: of all learners.
        rows: learner-days that there are.
    """
    every = max(1, math.ceil(rows / MOST_ROWS))
    hashes = np.array([stable_hash(learner) for learner in learner_ids], np.uint64)
    return every, (hashes // BUCKETS % every).astype(np.int64), (hashes % BUCKETS).astype(np.int64)


def sample(log: Population, source: int, rules: Rules, progress: Progress | None = None) -> Sample:
    """Replay a log and take the signals of scored learners at the end of each day, with what became of them.

    Args:
        log: to replay.
        source: number of the log.
        rules: of the product.
        progress: called after each day.

    Raises:
        InputError: the log is too short for anyone's label to be known.
    """
    days = days_of(log)
    active, found = days.active, days.labels
    scored = found.eligible & found.known
    if not scored.any():
        least = dropoff.HORIZON_DAYS + dropoff.SILENT_DAYS
        expected = f"more than {least} days of activity, or nothing is known of what became of anyone"
        raise InputError(f"event log {log.name!r}", f"{active.shape[1]} days", expected, "Take a longer log.")
    every, offset, bucket = thinning(log.learner_ids, int(np.count_nonzero(scored)))

    matrices, taken, silences = [], [], []
    for day, loop in replayed(log, rules, progress=progress):
        column = day - days.first
        if column % _SILENCE_EVERY_DAYS == 0:
            here = np.flatnonzero(active[:, column] & held_out(bucket))[:_SILENCE_LEARNERS]
            silences.append(_silence(loop.records[here], day, rules))
        rows = np.flatnonzero(scored[:, column] & ((column + offset) % every == 0))
        matrices.append(compute(loop.records, rows))
        taken.append(np.stack([rows, np.full(len(rows), column)]))
    learner, column_of = np.concatenate(taken, axis=1)
    table = Rows(
        names(),
        np.concatenate(matrices),
        found.dropped[learner, column_of],
        np.full(len(learner), source),
        learner,
        days.first + column_of,
        bucket[learner],
    )
    inside = np.arange(active.shape[1]) <= (log.last_day - days.first)[:, None]
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
