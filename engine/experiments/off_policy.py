"""Off-policy evaluation: what a policy that did not run would have earned, from the log of one that did.

A decision that the target policy makes more often than the log did counts more, by the ratio of the two chances: IPS
(Horvitz & Thompson 1952, JASA 47). SNIPS divides by the sum of these weights, which takes out their luck (Swaminathan &
Joachims 2015, NeurIPS). DR lets a model of rewards say what is expected and weights only what it missed: right if the
propensities or the model are, and less noisy if both are (Dudik, Langford & Li 2011, ICML).

The question answered is: in the situations that the log met, what would one decision by the target have earned on
average? Had the target decided all along, learners would have come into other situations; that only an experiment or a
simulation tells. Where the log cannot answer, a `Refusal` says so with its figures: an average of a few giant weights
looks as good as any other (Owen, "Monte Carlo theory, methods and examples", 2013, ch. 9).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from engine.errors import InputError

LEAST_LEARNERS = 50
"""Below some 20 to 50 clusters, cluster-robust intervals are too short (Cameron & Miller 2015, J. Human Resources)."""
LEAST_EFFECTIVE = 50.0
"""Effective decisions below which a share near one half is known within 14 points at best (1.96 x 0.5 / sqrt(50))."""
LEAST_EFFECTIVE_SHARE = 0.01
"""Effective share of the decisions below which one in a hundred speaks for all; our convention."""
MOST_UNSUPPORTED = 0.01
"""Mass of the target beyond the log's reach; of a reward from 0 to 1, an estimate can be wrong by as much unseen."""
MOST_MEAN_WEIGHT_Z = 4.0
"""Standard errors that the mean weight may be off its expectation; by luck, once in 16,000 (normal) logs."""

_EXACT = 1e-9  # a mean weight this near to its expectation is off by rounding alone
_LEVEL = 0.975  # two-sided 95%
_FOLDS = 5
_RIDGE = 1.0  # pseudo-observations that hold a line at the one it is shrunk towards

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Log:
    """Decisions with what came of them, and how likely the target policy was to make the same; one row a decision.

    Args:
        learner: whose decision it was, numbers or ids; decisions of one learner depend on each other.
        logged: the propensity of the logged action; a row outside (0, 1] is one that was not logged, and refused later.
        target: chance of the logged action under the target policy, 0-1.
        reward: what came of it, finite.
        target_unsupported: mass, 0-1, that the target puts on actions which the log could not have taken there; None =
            not known, and then only a mean weight below 1 betrays it.
        expected_logged: the model's expected reward of the logged action; None = no model, no DR.
        expected_target: the model's expected reward under the target's chances, summed over actions.
    """

    learner: NDArray[Any]
    logged: Numbers
    target: Numbers
    reward: Numbers
    target_unsupported: Numbers | None = None
    expected_logged: Numbers | None = None
    expected_target: Numbers | None = None

    def __post_init__(self) -> None:
        """Refuse columns that are no log."""
        for name in ("logged", "target", "reward", "target_unsupported", "expected_logged", "expected_target"):
            column = getattr(self, name)
            if column is None:
                continue
            if column.shape != self.learner.shape or column.ndim != 1:
                raise InputError(f"log: {name}", f"shape {column.shape}", f"one row a decision, {self.learner.shape}")
            if name != "logged" and not np.isfinite(column).all():
                _refuse_row(name, column, ~np.isfinite(column), "finite numbers; leave out what is not known yet")
            if name.startswith("target") and not ((column >= 0) & (column <= 1)).all():
                _refuse_row(name, column, (column < 0) | (column > 1), "chances from 0 to 1")
        if (self.expected_logged is None) != (self.expected_target is None):
            raise InputError("log: expected_logged, expected_target", "one of them", "both or neither")


@dataclass(frozen=True)
class Estimate:
    """Mean reward a decision under the target policy, its standard error and its 95% interval."""

    value: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True)
