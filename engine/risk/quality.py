"""How well a risk model does: ranking, calibration and error, on learners it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from engine.risk.fitting import Flags, Rows
from engine.risk.model import LinearRisk, Numbers

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


def by_source(model: LinearRisk, rows: Rows, names: Sequence[str]) -> dict[str, Any]:
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
