"""A trial: how well estimators and simple baselines predict a label of learners whom they never saw.

Everything that is tuned or calibrated is so on the training side of a split alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from engine.risk import fitting
from engine.risk.intervals import Tally
from engine.risk.quality import measures
from engine.risk.rows import BUCKETS, Flags, Numbers, Rows, stable_hash

FOLDS = 5
COUNTS = ("recency", "active_7", "active")
"""What the middle baseline looks at: days since the last active day, active days of the last 7 and of all."""


@dataclass(frozen=True)
class Cases:
    """Learners with a label, each once.

    Args:
        signals: names of the columns of ``matrix``.
        matrix: (learners, signals).
        recent: what the baselines look at, by name: a number a learner.
        label: of each.
        falls: whether a true label is a falling away; else it is a return.
        group: of each; learners of one group are never on two sides.
    """

    signals: tuple[str, ...]
    matrix: Numbers
    recent: Mapping[str, Numbers]
    label: Flags
    falls: bool
    group: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.label)

    def where(self, keep: NDArray[Any]) -> Cases:
        """Return some of the learners."""
        recent = {name: values[keep] for name, values in self.recent.items()}
        return Cases(self.signals, self.matrix[keep], recent, self.label[keep], self.falls, self.group[keep])


Method = Callable[[Cases, Cases], Numbers]
"""From learners to fit on and others, whose label it does not look at, to the others' chance of a true label, 0-1."""


def by_group(cases: Cases) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield `FOLDS` splits into places to fit on and places to judge on, no group on both sides."""
    yield from GroupKFold(FOLDS).split(cases.matrix, cases.label, cases.group)


def engine_model(cases: Cases, others: Cases, names: Sequence[str] | None = None) -> Numbers:
    """Predict with the engine's own model, fitted on the label (a `Method`).

    Args:
        cases: to fit on.
        others: to predict.
        names: of the signals to look at; default: all that differ between learners.
    """
    bucket = np.array([stable_hash(group) % BUCKETS for group in cases.group.tolist()], np.int64)
    falls = cases.label if cases.falls else ~cases.label  # so that what makes risk rise does so here, too
    nothing, number = np.zeros(len(cases), np.int64), np.arange(len(cases))
    rows = Rows(cases.signals, cases.matrix, falls, nothing, number, nothing, bucket)
    rows = rows.reading([name for name in fitting.worth_reading(rows) if names is None or name in names])
    columns = [cases.signals.index(name) for name in rows.signals]
    model, _ = fitting.fit(rows)
    chance = model.score(others.matrix[:, columns])[:, 0] / 100
    return chance if cases.falls else 1 - chance


def _line(names: Sequence[str]) -> Method:
    def predict(cases: Cases, others: Cases) -> Numbers:
        line = make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, max_iter=1_000))
        line.fit(_columns(cases, names), cases.label)
        return np.asarray(line.predict_proba(_columns(others, names))[:, 1])

    return predict


def _boosting(cases: Cases, others: Cases) -> Numbers:
    names = sorted(set(cases.recent) & set(others.recent))
    boosting = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=200, max_leaf_nodes=15, early_stopping=False, random_state=0
    )
    with threadpool_limits(1 if len(cases) < fitting.MANY_ROWS else None):
        boosting.fit(_columns(cases, names), cases.label)
    return np.asarray(boosting.predict_proba(_columns(others, names))[:, 1])


def _columns(cases: Cases, names: Sequence[str]) -> Numbers:
    return np.log1p(np.column_stack([cases.recent[name] for name in names]))


BASELINES: dict[str, Method] = {
    "days since the last active day": _line(["recency"]),
    "active days": _line(["active"]),
    "the two, and active days of 7": _line(COUNTS),
    "boosting on daily totals and kinds": _boosting,
}
"""Simple predictors, each a few lines, that anything better has to beat."""


def predicted(method: Method, cases: Cases, splits: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> Numbers:
    """Return what a method predicts of learners it never saw; NaN of those whom no split judges.

    Args:
        method: to judge.
        cases: all learners.
        splits: places to fit on and places to judge on; nobody is judged twice.
    """
    chance = np.full(len(cases), np.nan)
    for inside, outside in splits:
        chance[outside] = method(cases.where(inside), cases.where(outside))
    return chance


def judged(label: Flags, chance: Numbers) -> dict[str, Any]:
    """Return the measures of predictions, as `engine.risk.quality.measures`, and their ``intervals`` by learner."""
    tally = Tally(np.arange(len(label)), label, chance)
    return {**measures(label, chance, np.ones(len(label))), "intervals": tally.intervals(measures)}
