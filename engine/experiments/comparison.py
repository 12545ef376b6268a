"""Arms against each other, as an experiment tells them apart: learners who were assigned by chance, each in one arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engine.errors import InputError


@dataclass(frozen=True)
class Difference:
    """The mean outcome of treated learners less that of the control.

    Args:
        value: in the outcome's unit.
        low, high: ends of the 95% interval.
        p_value: two-sided, 0-1; how often chance alone would part arms without an effect at least as far.
    """

    value: float
    low: float
    high: float
    p_value: float


def compare(treated: NDArray[np.float64], control: NDArray[np.float64]) -> Difference:
    """Return the difference between two arms, one outcome a learner, by Welch's t-test.

    Arms may differ in size and spread. Outcomes of one learner must have been summed up before: a learner, not a
    learner's day, was assigned. Source: B. L. Welch, Biometrika 34, 1947.

    Args:
        treated: outcome of each learner who was assigned to the arm, whether or not anything was sent.
        control: the same of the control.

    Raises:
        InputError: an arm has fewer than two learners.
    """
    for name, arm in (("treated", treated), ("control", control)):
        if len(arm) < 2:
            raise InputError(f"{name} arm", f"{len(arm)} learners", "two or more")
    value = float(treated.mean() - control.mean())
    if treated.std() == 0 and control.std() == 0:  # no spread, no test: equal or not, for certain
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    test = stats.ttest_ind(treated, control, equal_var=False)
    interval = test.confidence_interval(0.95)
    return Difference(value, float(interval.low), float(interval.high), float(test.pvalue))
