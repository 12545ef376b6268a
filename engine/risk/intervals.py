"""Intervals: what the measures of a set of predictions would have been with other learners (bootstrap by learner).

Days of one learner resemble each other, so learners are drawn and not days. Predictions are gathered in bins once; a
replicate is then one weighted table of bins, however long the log (Efron and Tibshirani 1993, ch. 13: percentiles).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from engine import chance
from engine.compiled import compiled
from engine.risk.rows import Flags, Numbers

REPLICATES = 400
_BINS = 1_000  # ties within a bin move an area under the curve by less than 1e-5
_AT_ONCE = 50  # replicates whose weights are held at a time
_LEVEL = (2.5, 97.5)  # percentiles

Measure = Callable[[Flags, Numbers, Numbers], dict[str, Any]]
"""From outcomes, predictions and weights to figures by name, None where there is none."""

Interval = tuple[float, float]


@compiled
def _draw(stream: int, first: int, times: Any) -> None:
    """Count how often each learner is drawn in each replicate, where as many are drawn as there are."""
    learners = times.shape[1]
    for row in range(len(times)):
        for place in range(learners):
            luck = chance.uniforms(stream, place, first + row, chance.PURPOSE_BOOTSTRAP, 0)[0]
            times[row, int(luck * learners)] += 1.0


class Tally:
    """Predictions with their outcomes, gathered by learner and by bin.

    Args:
        learner: number of the learner of each prediction.
        dropped: what happened.
        predicted: its probability; bins are cut at its quantiles.
    """

    def __init__(self, learner: NDArray[np.int64], dropped: Flags, predicted: Numbers) -> None:
        levels = np.unique(predicted)
        if len(levels) > _BINS:
            levels = np.unique(np.quantile(predicted, np.linspace(0, 1, _BINS + 1)[:-1], method="lower"))
        place = np.searchsorted(levels, predicted, side="right") - 1
        mean = np.bincount(place, predicted, len(levels)) / np.maximum(np.bincount(place, minlength=len(levels)), 1)
        self.predicted = np.repeat(mean, 2)
        self.dropped = np.tile([False, True], len(levels))
        _, who = np.unique(learner, return_inverse=True)
        self._learners = int(who.max(initial=-1)) + 1
        cell = 2 * place + dropped
        shape = (self._learners, len(self.predicted))
        self._counts = sparse.csr_matrix((np.ones(len(who)), (who, cell)), shape)

    def replicates(self, seed: int = 0, count: int | None = None) -> Numbers:
        """Return (count, cells): in each replicate, how many predictions of redrawn learners fall in each cell.

        Args:
            seed: of the draws.
            count: of replicates, default `REPLICATES`.

        Equal learners and seeds give equal draws, so that two models can be compared draw by draw.
        """
        return np.concatenate(
            [np.asarray((self._counts.T @ times.T).T) for times in draws(self._learners, seed, count or REPLICATES)]
        )

    def measured(self, measure: Measure, seed: int = 0, count: int | None = None) -> dict[str, Numbers]:
        """Return every figure that a measure finds, by name, in each replicate; none that any replicate lacks."""
        found: list[dict[str, Any]] = []
        with threadpool_limits(1):  # threads would wait for each other longer than they work
            for weights in self.replicates(seed, count):
                there = weights > 0
                found.append(measure(self.dropped[there], self.predicted[there], weights[there]))
        told = {name: [each[name] for each in found] for name in found[0]}
        return {
            name: np.array(values) for name, values in told.items() if all(isinstance(value, float) for value in values)
        }

    def intervals(self, measure: Measure, seed: int = 0, count: int | None = None) -> dict[str, Interval]:
        """Return the 95% interval of every figure that a measure finds, by name; none where a replicate lacks it."""
        return {name: percentiles(values) for name, values in self.measured(measure, seed, count).items()}


def compared(
    learner: NDArray[np.int64], dropped: Flags, predicted: Numbers, other: Numbers, measure: Measure
) -> dict[str, tuple[float, Interval]]:
    """Return by how much predictions differ from others in every figure that a measure finds: the difference, its 95%.

    Both are measured on the same redrawn learners, so what is hard about a draw is hard for both and falls out.

    Args:
        learner: number of the learner of each prediction.
        dropped: what happened.
        predicted: its probability.
        other: the same by something else.
        measure: finds the figures.
    """
    mine, theirs = (Tally(learner, dropped, each).measured(measure) for each in (predicted, other))
    one, two = (measure(dropped, each, np.ones(len(dropped))) for each in (predicted, other))
    shared = [name for name in mine if name in theirs]
    return {name: (one[name] - two[name], percentiles(mine[name] - theirs[name])) for name in shared}


def share(learner: NDArray[np.int64], hit: Flags, seed: int = 0) -> tuple[float | None, Interval | None]:
    """Return the share of true flags and its 95% interval by learner; None = there are no flags.

    Args:
        learner: number of the learner of each flag.
        hit: the flags.
        seed: of the draws.
    """
    if not len(hit):
        return None, None
    _, who = np.unique(learner, return_inverse=True)
    counts = np.stack([np.bincount(who, hit), np.bincount(who)], axis=1).astype(np.float64)
    drawn = np.concatenate([times @ counts for times in draws(len(counts), seed, REPLICATES)])
    return float(hit.mean()), percentiles(drawn[:, 0] / drawn[:, 1])


def draws(learners: int, seed: int, count: int) -> Iterator[Numbers]:
    """Yield parts of (count, learners): how often each learner is drawn in each replicate."""
    stream = chance.stream(seed, 0)
    for start in range(0, count, _AT_ONCE):
        times = np.zeros((min(_AT_ONCE, count - start), learners))
        _draw(stream, start, times)
        yield times


def percentiles(values: Numbers) -> Interval:
    """Return the middle 95% of the replicates."""
    low, high = np.percentile(values, _LEVEL)
    return float(low), float(high)
