"""A challenge: a model fitted on earlier days meets the one in use on later days that neither was fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.errors import EngageError
from engine.risk import fitting, quality
from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS
from engine.risk.intervals import Interval, compared
from engine.risk.model import RiskModel
from engine.risk.registry import Registry
from engine.risk.rows import Flags, Numbers, Rows

LATER_DAYS = 28
_FEWEST_LEARNERS = 50  # on each side; of fewer nothing is learnt that would hold for others
_FEWEST_OF_EACH = 10  # ... and as many with each outcome, so that hardly any redrawing of learners lacks one

_HURDLES: dict[str, tuple[str, str, Callable[[Interval], bool]]] = {
    "auc": ("AUC", "not above 0", lambda ahead: ahead[0] <= 0),
    "brier": ("Brier score", "not below 0", lambda ahead: ahead[1] >= 0),
    "slope_error": ("calibration slope's distance from 1", "above 0", lambda ahead: ahead[0] > 0),
}
"""Of each figure that counts: its name, and with which intervals of the difference a challenger fails, in words."""


@dataclass(frozen=True)
class Verdict:
    """How the challenger did against the champion on later days.

    Args:
        promoted: whether it takes the champion's place.
        reason: in words.
        challenger: measures on the later days.
        champion: likewise.
        ahead: challenger's minus champion's figure and its 95% interval, both measured on the same redrawn learners.
    """

    promoted: bool
    reason: str
    challenger: dict[str, Any]
    champion: dict[str, Any]
    ahead: dict[str, tuple[float, Interval]]


def split(rows: Rows, later_days: int = LATER_DAYS) -> tuple[Rows, Rows]:
    """Return the rows to fit on and the later ones to judge on, of each log its own last days.

    Between the two lie the days that the earlier rows' labels look at, so that nothing of the later days is known to
    whoever is fitted on the earlier ones.

    Args:
        rows: of whole logs.
        later_days: to judge on.

    Raises:
        EngageError: one side would have too few learners, or too few with one of the outcomes.
    """
    end = np.array([rows.day[rows.source == source].max(initial=0) for source in range(int(rows.source.max()) + 1)])
    from_day = end[rows.source] - later_days + 1
    earlier = rows.where(rows.day + HORIZON_DAYS + SILENT_DAYS - 1 < from_day)
    later = rows.where(rows.day >= from_day)
    for name, part in (("earlier", earlier), ("later", later)):
        learners = len(np.unique(part.learner))
        going, staying = (len(np.unique(part.learner[part.dropped == outcome])) for outcome in (True, False))
        if learners < _FEWEST_LEARNERS or min(going, staying) < _FEWEST_OF_EACH:
            got = f"{learners} learners, {going} with days before a drop-off and {staying} with other days"
            expected = f"{_FEWEST_LEARNERS} learners or more, and {_FEWEST_OF_EACH} or more with each kind of days"
            raise EngageError(f"the {name} days to train on", got, expected, "Wait until more is known of them.")
    return earlier, later


def meet(challenger: RiskModel, champion: RiskModel, later: Rows) -> Verdict:
    """Return the verdict on two models.

    The challenger must rank better and err less (AUC and Brier score, by the whole interval of the difference), and
    must not be calibrated worse (the calibration slope's distance from 1, likewise). Of what has no interval, because
    some redrawn learners lack an outcome, nothing is proved.

    Args:
        challenger: fitted on earlier days.
        champion: in use.
        later: rows with all signals that either reads.

    Raises:
        EngageError: the rows lack some of these signals.
    """
    chances = [model.score(later.reading(model.signals).matrix)[:, 0] / 100 for model in (challenger, champion)]
    ahead = compared(later.learner, later.dropped, chances[0], chances[1], _measures)
    found = [_measures(later.dropped, chance, np.ones(len(later))) for chance in chances]
    failed = []
    for figure, (name, wrong, fails) in _HURDLES.items():
        if figure not in ahead:
            failed.append(f"{name} unknown, because some redrawn learners lack an outcome")
        elif fails(between := ahead[figure][1]):
            failed.append(f"{name} {between[0]:+.4f} to {between[1]:+.4f}, {wrong}")
    reason = "not better by a whole interval: " + "; ".join(failed) if failed else "better by the whole interval"
    return Verdict(not failed, reason, found[0], found[1], ahead)


def challenge(
    rows: Rows, champion: RiskModel, kinds: Sequence[str] = tuple(fitting.RECIPES), later_days: int = LATER_DAYS
) -> tuple[RiskModel, Verdict]:
    """Fit a challenger on earlier days and let it meet the champion on later ones.

    Args:
        rows: with all signals that the champion reads; the challenger takes those that move.
        champion: in use.
        kinds: of estimator to choose from.
        later_days: to judge on.

    Raises:
        EngageError: too little is known yet, see `split` and `engine.risk.fitting.fit`, or the rows lack signals that
            the champion reads.
    """
    rows.reading(champion.signals)  # refuses rows that lack some before the work is done
    earlier, later = split(rows, later_days)
    challenger, _ = fitting.fit(earlier.reading(fitting.worth_reading(earlier)), kinds)
    return challenger, meet(challenger, champion, later)


def _measures(dropped: Flags, chance: Numbers, weights: Numbers) -> dict[str, Any]:
    found = quality.measures(dropped, chance, weights)
    slope = found["calibration_slope"]
    return {**found, "slope_error": None if slope is None else abs(slope - 1)}


def contest(
    rows: Rows,
    registry: Registry,
    packaged: RiskModel,
    now_ms: int,
    *,
    trained_on: Sequence[dict[str, Any]],
    kinds: Sequence[str] = tuple(fitting.RECIPES),
    later_days: int = LATER_DAYS,
) -> tuple[RiskModel, Verdict]:
    """Let a challenger meet the registry's champion, keep both, and note what came of it.

    Args:
        rows: see `challenge`.
        registry: where models and decisions are kept.
        packaged: the champion where none was promoted yet, or where that one is unfit.
        now_ms: UTC instant of the decision.
        trained_on: what each log that the rows are of is, for whoever reads the model's file.
        kinds: of estimator to choose from.
        later_days: to judge on.

    Raises:
        EngageError: see `challenge`.
    """
    champion = registry.champion_or(packaged)
    challenger, verdict = challenge(rows, champion, kinds, later_days)
    told: dict[str, Any] = {
        "challenger": verdict.challenger,
        "champion": {"version": champion.version, **verdict.champion},
        "ahead": {name: {"difference": by, "interval": between} for name, (by, between) in verdict.ahead.items()},
        "reason": verdict.reason,
    }
    if (meant := registry.champion()) not in {None, champion.version}:
        told["stood_in_for"] = meant
    challenger = replace(challenger, about={**challenger.about, "trained_on": list(trained_on), "later_days": told})
    for model in (champion, challenger):
        registry.add(model)
    if verdict.promoted:
        registry.promote(challenger.version, now_ms, told)
    else:
        registry.note(now_ms, {"kept": champion.version, "refused": challenger.version, **told})
    return challenger, verdict
