"""A logistic regression on standardised signals, evaluated row by row."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compiled import compiled
from engine.errors import InputError

Numbers = NDArray[np.float64]


@compiled
def linear_score(row: Any, weights: Any, offset: float) -> float:
    """Return the log-odds of one row: four sums side by side, always of the same columns, then together.

    Args:
        row: signals in their own units.
        weights: log-odds a unit, of each signal.
        offset: log-odds where every signal is 0.
    """
    a, b, c, d = offset, 0.0, 0.0, 0.0
    whole = len(weights) // 4 * 4
    for column in range(0, whole, 4):
        a += float(row[column]) * float(weights[column])
        b += float(row[column + 1]) * float(weights[column + 1])
        c += float(row[column + 2]) * float(weights[column + 2])
        d += float(row[column + 3]) * float(weights[column + 3])
    for column in range(whole, len(weights)):
        a += float(row[column]) * float(weights[column])
    return (a + b) + (c + d)


@compiled
def _score_rows(matrix: Any, weights: Any, offset: float, out: Any) -> None:
    for row in range(len(matrix)):
        out[row] = linear_score(matrix[row], weights, offset)


@dataclass(frozen=True, eq=False)
class Linear:
    """A logistic regression.

    Args:
        intercept: log-odds where every signal is at its mean.
        centre: mean of each signal in training, in its unit.
        scale: standard deviation of each signal in training, in its unit, above 0.
        coefficient: log-odds a standard deviation, of each signal.
    """

    intercept: float
    centre: Numbers
    scale: Numbers
    coefficient: Numbers

    def __post_init__(self) -> None:
        """Take the numbers into arrays of its own; refuse numbers that could not be scored with."""
        for entry in fields(self)[1:]:
            object.__setattr__(self, entry.name, np.array(getattr(self, entry.name), np.float64))
        good = (
            self.centre.ndim == 1
            and self.centre.shape == self.scale.shape == self.coefficient.shape
            and bool(np.isfinite([*self.centre, *self.scale, *self.coefficient, self.intercept]).all())
            and bool((self.scale > 0).all())
        )
        if good:
            with np.errstate(over="ignore", invalid="ignore"):  # a line too steep to be written as weights is none
                weights = self.coefficient / self.scale
                good = bool(np.isfinite(np.abs([*weights, *(self.centre * weights)]).sum()))
        if not good:
            expected = "one finite number a signal, scales above 0"
            raise InputError("risk model: line", "numbers that do not fit together", expected, "Fit it again.")
        object.__setattr__(self, "intercept", float(self.intercept))  # a file may say 2**63

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the arguments: a copy owns its arrays."""
        return Linear, tuple(getattr(self, entry.name) for entry in fields(self))

    @functools.cached_property
    def weights(self) -> tuple[Numbers, float]:
        """Log-odds a unit of each signal, and where every signal is 0: the same line without the standardisation."""
        weights = self.coefficient / self.scale
        return weights, self.intercept - math.fsum(self.centre * weights)

    def fits(self, signals: int) -> bool:
        """Return whether it reads so many signals."""
        return len(self.coefficient) == signals

    def log_odds(self, matrix: Numbers) -> Numbers:
        """Return the log-odds of each row.

        Args:
            matrix: (rows, signals), finite.
        """
        out = np.empty(len(matrix))
        _score_rows(np.ascontiguousarray(matrix, np.float64), *self.weights, out)
        return out