class Diagnostics:
    """How much of an answer there is in a log.

    Args:
        decisions: how many there are.
        learners: how many they are of.
        effective_size: decisions of equal weight that would tell as much, (sum w)^2 / sum w^2 (Kish 1965).
        greatest_weight: of a decision; 1 = target and log agree.
        top_share: share of all weight in the heaviest 1% of the decisions, 0-1.
        mean_weight: its expectation is 1 less the unsupported mass, if the propensities are right.
        mean_weight_z: how many standard errors it is off that.
        unsupported_mass: mean mass of the target beyond the log's reach, 0-1; None = not known.
        unsupported_decisions: share of the decisions with any such mass, 0-1; None = not known.
    """

    decisions: int
    learners: int
    effective_size: float
    greatest_weight: float
    top_share: float
    mean_weight: float
    mean_weight_z: float
    unsupported_mass: float | None
    unsupported_decisions: float | None


@dataclass(frozen=True)
class Evaluation:
    """What a log says of a policy; ``dr`` is None without a model of rewards."""

    diagnostics: Diagnostics
    ips: Estimate
    snips: Estimate
    dr: Estimate | None


@dataclass(frozen=True)
class Refusal:
    """Why a log cannot tell: each reason with its figures; no diagnostics where there are no weights."""

    reasons: tuple[str, ...]
    diagnostics: Diagnostics | None


def evaluate(log: Log) -> Evaluation | Refusal:
    """Return what a policy would have earned a decision in the situations of a log, or why the log cannot tell.

    Intervals are by linearisation with learners as clusters (Liang & Zeger 1986, Biometrika 73) and Student's t.
    """
    if not len(log.learner):
        return Refusal(("no decisions",), None)
    unlogged = int(np.count_nonzero(~((log.logged > 0) & (log.logged <= 1))))  # the negation catches NaN
    if unlogged:
        return Refusal((f"{unlogged} of {len(log.logged)} decisions without a propensity in (0, 1]",), None)
    _, who = np.unique(log.learner, return_inverse=True)
    weight = log.target / log.logged
    found = _diagnostics(log, who, weight)
    if reasons := _reasons(log, found):
        return Refusal(reasons, found)
    ips = weight * log.reward
    ratio = float(ips.sum() / weight.sum())
    snips = ratio + weight * (log.reward - ratio) / weight.mean()
    dr = None
    if log.expected_logged is not None and log.expected_target is not None:
        dr = _mean(log.expected_target + weight * (log.reward - log.expected_logged), who)
    return Evaluation(found, _mean(ips, who), _mean(snips, who), dr)


def _mean(terms: Numbers, who: NDArray[np.int64]) -> Estimate:
    """Return the mean of one term a decision, as uncertain as learners and not decisions are many."""
    value = float(terms.mean())
    sums = np.bincount(who, terms - value)
    count = len(sums)
    error = float(np.sqrt((sums**2).sum() * count / max(count - 1, 1))) / len(terms)
    reach = float(special.stdtrit(max(count - 1, 1), _LEVEL)) * error
    return Estimate(value, error, value - reach, value + reach)


