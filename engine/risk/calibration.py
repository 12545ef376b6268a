"""Calibration: log-odds become a probability and an interval around it: risk and confidence.

Both are tabulated over log-odds when the model is fitted (`engine.risk.calibrate`). The interval tells how far the data
pin the probability down: of learners with a score, the true share of drop-offs lies in it 95 times of 100. A Venn-Abers
interval, which is much narrower, does not promise that, and among simulated learners did not keep it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compiled import compiled
from engine.errors import InputError

Numbers = NDArray[np.float64]


@compiled
def _between(values: Any, left: int, share: float) -> float:
    return float(values[left]) + share * (float(values[left + 1]) - float(values[left]))


@compiled
def calibrated(log_odds: float, knots: Any, low: Any, p: Any, high: Any) -> tuple[float, float]:
    """Return risk and confidence, 0-100: all are linear between knots and constant beyond them."""
    left, right = 0, len(knots) - 1
    log_odds = min(max(log_odds, float(knots[left])), float(knots[right]))
    while right - left > 1:
        middle = (left + right) // 2
        if log_odds >= float(knots[middle]):
            left = middle
        else:
            right = middle
    share = (log_odds - float(knots[left])) / (float(knots[right]) - float(knots[left]))
    width = _between(high, left, share) - _between(low, left, share)
    return 100.0 * _between(p, left, share), 100.0 * (1.0 - width)


@compiled
def _calibrate(log_odds: Any, knots: Any, low: Any, p: Any, high: Any, out: Any) -> None:
    for row in range(len(log_odds)):
        risk, confidence = calibrated(log_odds[row], knots, low, p, high)
        out[row, 0] = risk
        out[row, 1] = confidence


@dataclass(frozen=True, eq=False)
class Calibration:
    """A tabulated calibration.

    Args:
        knots: log-odds, strictly rising, at which it is tabulated.
        low: lower end of the 95% interval at each knot, 0-1.
        p: probability at each knot, 0-1.
        high: upper end of the interval, 0-1.
    """

    knots: Numbers
    low: Numbers
    p: Numbers
    high: Numbers

    def __post_init__(self) -> None:
        """Take the numbers into arrays of its own; refuse a table that is none."""
        for entry in fields(self):
            object.__setattr__(self, entry.name, np.array(getattr(self, entry.name), np.float64))
        good = (
            self.knots.ndim == 1
            and len(self.knots) > 1
            and self.low.shape == self.p.shape == self.high.shape == self.knots.shape
            and bool(np.isfinite([self.knots, self.low, self.p, self.high]).all() and (np.diff(self.knots) > 0).all())
            and bool(((self.low >= 0) & (self.low <= self.p) & (self.p <= self.high) & (self.high <= 1)).all())
        )
        if not good:
            expected = "rising knots, 0 <= low <= p <= high <= 1 at each"
            raise InputError("risk model: calibration", "numbers that do not fit together", expected, "Fit it again.")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the arguments: a copy owns its arrays."""
        return Calibration, tuple(getattr(self, entry.name) for entry in fields(self))

    def scores(self, log_odds: Numbers) -> Numbers:
        """Return (rows, 2): risk 0-100 and confidence 0-100, which is 100 x (1 - width of the interval)."""
        out = np.empty((len(log_odds), 2))
        _calibrate(log_odds, self.knots, self.low, self.p, self.high, out)
        return out
