"""Fitting: an estimator of scikit-learn's, its kind, size and calibration from scores across folds of learners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from engine.errors import EngageError, InputError, did_you_mean
from engine.risk import drift
from engine.risk.calibrate import calibrate
from engine.risk.linear import Linear
from engine.risk.model import Estimator, RiskModel
from engine.risk.rows import Numbers, Rows
from engine.risk.trees import LEAF, Trees
from engine.signals import catalogue

_FOLDS = 4
_RATE, _SHRINKAGE, _SHARE = 0.05, 5.0, 0.3  # of boosting: step, ridge on the leaves, signals that a split may look at
SEASONS = ("season_cosine", "season_sine")
"""Signals that tell one year's history apart, and not the next one's seasons: no model reads them."""
MANY_ROWS = 20_000  # with fewer, threads wait for each other longer than they work, on a busy machine a hundred times


@dataclass(frozen=True)
class Recipe:
    """How an estimator is fitted.

    Args:
        make: makes scikit-learn's, for the signals of rows, of one of the sizes.
        sizes: to choose from, the most cautious first; a small one does better on few learners.
        step: name under which the pipeline's last step takes weights, None = it is no pipeline.
        taken: takes the numbers out of it.
    """

    make: Callable[..., Any]
    sizes: tuple[dict[str, float], ...]
    step: str | None
    taken: Callable[[Any], Estimator]

    def fit(self, rows: Rows, size: dict[str, float]) -> Any:
        """Fit scikit-learn's estimator; every log weighs the same."""
        made = self.make(rows.signals, **size)
        weights = {f"{self.step}__sample_weight" if self.step else "sample_weight": rows.weights()}
        with threadpool_limits(1 if len(rows) < MANY_ROWS else None):
            return made.fit(rows.matrix, rows.dropped, **weights)


def _regression(_signals: tuple[str, ...], inverse_penalty: float) -> Any:
    regression = LogisticRegression(C=inverse_penalty, solver="newton-cholesky", tol=1e-8)
    return make_pipeline(StandardScaler(), regression)


def _line(pipeline: Any) -> Linear:
    scaler, regression = pipeline[0], pipeline[-1]
    return Linear(float(regression.intercept_[0]), scaler.mean_, scaler.scale_, regression.coef_[0])


def _boosting(signals: tuple[str, ...], trees: int, leaves: int, least_rows: int) -> Any:
    known = {entry.name: entry.monotone for entry in catalogue()}
    return HistGradientBoostingClassifier(
        learning_rate=_RATE,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=least_rows,
        l2_regularization=_SHRINKAGE,
        max_features=_SHARE,
        monotonic_cst=[known.get(name, 0) for name in signals],
        early_stopping=False,
        random_state=0,
    )


def _trees(boosting: Any) -> Trees:
    """Take the numbers out of scikit-learn's trees, each of which numbers its nodes from 0."""
    nodes = [predictors[0].nodes for predictors in boosting._predictors]
    count = [len(each) for each in nodes]
    first = np.repeat(np.cumsum([0, *count[:-1]]), count)
    every = np.concatenate(nodes)
    leaf = every["is_leaf"].astype(bool)
    return Trees(
        float(boosting._baseline_prediction[0, 0]),
        np.repeat(np.arange(len(nodes)), count),
        np.where(leaf, LEAF, every["feature_idx"]),
        np.where(leaf, 0.0, every["num_threshold"]),
        np.where(leaf, 0, every["left"] + first),
        np.where(leaf, 0, every["right"] + first),
        np.where(leaf, every["value"], 0.0),
    )


RECIPES = {
    "linear": Recipe(
        _regression,
        tuple({"inverse_penalty": each} for each in (0.001, 0.01, 0.1, 1.0)),
        "logisticregression",
        _line,
    ),
    "trees": Recipe(
        _boosting,
        (
            {"trees": 150, "leaves": 6, "least_rows": 60},
            {"trees": 120, "leaves": 32, "least_rows": 200},
        ),
        None,
        _trees,
    ),
}
"""How each estimator of `engine.risk.model.ESTIMATORS` is fitted, the simplest first."""


def worth_reading(rows: Rows) -> tuple[str, ...]:
    """Return the signals that a model may read: those that move in every log, seasons left out.

    What moves in one log alone tells the logs apart, and how often learners drop off in each; on a third platform that
    would be wrong.
    """
    moves = np.ones(len(rows.signals), bool)
    for source in np.unique(rows.source):
        mine = rows.matrix[rows.source == source]
        moves &= mine.min(axis=0) < mine.max(axis=0)
    return tuple(name for name, varies in zip(rows.signals, moves, strict=True) if varies and name not in SEASONS)


def fit(rows: Rows, kinds: Sequence[str] = tuple(RECIPES)) -> tuple[RiskModel, Any]:
    """Return a calibrated model, and the scikit-learn estimator that it evaluates.

    Every row is scored by estimators that were fitted without its learner (cross-fitting), which serves twice: the kind
    and size with the least loss are chosen, and their scores are what the calibration is tabulated on. The chosen one
    is then fitted on all rows.

    Args:
        rows: to fit and calibrate on; learners fall into folds by their buckets.
        kinds: of estimator to choose from, of `RECIPES`.

    Raises:
        InputError: there is no such kind.
        EngageError: a signal that is not finite, or too few learners for both outcomes in each fold.
    """
    for kind in kinds:
        if kind not in RECIPES:
            raise InputError("kind of model", repr(kind), " or ".join(RECIPES), did_you_mean(kind, RECIPES))
    bad = ~np.isfinite(rows.matrix).all(axis=0)
    if bad.any():
        names = ", ".join(np.array(rows.signals)[bad])
        raise EngageError(f"signals to train on: {names}", "values that are not finite", "finite numbers")
    fold = rows.bucket % _FOLDS
    for number in range(_FOLDS):
        if len(np.unique(rows.dropped[fold != number])) < 2:
            got = f"{len(rows)} learner-days, {int(rows.dropped.sum())} before a drop-off"
            expected = f"both outcomes in any {_FOLDS - 1} of {_FOLDS} folds of learners"
            raise EngageError("training data", got, expected, "Train on more learners or on a longer log.")
    weights, least = rows.weights(), np.inf
    chosen: tuple[str, dict[str, float]] = ("", {})
    scores = np.zeros(0)
    for kind in kinds:
        for size in RECIPES[kind].sizes:
            each = _cross_fitted(rows, fold, RECIPES[kind], size)
            loss = float(np.average(np.logaddexp(0, np.where(rows.dropped, -each, each)), weights=weights))
            if loss < least:
                least, chosen, scores = loss, (kind, size), each
    recipe, size = RECIPES[chosen[0]], chosen[1]
    fitted = recipe.fit(rows, size)
    calibration = calibrate(scores, rows.dropped, rows.witness_weights())
    typical = np.median(rows.matrix, axis=0)
    about = {"size": size, "reference": drift.reference(rows), "fitted_on": rows.reach()}
    return RiskModel(rows.signals, recipe.taken(fitted), calibration, typical, about), fitted


def _cross_fitted(rows: Rows, fold: NDArray[np.int64], recipe: Recipe, size: dict[str, float]) -> Numbers:
    """Return the log-odds of each row by an estimator that was fitted on the other folds."""
    scores = np.empty(len(rows))
    for number in np.unique(fold):
        outside = fold == number
        scores[outside] = recipe.taken(recipe.fit(rows.where(~outside), size)).log_odds(rows.matrix[outside])
    return scores
