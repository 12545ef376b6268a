"""Fitting: scikit-learn's logistic regression on standardised signals, then a tabulated Venn-Abers calibration.

Learners are split by a stable hash of their id: most to fit on, some to calibrate on, some to judge on. No learner is
on two sides, because days of one learner resemble each other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from engine.errors import EngageError
from engine.risk.model import LinearRisk, Numbers

BUCKETS = 100
_CALIBRATE_FROM, _JUDGE_FROM = 60, 80  # buckets below are fitted on; between, calibrated on; above, judged on
_FOLDS = 4
_PENALTIES = (0.001, 0.01, 0.1, 1.0)  # C of scikit-learn: inverse strength
_MOST_BINS = 64
_WITNESSES_A_BIN = 10  # fewer would let the one learner more that is tried out outweigh what is known

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Scored learner-days with their labels.

    Args:
        signals: names of the columns of ``matrix``.
        matrix: (rows, signals).
        dropped: the label of each row.
        source: number of the event log each row comes from, 0, 1, ...
        witness: number of the independent observation that each row belongs to, unique over all logs. The labels of
            one learner's neighbouring days look at the same coming days, so they are one witness and not many.
        bucket: `stable_hash` of the learner's id modulo `BUCKETS`: on which side of the split the learner is.
    """

    signals: tuple[str, ...]
    matrix: Numbers
    dropped: Flags
    source: NDArray[np.int64]
    witness: NDArray[np.int64]
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
            self.witness[keep],
            self.bucket[keep],
        )

    @property
    def fitted_on(self) -> Rows:
        """The rows of learners to fit on."""
        return self.where(self.bucket < _CALIBRATE_FROM)

    @property
    def calibrated_on(self) -> Rows:
        """The rows of learners to calibrate on."""
        return self.where((self.bucket >= _CALIBRATE_FROM) & (self.bucket < _JUDGE_FROM))

    @property
    def judged_on(self) -> Rows:
        """The rows of learners who are held out."""
        return self.where(self.bucket >= _JUDGE_FROM)

    def weights(self) -> Numbers:
        """Return a weight for each row, 1 on average, so that every log weighs the same however long it is."""
        counts = np.bincount(self.source)
        present = np.count_nonzero(counts)
        return np.asarray(len(self) / present / counts[self.source], np.float64)


def held_out(bucket: NDArray[np.int64]) -> Flags:
    """Return whether learners of these buckets are held out of fitting and calibration."""
    return bucket >= _JUDGE_FROM


def stable_hash(learner_id: str) -> int:
    """Return a number below 2^64 that depends on the learner's id alone."""
    return int.from_bytes(hashlib.sha256(learner_id.encode()).digest()[:8], "big")


def fit(rows: Rows) -> tuple[LinearRisk, Pipeline]:
    """Return a calibrated model, and the scikit-learn pipeline that it evaluates.

    Args:
        rows: of all logs and learners; which of them are fitted on is decided by their buckets.

    Raises:
        EngageError: a signal that is not finite, or a part of the split in which not both outcomes occur.
    """
    bad = ~np.isfinite(rows.matrix).all(axis=0)
    if bad.any():
        names = ", ".join(np.array(rows.signals)[bad])
        raise EngageError(f"signals to train on: {names}", "values that are not finite", "finite numbers")
    parts = {"to fit on": rows.fitted_on, "to calibrate on": rows.calibrated_on, "held out": rows.judged_on}
    for name, part in parts.items():
        if len(np.unique(part.dropped)) < 2:
            got = f"{len(part)} learner-days, {int(part.dropped.sum())} before a drop-off"
            expected = "some that dropped off and some that did not"
            raise EngageError(f"training data {name}", got, expected, "Train on more learners or on a longer log.")
    training, calibration = parts["to fit on"], parts["to calibrate on"]
    pipeline = _pipeline(_best_penalty(training))
    _fit(pipeline, training)
    scaler, regression = pipeline[0], pipeline[-1]
    knots, p0, p1 = venn_abers(
        np.asarray(pipeline.decision_function(calibration.matrix)), calibration.dropped, _witness_weights(calibration)
    )
    model = LinearRisk(
        rows.signals,
        np.array(scaler.mean_, np.float64),
        np.array(scaler.scale_, np.float64),
        np.array(regression.coef_[0], np.float64),
        float(regression.intercept_[0]),
        knots,
        p0,
        p1,
        {"inverse_penalty": float(regression.C)},
    )
    return model, pipeline


