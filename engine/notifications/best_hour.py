"""The best hour: when each learner is most likely to be there, on a clock that goes round.

A profile is smoothed on the circle, so that 23:00 and 01:00 lie two hours apart and meet at midnight. Smoothing is the
kernel density of directions with the von Mises kernel (Hall, Watson and Cabrera, Biometrika 74, 1987).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

HOURS = 24
PEAK_HOUR = 21
"""Learners' usual hour: activity has its evening peak near 21:00 [R], as the simulated populations have it."""
PEAK_CONCENTRATION = 2.0
"""Of all learners about it. Standard deviations of 2.5 hours between learners and of 2.1 within each [A, again as the
simulated populations have them] make 3.3 hours or 0.86 radians; this is the von Mises concentration whose resultant
length is that of a wrapped normal distribution so wide, exp(-0.86^2 / 2) = 0.69."""
PRIOR_EVENTS = 33.0
"""What a new learner is taken to have done, in events: three active days of the median 11 [C]. Those of one day are no
independent witnesses: a single day does not yet outvote everybody else's habits, a second may [A, our choice]."""
KERNEL_CONCENTRATION = 8.0
"""Of the smoothing, a standard deviation of 1.4 hours: wide enough for the two hours about an idle one to meet in it,
as they do up to 17, and narrow enough to keep a morning and an evening apart [A, our choice]."""


def _von_mises(concentration: float) -> NDArray[np.float64]:
    """Return the weight of each whole hour's distance round the clock, 0-1; they sum to 1."""
    weights = [math.exp(concentration * (math.cos(2 * math.pi * hour / HOURS) - 1)) for hour in range(HOURS)]
    return np.array(weights) / math.fsum(weights)


_KERNEL = _von_mises(KERNEL_CONCENTRATION)
PRIOR: NDArray[np.float64] = np.roll(PRIOR_EVENTS * _von_mises(PEAK_CONCENTRATION), PEAK_HOUR)
"""Events by local hour that are added to everyone's."""


def hour_scores(counts: NDArray[np.unsignedinteger], prior: NDArray[np.float64] = PRIOR) -> NDArray[np.float64]:
    """Return how much of each learner's activity is to be expected about each local hour; a row sums to 1.

    Rows do not depend on each other, and a clock set otherwise gives the same figures at other hours, to the last bit:
    hence sums by distance rather than a matrix product.

    Args:
        counts: events by local hour, the field ``hours`` of the records, shape (n, 24).
        prior: events by local hour that are added to everyone's, shape (24,), not all 0.

    Raises:
        InputError: a shape is wrong.
    """
    if counts.ndim != 2 or counts.shape[1] != HOURS or prior.shape != (HOURS,):
        raise InputError("events by hour", f"shapes {counts.shape} and {prior.shape}", "(learners, 24) and (24,)")
    profile = counts + prior
    round_the_clock = np.concatenate([profile, profile], axis=1)
    smooth = np.zeros(counts.shape)
    for distance, weight in enumerate(_KERNEL):
        smooth += weight * round_the_clock[:, distance : distance + HOURS]
    total = counts.sum(axis=1, dtype=np.int64) + math.fsum(prior)
    scores: NDArray[np.float64] = smooth / total[:, None]
    return scores


def best_hours(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return each learner's best local hour, 0-23, shape (n,); the earliest of equals.

    Args:
        scores: from `hour_scores`, shape (n, 24).
    """
    best: NDArray[np.int64] = np.argmax(scores, axis=1)
    return best
