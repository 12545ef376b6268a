"""Rows: scored learner-days with their labels, and on which side of the split each learner is.

Learners are split by a stable hash of their id. No learner is on two sides, because days of one learner resemble each
other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.calendar import date_of
from engine.errors import EngageError
from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS

BUCKETS = 100
_WITNESS_DAYS = HORIZON_DAYS + SILENT_DAYS  # the coming days that a label looks at
_JUDGE_FROM = 80  # buckets below are fitted on; the others judged on

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Scored learner-days with their labels.

    Args:
        signals: names of the columns of ``matrix``.
        matrix: (rows, signals).
        dropped: the label of each row.
        source: number of the event log each row comes from, 0, 1, ...
        learner: number of the learner of each row, unique over all logs.
        day: at whose end the signals were taken, days since 1970-01-01.
        bucket: `stable_hash` of the learner's id modulo `BUCKETS`: on which side of the split the learner is.
    """

    signals: tuple[str, ...]
    matrix: Numbers
    dropped: Flags
    source: NDArray[np.int64]
    learner: NDArray[np.int64]
    day: NDArray[np.int64]
    bucket: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.dropped)

    def where(self, keep: Flags) -> Rows:
        """Return some of the rows."""
        return Rows(
            self.signals,
            self.matrix[keep],
            self.dropped[keep],
            self.source[keep],
            self.learner[keep],
            self.day[keep],
            self.bucket[keep],
        )

    @property
    def fitted_on(self) -> Rows:
        """The rows of learners to fit on."""
        return self.where(~held_out(self.bucket))

    @property
    def judged_on(self) -> Rows:
        """The rows of learners who are held out."""
        return self.where(held_out(self.bucket))

    def reading(self, signals: Sequence[str]) -> Rows:
        """Return the rows with these signals alone, in this order.

        Raises:
            EngageError: they lack some of them.
        """
        if missing := [name for name in signals if name not in self.signals]:
            remedy = "Wait until they have been kept for some weeks, or train on logs that tell them."
            raise EngageError("signals to read", f"rows without {', '.join(missing)}", "all of them", remedy)
        columns = [self.signals.index(name) for name in signals]
        return replace(self, signals=tuple(signals), matrix=self.matrix[:, columns])

    def reach(self) -> list[dict[str, Any]]:
        """Return what whoever is fitted on the rows has seen of each log, in plain words for the model's file.

        That is learners of buckets below one, and days until the last that a label looks at.
        """
        found = []
        for source in range(int(self.source.max(initial=-1)) + 1):
            mine = self.source == source
            until = int(self.day[mine].max(initial=0)) + _WITNESS_DAYS - 1
            found.append({
                "buckets_below": int(self.bucket[mine].max(initial=-1)) + 1, "until": str(date_of(until))
            })  # fmt: skip
        return found

    def witness_weights(self) -> Numbers:
        """Return weights that add up to the effective number of witnesses (Kish), not of rows.

        The labels of a learner's neighbouring days look at the same coming days, so they are one witness and not many:
        an interval that counted each would be far too narrow.
        """
        weights = self.weights()
        windows = np.stack([self.learner, self.day // _WITNESS_DAYS], axis=1)
        by_witness = np.bincount(np.unique(windows, axis=0, return_inverse=True)[1].ravel(), weights)
        effective = by_witness.sum() ** 2 / (by_witness**2).sum()
        return np.asarray(weights * (effective / weights.sum()))

    def weights(self) -> Numbers:
        """Return a weight for each row, 1 on average, so that every log weighs the same however long it is."""
        counts = np.bincount(self.source)
        present = np.count_nonzero(counts)
        return np.asarray(len(self) / present / counts[self.source], np.float64)


def held_out(bucket: NDArray[np.int64]) -> Flags:
    """Return whether learners of these buckets are held out of fitting."""
    return bucket >= _JUDGE_FROM


def stable_hash(learner_id: str) -> int:
    """Return a number below 2^64 that depends on the learner's id alone."""
    return int.from_bytes(hashlib.sha256(learner_id.encode()).digest()[:8], "big")