def _pipeline(penalty: float) -> Pipeline:
    regression = LogisticRegression(C=penalty, solver="newton-cholesky", tol=1e-8)
    return make_pipeline(StandardScaler(), regression)


def _fit(pipeline: Pipeline, rows: Rows) -> None:
    pipeline.fit(rows.matrix, rows.dropped, logisticregression__sample_weight=rows.weights())


def _best_penalty(rows: Rows) -> float:
    """Return the penalty with the least log-loss over folds of learners; the stronger of equals."""
    losses = []
    for penalty in _PENALTIES:
        loss = 0.0
        for fold in range(_FOLDS):
            left_out = rows.bucket % _FOLDS == fold
            inside, outside = rows.where(~left_out), rows.where(left_out)
            if len(outside) == 0 or len(np.unique(inside.dropped)) < 2:
                continue
            pipeline = _pipeline(penalty)
            _fit(pipeline, inside)
            chance = pipeline.predict_proba(outside.matrix)[:, 1]
            loss += float(log_loss(outside.dropped, chance, sample_weight=outside.weights(), labels=[False, True]))
        losses.append(loss)
    return _PENALTIES[int(np.argmin(losses))]


def _witness_weights(rows: Rows) -> Numbers:
    """Return weights that add up to the effective number of witnesses (Kish), not of rows.

    Counting every day of a learner as a witness of its own would make the interval far too narrow.
    """
    weights = rows.weights()
    by_witness = np.bincount(np.unique(rows.witness, return_inverse=True)[1], weights)
    effective = by_witness.sum() ** 2 / (by_witness**2).sum()
    return np.asarray(weights * (effective / weights.sum()))


def venn_abers(scores: Numbers, dropped: Flags, weights: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Tabulate an inductive Venn-Abers calibration.

    The scores are first gathered in bins of equal weight. Isotonic regression pools neighbours that contradict the
    order into blocks; the blocks' centres become the knots (centred isotonic regression, Oron and Flournoy 2017), so
    that risk rises between any two knots instead of in steps. At each knot one more learner is added, once as having
    stayed and once as having dropped off (Vovk, Petej and Fedorova 2015).

    Args:
        scores: of the calibration rows.
        dropped: their labels.
        weights: theirs; one more learner weighs 1.

    Returns:
        knots, p0, p1.
    """
    order = np.argsort(scores, kind="stable")
    cumulative = np.cumsum(weights[order])
    count = int(np.clip(cumulative[-1] // _WITNESSES_A_BIN, 4, _MOST_BINS))
    bins = np.minimum((cumulative - weights[order] / 2) / cumulative[-1] * count, count - 1).astype(np.int64)
    weight = np.asarray(np.bincount(bins, weights[order], count), np.float64)
    filled = weight > 0
    centre = _means(bins, scores[order], weights[order], filled)
    rate = _means(bins, dropped[order].astype(np.float64), weights[order], filled)
    weight = weight[filled]
    pooled = IsotonicRegression().fit(centre, rate, weight).predict(centre)
    blocks = np.concatenate([[0], np.cumsum(np.diff(pooled) > 0)])
    knots = np.unique(np.bincount(blocks, centre * weight) / np.bincount(blocks, weight))
    if len(knots) < 2:
        raise EngageError("calibration", "scores that do not tell learners apart", "at least two levels of risk")
    intervals = np.array([[_with_one_more(centre, rate, weight, knot, label) for label in (0, 1)] for knot in knots])
    return knots, intervals[:, 0], np.maximum(intervals[:, 0], intervals[:, 1])


def _means(bins: NDArray[np.int64], values: Numbers, weights: Numbers, filled: Flags) -> Numbers:
    sums = np.bincount(bins, values * weights, len(filled))[filled]
    return np.asarray(sums / np.bincount(bins, weights, len(filled))[filled])


def _with_one_more(centre: Numbers, rate: Numbers, weight: Numbers, knot: float, label: int) -> float:
    isotonic = IsotonicRegression(y_min=0.0, y_max=1.0)
    isotonic.fit(np.append(centre, knot), np.append(rate, float(label)), np.append(weight, 1.0))
    return float(isotonic.predict([knot])[0])
