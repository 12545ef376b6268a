"""How well a risk model does: ranking, calibration and error, on learners it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from engine.risk.model import Numbers, RiskModel
from engine.risk.rows import Flags, Rows

_EDGE = 1e-6  # probabilities of 0 and 1 have no logit


def measures(dropped: Flags, chance: Numbers, weights: Numbers) -> dict[str, float | int | None]:
    """Return the usual measures of predicted probabilities.

    Args:
        dropped: what happened.
        chance: predicted probability, 0-1.
        weights: of the rows.

    Returns:
        AUC, average precision, base rate, Brier score and calibration slope (1 = as spread as it should be; below 1 =
        too extreme); None where only one outcome occurs.
    """
    found: dict[str, float | int | None] = {
        "learner_days": len(dropped),
        "base_rate": float(np.average(dropped, weights=weights)) if len(dropped) else None,
        "auc": None,
        "average_precision": None,
        "brier": None,
        "calibration_slope": None,
    }
    if len(np.unique(dropped)) < 2:
        return found
    odds = np.clip(chance, _EDGE, 1 - _EDGE)
    logit = np.log(odds / (1 - odds))[:, None]
    slope = LogisticRegression(C=np.inf, max_iter=1000).fit(logit, dropped, weights).coef_[0, 0]
    found["auc"] = float(roc_auc_score(dropped, chance, sample_weight=weights))
    found["average_precision"] = float(average_precision_score(dropped, chance, sample_weight=weights))
    found["brier"] = float(brier_score_loss(dropped, chance, sample_weight=weights))
    found["calibration_slope"] = float(slope)
    return found


BUDGETS = (0.01, 0.05, 0.1)
"""Shares of the scored learner-days on which there is somebody to act."""


def at_budgets(dropped: Flags, chance: Numbers, weights: Numbers) -> dict[str, float | None]:
    """Return how many drop-offs the highest predictions hold, for each of `BUDGETS`.

    Where several predictions tie at the edge of a budget, as large a part of each of them is taken as still fits.

    Args:
        dropped: what happened.
        chance: predicted, or any other score.
        weights: of the rows.

    Returns:
        ``recall_k`` (share of all drop-offs that are among the highest k%) and ``precision_k`` (share of those k% that
        drop off); None where there is nothing to divide by.
    """
    levels, place = np.unique(-chance, return_inverse=True)
    every = np.bincount(place, weights, len(levels))
    bad = np.bincount(place, weights * dropped, len(levels))
    found: dict[str, float | None] = {}
    for budget in BUDGETS:
        room = budget * every.sum()
        taken = np.clip((room - (np.cumsum(every) - every)) / every, 0, 1)
        caught = float((taken * bad).sum())
        found[f"recall_{budget:.0%}"] = caught / float(bad.sum()) if bad.any() else None
        found[f"precision_{budget:.0%}"] = caught / float(room) if room else None
    return found


def by_source(model: RiskModel, rows: Rows, names: Sequence[str]) -> dict[str, Any]:
    """Return the measures of a model for each log, and pooled with every log weighing the same.

    Args:
        model: what is judged.
        rows: learner-days it never saw.
        names: of the logs, by number.
    """
    chance = model.score(rows.matrix)[:, 0] / 100
    found = {"pooled": measures(rows.dropped, chance, rows.weights())}
    for number, name in enumerate(names):
        mine = rows.source == number
        found[name] = measures(rows.dropped[mine], chance[mine], np.ones(np.count_nonzero(mine)))
    return found
