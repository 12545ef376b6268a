"""Fitting a calibration: which probability each score has turned out to mean, and how surely."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from engine.errors import EngageError
from engine.risk.calibration import Calibration
from engine.risk.rows import Flags, Numbers

_MOST_BINS = 64
_DIGITS = 9  # log-odds that differ by less are equal
_WITNESSES_A_BIN = 10  # fewer would tell nothing
_WITNESSES_OF_CURVE = 20.0  # in each bin; 5 to 100 do alike on the tasks' data
_Z = 1.959964  # of a two-sided 95% interval


def calibrate(scores: Numbers, dropped: Flags, weights: Numbers) -> Calibration:
    """Tabulate which probability scores have turned out to mean, with 95% intervals.

    The scores are first gathered in bins of equal weight. Each bin's rate is drawn towards the logistic curve through
    all bins (Platt 1999), as by a few witnesses more: where data are few, single bins say little. Isotonic regression
    then pools neighbours that contradict the order into blocks; the blocks' centres become the knots (centred isotonic
    regression, Oron and Flournoy 2017), so that risk rises between any two knots instead of in steps. The interval of a
    block is Wilson's (1927), of the share that was seen among its own witnesses, without those of the curve, and wide
    enough to hold the risk.

    Args:
        scores: of the calibration rows.
        dropped: their labels.
        weights: theirs, adding up to the number of independent witnesses.

    Raises:
        EngageError: nobody or everybody drops off, or the scores do not tell who does.
    """
    if dropped.all() or not dropped.any():
        got = f"{int(dropped.sum())} of {len(dropped)} rows before a drop-off"
        raise EngageError("calibration", got, "both learners who drop off and learners who do not")
    levels, place = np.unique(np.round(scores, _DIGITS), return_inverse=True)
    at_level = np.bincount(place, weights)
    middle = np.cumsum(at_level) - at_level / 2  # learners with equal scores are never parted
    count = int(np.clip(at_level.sum() // _WITNESSES_A_BIN, 4, _MOST_BINS))
    bins = np.minimum(middle / at_level.sum() * count, count - 1).astype(np.int64)[place]
    weight = np.asarray(np.bincount(bins, weights, count), np.float64)
    filled = weight > 0
    centre = _means(bins, levels[place], weights, filled)
    rate = _means(bins, dropped.astype(np.float64), weights, filled)
    weight = weight[filled]
    curve = LogisticRegression(C=np.inf, max_iter=1_000).fit(scores[:, None], dropped, weights)
    smooth = curve.predict_proba(centre[:, None])[:, 1]
    drawn = (rate * weight + smooth * _WITNESSES_OF_CURVE) / (weight + _WITNESSES_OF_CURVE)
    pooled = IsotonicRegression().fit(centre, drawn, weight).predict(centre)
    blocks = np.concatenate([[0], np.cumsum(np.diff(pooled) > 0)])
    shared = np.bincount(blocks, weight)
    if len(shared) < 2:
        raise EngageError("calibration", "scores that do not tell learners apart", "at least two levels of risk")
    knots = np.bincount(blocks, centre * weight) / shared
    p = np.bincount(blocks, drawn * weight) / shared
    seen = np.bincount(blocks, rate * weight) / shared
    middle = (seen + _Z**2 / (2 * shared)) / (1 + _Z**2 / shared)
    half = _Z / (1 + _Z**2 / shared) * np.sqrt(seen * (1 - seen) / shared + _Z**2 / (4 * shared**2))
    return Calibration(knots, np.clip(middle - half, 0, p), p, np.clip(middle + half, p, 1))


def _means(bins: NDArray[np.int64], values: Numbers, weights: Numbers, filled: Flags) -> Numbers:
    sums = np.bincount(bins, values * weights, len(filled))[filled]
    return np.asarray(sums / np.bincount(bins, weights, len(filled))[filled])
