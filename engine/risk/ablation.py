"""Ablation: what more signals bring, from the best one over the best three to all, family by family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from engine.risk.rows import Numbers
from engine.risk.trial import Cases, Method, engine_model
from engine.signals import catalogue

ONE, THREE = "the best signal", "the best 3 signals"
_NEARLY_FREE = 1_000.0  # so little shrinkage that it only tells signals apart that say the same
_FIRST = ("recency", "frequency", "gaps", "intensity", "trend", "rhythm", "progress", "performance", "gamification")
"""Families from what every log tells to what few do; others follow as the catalogue has them."""


def best(cases: Cases, count: int, among: Sequence[str]) -> list[str]:
    """Return signals chosen one by one, each the one that lowers a logistic regression's loss most (forward selection).

    Args:
        cases: to choose on; whoever is judged must not be among them.
        count: how many.
        among: names to choose from.
    """
    moving = [name for name in among if np.ptp(cases.matrix[:, cases.signals.index(name)]) > 0]
    standard = StandardScaler().fit_transform(cases.matrix[:, [cases.signals.index(name) for name in moving]])
    chosen: list[int] = []
    for _ in range(min(count, len(moving))):
        losses = {
            place: _loss(standard[:, [*chosen, place]], cases) for place in range(len(moving)) if place not in chosen
        }
        chosen.append(min(losses, key=losses.__getitem__))
    return [moving[place] for place in chosen]


def _loss(matrix: Numbers, cases: Cases) -> float:
    """Return the loss that is left on the very learners that are fitted: a few coefficients learn nobody by heart."""
    line = LogisticRegression(C=_NEARLY_FREE, solver="newton-cholesky").fit(matrix, cases.label)
    log_odds = line.decision_function(matrix)
    return float(np.logaddexp(0, np.where(cases.label, -log_odds, log_odds)).mean())


def methods(among: Sequence[str]) -> dict[str, Method]:
    """Return the engine's model on growing sets of signals, by name; each family joins those before it.

    Args:
        among: names of the signals that there are; those of no family join the first one.
    """
    found: dict[str, Method] = {name: _chosen(count, among) for name, count in ((ONE, 1), (THREE, 3))}
    family = {entry.name: entry.family for entry in catalogue()}
    families = list(dict.fromkeys([*_FIRST, *family.values()]))
    so_far: list[str] = []
    for name in families:
        so_far += [each for each in among if family.get(each, families[0]) == name]
        found[f"{name if name == families[0] else f'+ {name}'} ({len(so_far)})"] = _of(tuple(so_far))
    return found


def _chosen(count: int, among: Sequence[str]) -> Method:
    return lambda cases, others: engine_model(cases, others, best(cases, count, among))


def _of(names: Sequence[str]) -> Method:
    return lambda cases, others: engine_model(cases, others, names)
