"""What sending brought: how those who were sent something did, against what was expected of them without it.

Where a policy leaves something to chance, its own log tells: learners for whom the draw came out as "nothing" stand for
those for whom it did not. Each counts by the odds of having been sent something, (1 - p) / p with p the chance of
nothing, so that together they are like those who were: the effect on the treated by weighting (Hirano & Imbens 2001,
Health Services & Outcomes Research Methodology 2, section 3.4). Who had no chance of nothing has no like among them and
is left out; so is who had no chance of anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engine.errors import InputError
from engine.experiments.comparison import Difference, compare
from engine.experiments.off_policy import LEAST_EFFECTIVE, LEAST_LEARNERS

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """A mean outcome with and without.

    Args:
        outcome: mean of those who were treated.
        expected: mean that was expected of them without.
        difference: the one less the other, with its interval.
        learners: whose decisions tell it.
        effective_size: decisions of equal weight that would tell as much about what was expected (Kish 1965).
    """

    outcome: float
    expected: float
    difference: Difference
    learners: int
    effective_size: float


def by_chance(learner: NDArray[Any], treated: NDArray[np.bool_], nothing: Numbers, outcome: Numbers) -> Effect | str:
    """Return the effect of sending on those decisions that came out as a send, or why it cannot be told.

    Args:
        learner: whose decision it was; decisions of one learner depend on each other.
        treated: whether it came out as a send; one row a decision.
        nothing: chance of sending nothing, above 0; of a treated decision it only has to be above 0, not known.
        outcome: what came of it, finite.

    Raises:
        InputError: a chance is none.
    """
    chances = nothing[~treated]
    if not ((chances > 0) & (chances <= 1)).all():
        wrong = chances[~((chances > 0) & (chances <= 1))][0]
        raise InputError("chance of nothing", str(wrong), "above 0, at most 1, where nothing was sent")
    odds = np.zeros(len(learner))
    odds[~treated] = (1.0 - chances) / chances
    used = treated | (odds > 0)
    groups, own = np.unique(learner[used], return_inverse=True)
    sent, weight, result = treated[used], odds[used], outcome[used]
    if weight.sum() == 0:
        return "nothing was left to chance"
    size = float(weight.sum() ** 2 / (weight**2).sum())
    for name, least, got in (
        ("learners", LEAST_LEARNERS, len(groups)),
        ("decisions that came out as a send", LEAST_EFFECTIVE, sent.sum()),
        ("effective decisions that came out as nothing", LEAST_EFFECTIVE, size),
    ):
        if got < least:
            return f"{got:.0f} {name}, fewer than {least:.0f}"
    mean, expected = float(result[sent].mean()), float(np.average(result, weights=weight))
    # Each learner's pull on the difference, linearised: their spread is its error.
    pull = sent * (result - mean) / sent.sum() - weight * (result - expected) / weight.sum()
    count = len(groups)
    error = float(np.sqrt((np.bincount(own, pull) ** 2).sum() * count / (count - 1)))
    return Effect(mean, expected, _interval(mean - expected, error, count - 1), count, size)


def _interval(value: float, error: float, degrees: int) -> Difference:
    if error == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    reach = float(stats.t.ppf(0.975, degrees)) * error
    return Difference(value, value - reach, value + reach, float(2 * stats.t.sf(abs(value) / error, degrees)))


def by_assignment(outcome: Numbers, other: Numbers) -> Effect | str:
    """Return the effect of an arm on its exposed learners, who were assigned by chance, or why it cannot be told.

    Each learner counts once, with what came of the first decision at which arms differed: until then nothing that an
    arm did can have had a part in who is exposed.

    Args:
        outcome: of each exposed learner of the arm.
        other: of each exposed learner of the holdout, or of the arm that it is compared with.
    """
    fewest = min(len(outcome), len(other))
    if fewest < LEAST_LEARNERS:
        return f"{fewest} exposed learners in one of both, fewer than {LEAST_LEARNERS}"
    difference = compare(outcome, other)
    return Effect(float(outcome.mean()), float(other.mean()), difference, len(outcome) + len(other), float(len(other)))