def _diagnostics(log: Log, who: NDArray[np.int64], weight: Numbers) -> Diagnostics:
    total, count = float(weight.sum()), len(weight)
    mean, beyond = _mean(weight, who), log.target_unsupported
    unsupported = None if beyond is None else float(beyond.mean())
    off = mean.value - 1.0 + (unsupported or 0.0)
    z = off / mean.standard_error if mean.standard_error else math.copysign(math.inf, off)
    top = -(-count // 100)
    return Diagnostics(
        decisions=count,
        learners=int(who.max()) + 1,
        effective_size=total**2 / float((weight**2).sum()) if total else 0.0,
        greatest_weight=float(weight.max()),
        top_share=float(np.partition(weight, count - top)[count - top :].sum()) / total if total else 0.0,
        mean_weight=mean.value,
        mean_weight_z=0.0 if abs(off) < _EXACT else z,
        unsupported_mass=unsupported,
        unsupported_decisions=None if beyond is None else float((beyond > 0).mean()),
    )


def _reasons(log: Log, found: Diagnostics) -> tuple[str, ...]:
    """Return every reason why the log cannot tell."""
    share = found.effective_size / found.decisions
    heard = log.reward[log.target > 0]
    reasons = {
        f"{found.learners} learners, fewer than {LEAST_LEARNERS}": found.learners < LEAST_LEARNERS,
        "every logged propensity is 1, and the target would have decided otherwise": bool(
            (log.logged == 1).all() and (log.target < 1).any()
        ),
        f"{found.decisions} decisions tell as much as {found.effective_size:.1f} by the target would, fewer than "
        f"{LEAST_EFFECTIVE:g}": found.effective_size < LEAST_EFFECTIVE,
        f"{found.decisions} decisions tell as much as {share:.2%} of them by the target would, less than "
        f"{LEAST_EFFECTIVE_SHARE:.0%}": share < LEAST_EFFECTIVE_SHARE,
        f"{found.unsupported_mass or 0.0:.2%} of what the target does the log could not have done, more than "
        f"{MOST_UNSUPPORTED:.0%}": (found.unsupported_mass or 0.0) > MOST_UNSUPPORTED,
        f"the mean weight is {found.mean_weight:.3f}, {found.mean_weight_z:+.3g} standard errors off its expectation, "
        f"more than {MOST_MEAN_WEIGHT_Z:g}: the target does what the log never did, or propensities are wrong": (
            abs(found.mean_weight_z) > MOST_MEAN_WEIGHT_Z
        ),
        f"the {len(heard)} decisions that the target might have made all had the same reward, which tells nothing of "
        "how much rewards vary": bool((heard == heard[:1]).all()),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def cross_fit(
    learner: NDArray[Any], features: Numbers, action: NDArray[np.int64], reward: Numbers, chances: Numbers
) -> tuple[Numbers, Numbers]:
    """Return a model's expected rewards for DR: of the logged actions, and under the target's chances.

    A ridge regression a action, shrunk towards the line of all actions together, so that an action with few decisions
    is thought to do what the others do. No learner's own rewards predict them: learners are dealt into folds, and each
    fold is predicted by lines fitted to the others (Chernozhukov et al. 2018, Econometrics J. 21).

    Args:
        learner: whose decision it was, shape (n,).
        features: of the decision, about 0 to 1, one of them always 1, shape (n, d).
        action: that was logged, 0 to K, shape (n,).
        reward: what came of it, shape (n,).
        chances: of each action under the target policy, shape (n, K + 1).

    Returns:
        ``expected_logged`` and ``expected_target`` of a `Log`, each of shape (n,).

    Raises:
        InputError: an action beyond the chances' columns; -1 for nothing is to be written as the last one.
    """
    actions, width = chances.shape[1], features.shape[1]
    if not ((action >= 0) & (action < actions)).all():
        _refuse_row("action", action, (action < 0) | (action >= actions), f"actions from 0 to {actions - 1}")
    fold = np.unique(learner, return_inverse=True)[1] % _FOLDS
    xx, xy = np.zeros((_FOLDS, actions, width, width)), np.zeros((_FOLDS, actions, width))
    for part, kind in np.ndindex(_FOLDS, actions):
        x = features[rows := (fold == part) & (action == kind)]
        xx[part, kind], xy[part, kind] = x.T @ x, x.T @ reward[rows]
    held, expected = _RIDGE * np.eye(width), np.empty(chances.shape)
    for part in range(_FOLDS):
        others = np.arange(_FOLDS) != part
        square, product = xx[others].sum(axis=0), xy[others].sum(axis=0)
        common = np.linalg.solve(square.sum(axis=0) + held, product.sum(axis=0))
        own = np.linalg.solve(square + held, (product - square @ common)[..., None])[..., 0]
        expected[fold == part] = features[fold == part] @ (common + own).T
    return expected[np.arange(len(action)), action], (expected * chances).sum(axis=1)


def _refuse_row(name: str, column: NDArray[Any], wrong: NDArray[np.bool_], expected: str) -> None:
    """Name the first row of a column that is wrong."""
    row = int(np.argmax(wrong))
    raise InputError(f"log: {name}: row {row}", str(column[row]), expected)
