"""What is known of each type's gain: regression on the decision log, shared by all policies that learn.

The reward of sending nothing is a line in the features; the gain of a type over it is another one, shrunk towards none.
That is a T-learner whose second stage sees residuals only, so that a type with few sends is thought to do nothing and
not to do anything. The sufficient statistics are whole numbers: they add up in any order, over actors, days and
experiments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compiled import compiled
from engine.notifications.catalogue import catalogue
from engine.policies.base import State
from engine.policies.features import COUNT, ONE

PRIOR_SD = 0.03
"""Spread of a type's gain by feature, active days: with some four features at 1 a learner, a gain of about 0.06 before
anything is known. Published messages move the chance of a day by 0.01 to 0.05."""
_RIDGE = 1.0  # pseudo-observations that hold the line of sending nothing at 0
_VARIANCE = 0.5  # of the reward, active days squared, until there is anything to tell it from
_FEW = 100  # observations below which it is not told from them


@dataclass(frozen=True)
class Gains:
    """The gain of each type over sending nothing, as a normal distribution over lines in the features.

    Args:
        mean: active days by type and feature, shape (types, features).
        covariance: shape (types, features, features).
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def nothing_learned() -> State:
    """Return the statistics of no decision at all; the last choice is to send nothing."""
    choices = len(catalogue().names) + 1
    return {
        "count": np.zeros(choices, np.int64),
        "xx": np.zeros((choices, COUNT, COUNT), np.int64),  # in 1/256 squared
        "xy": np.zeros((choices, COUNT), np.int64),  # in 1/256
        "yy": np.zeros(choices, np.int64),
    }


def learned(log: NDArray[Any], reward: str) -> State:
    """Return the statistics of matured decisions.

    Args:
        log: rows of `engine.policies.decisions.DECISION`.
        reward: its column that is the reward.
    """
    state = nothing_learned()
    _add(log["features"], log["chosen"], log[reward], state["count"], state["xx"], state["xy"], state["yy"])
    return state


@compiled
def _add(features: Any, chosen: Any, rewards: Any, count: Any, xx: Any, xy: Any, yy: Any) -> None:
    for i in range(len(chosen)):
        kind, reward = int(chosen[i]), int(rewards[i])  # -1 is the last choice
        if kind < 0:
            kind = len(count) - 1
        count[kind] += 1
        yy[kind] += reward * reward
        for a in range(features.shape[1]):
            x = int(features[i, a])
            xy[kind, a] += x * reward
            for b in range(features.shape[1]):
                xx[kind, a, b] += x * int(features[i, b])


def fit(state: State) -> Gains:
    """Return what statistics say of each type's gain; of none at all, the prior."""
    xx, xy = state["xx"] / float(ONE**2), state["xy"] / float(ONE)
    nothing = np.linalg.solve(xx[-1] + _RIDGE * np.eye(COUNT), xy[-1])
    variance = _VARIANCE
    if (count := int(state["count"][-1])) >= _FEW:
        variance = float(state["yy"][-1] - 2.0 * nothing @ xy[-1] + nothing @ xx[-1] @ nothing) / count
    variance = max(variance, 1e-6)
    precision = xx[:-1] / variance + np.eye(COUNT) / PRIOR_SD**2
    covariance = np.linalg.inv(precision)
    mean = np.einsum("kab,kb->ka", covariance, (xy[:-1] - xx[:-1] @ nothing) / variance)
    return Gains(mean, (covariance + covariance.transpose(0, 2, 1)) / 2.0)


@compiled
def _products(features: Any, lines: Any, out: Any) -> None:
    for i in range(features.shape[0]):
        for k in range(lines.shape[0]):
            total = 0.0
            for a in range(lines.shape[1]):
                total += features[i, a] * lines[k, a]
            out[i, k] = total


@compiled
def _forms(features: Any, squares: Any, out: Any) -> None:
    for i in range(features.shape[0]):
        for k in range(squares.shape[0]):
            total = 0.0
            for a in range(squares.shape[1]):
                part = 0.0
                for b in range(squares.shape[2]):
                    part += squares[k, a, b] * features[i, b]
                total += part * features[i, a]
            out[i, k] = total


def along(features: NDArray[np.int16], lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each line's value for each learner, shape (n, lines); a row does not depend on the others, unlike BLAS."""
    out = np.empty((len(features), len(lines)))
    _products(features / float(ONE), lines, out)
    return out


def spread(features: NDArray[np.int16], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of each line's value for each learner, shape (n, lines)."""
    out = np.empty((len(features), len(covariance)))
    _forms(features / float(ONE), covariance, out)
    return np.sqrt(np.maximum(out, 0.0))


def best(scores: NDArray[np.float64], options: NDArray[np.bool_], above: float = 0.0) -> NDArray[np.int8]:
    """Return the eligible type of the highest score, the first of equals; -1 where none is above a bound.

    Args:
        scores: shape (n, types).
        options: which types each learner may be sent, shape (n, types).
        above: the score that must be passed.
    """
    allowed = np.where(options, scores, -np.inf)
    kinds = np.argmax(allowed, axis=1)
    return np.where(allowed[np.arange(len(kinds)), kinds] > above, kinds, -1).astype(np.int8)
