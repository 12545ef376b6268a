"""Evaluation: a risk model on every scored learner-day of an event log, and how early its alarms ring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.risk import intervals, quality
from engine.risk.dropoff import SILENT_DAYS, beginnings
from engine.risk.intervals import Tally
from engine.risk.model import RiskModel
from engine.risk.rows import Flags, Numbers, stable_hash
from engine.rules import Rules
from engine.signals import compute, names
from simulation import unseen
from simulation.logs import Days, Population, Progress, days_of, replayed

EARLY_DAYS = (3, 7)
"""Days before the first silent day between which an alarm is early and not premature: the product's promise."""
TENURES = {"day 0": 0, "days 1-6": 1, "days 7-27": 7, "days 28-83": 28, "day 84 on": 84}
"""Slices of a learner's life, by their first day."""
SPARING = "model, on active days"
"""Alarms that ring on active days alone, where they are early or wrong, and hold until the next one."""
_BINS = 10
_FEWEST_LEARNERS = 20  # a slice with fewer says nothing
_EPOCH = date(1970, 1, 1)

Labels = NDArray[np.str_]


@dataclass(frozen=True)
class Panel:
    """Every scored learner-day of a log, ordered by day.

    Args:
        days: what became of everyone.
        last: the last column with data, of each learner.
        learner: number of the learner of each row.
        column: day of each row, as a column of ``days``.
        chance: predicted probability of drop-off, 0-1.
        width: of its 95% interval, 0-1.
        silent_days: at the end of the day.
        tenure_days: since the learner's first active day.
        judged: whether learner-days were left out because the model was fitted on them, in words.
    """

    days: Days
    last: NDArray[np.int64]
    learner: NDArray[np.int64]
    column: NDArray[np.int64]
    chance: Numbers
    width: Numbers
    silent_days: NDArray[np.int64]
    tenure_days: NDArray[np.int64]
    judged: str = unseen.NEW

    @property
    def dropped(self) -> Flags:
        """Whether each row's learner dropped off; only to be looked at where it is known."""
        return self.days.labels.dropped[self.learner, self.column]

    @property
    def known(self) -> Flags:
        """Whether there are data enough to tell."""
        return self.days.labels.known[self.learner, self.column]


def panel(log: Population, model: RiskModel, rules: Rules, progress: Progress | None = None) -> Panel:
    """Return every learner-day that is scored, with what the model says at its end.

    Of a log that the model was fitted on, only the learner-days that it was not fitted on.

    Args:
        log: to replay.
        model: to judge.
        rules: of the product.
        progress: called after each day.

    Raises:
        InputError: the log is too short for anyone's label to be known, or the model was fitted on all that is known.
    """
    days = days_of(log)
    inside = np.arange(days.active.shape[1]) <= (log.last_day - days.first)[:, None]
    scored = days.labels.eligible & inside
    if not (scored & days.labels.known).any():
        expected = f"more than {days.active.shape[1]} days, so that it is known what became of somebody"
        raise InputError(f"event log {log.name!r}", f"{days.active.shape[1]} days", expected, "Take a longer log.")
    fitted_on, told_of = unseen.seen(log, model, days.first, days.active.shape[1])
    scored &= ~fitted_on
    if not (scored & days.labels.known).any():
        got, remedy = "one that the model was fitted on, as far as it is known", "Take a longer log, or of others."
        raise InputError(f"event log {log.name!r}", got, "learners or days it has not seen", remedy)
    columns = [names().index(name) for name in model.signals]
    learner, column, scores = [], [], []
    for day, loop in replayed(log, rules, progress=progress):
        rows = np.flatnonzero(scored[:, day - days.first])
        learner.append(rows)
        column.append(np.full(len(rows), day - days.first))
        scores.append(model.score(compute(loop.records, rows)[:, columns]))
    who, when, told = np.concatenate(learner), np.concatenate(column), np.concatenate(scores)
    place = np.arange(days.active.shape[1])
    newest = np.maximum.accumulate(np.where(days.active, place, -1), axis=1)
    first = days.active.argmax(axis=1)
    return Panel(
        days,
        log.last_day - days.first,
        who,
        when,
        told[:, 0] / 100,
        1 - told[:, 1] / 100,
        when - newest[who, when],
        when - first[who],
        told_of,
    )


def evaluate(panel: Panel, segments: Mapping[str, Labels] | None = None) -> dict[str, Any]:
    """Return all that is told of a model on a log: every figure with its 95% interval by learner.

    Args:
        panel: from `panel`.
        segments: further groupings of the learners, by name: a label for each learner.
    """
    known = panel.known
    month = np.array(
        [str(_EPOCH + timedelta(days=panel.days.first + int(day)))[:7] for day in panel.days.active.argmax(axis=1)]
    )
    slices = {
        "cohort": month[panel.learner],
        "tenure": _tenure(panel.tenure_days),
        "silent days": np.array(["0", "1-3", "4-6", "7-13"])[np.searchsorted([1, 4, 7], panel.silent_days, "right")],
        **{name: labels[panel.learner] for name, labels in (segments or {}).items()},
    }
    threshold = float(np.quantile(panel.chance[known], 1 - quality.BUDGETS[-1]))
    return {
        "learners": len(np.unique(panel.learner[known])),
        "judged": panel.judged,
        "overall": _measured(panel, known, quality.measures),
        "budgets": {
            name: _measured(panel, known, quality.at_budgets, scores) for name, scores in rankings(panel).items()
        },
        "reliability": _reliability(panel, known),
        "slices": {
            name: {label: _slice(panel, known & (labels == label), threshold) for label in _ordered(name, labels)}
            for name, labels in slices.items()
        },
        "lead_time": lead_times(panel),
    }


def rankings(panel: Panel) -> dict[str, Numbers]:
    """Return by what an alarm could ring, highest first, by name; `SPARING` spends nothing on those already silent."""
    return {
        "model": panel.chance,
        SPARING: np.where(panel.silent_days == 0, panel.chance, -1.0),
        "recency rule": panel.silent_days.astype(np.float64),
    }


def _measured(panel: Panel, rows: Flags, measure: intervals.Measure, scores: Numbers | None = None) -> dict[str, Any]:
    told = panel.chance if scores is None else scores
    tally = Tally(panel.learner[rows], panel.dropped[rows], told[rows])
    point = measure(panel.dropped[rows], told[rows], np.ones(np.count_nonzero(rows)))
    return {**point, "intervals": tally.intervals(measure)}


def _slice(panel: Panel, rows: Flags, threshold: float) -> dict[str, Any]:
    """Return the measures of some rows, and the error rates where the highest tenth of all rings an alarm."""
    learners = len(np.unique(panel.learner[rows]))
    if learners < _FEWEST_LEARNERS:
        return {"learners": learners, "learner_days": int(np.count_nonzero(rows))}
    dropped, alarm, who = panel.dropped[rows], panel.chance[rows] >= threshold, panel.learner[rows]
    rates = {}
    for name, part, wrong in (("missed", dropped, ~alarm), ("false_alarms", ~dropped, alarm)):
        value, interval = intervals.share(who[part], wrong[part])
        rates[name] = {"share": value, "interval": interval}
    return {
        "learners": learners,
        "mean_risk": float(panel.chance[rows].mean()),
        **_measured(panel, rows, quality.measures),
        **rates,
    }


def _tenure(tenure_days: NDArray[np.int64]) -> Labels:
    starts = np.array(list(TENURES.values()))
    return np.array(list(TENURES))[np.searchsorted(starts, tenure_days, "right") - 1]


def _ordered(name: str, labels: Labels) -> list[str]:
    there = set(np.unique(labels).tolist())
    return [label for label in TENURES if label in there] if name == "tenure" else sorted(there)


def _reliability(panel: Panel, known: Flags) -> list[dict[str, Any]]:
    """Return what happened in bins of equally many predictions, lowest first, beside what was said."""
    chance, dropped, who, width = panel.chance[known], panel.dropped[known], panel.learner[known], panel.width[known]
    order = np.argsort(chance, kind="stable")
    found = []
    for part in np.array_split(order, _BINS):
        value, interval = intervals.share(who[part], dropped[part])
        said = float(chance[part].mean())
        found.append({
            "said": said, "happened": value, "interval": interval, "width": float(width[part].mean()),
            "learner_days": len(part),
        })  # fmt: skip
    return found


def lead_times(panel: Panel) -> dict[str, Any]:
    """Return how long before the first silent day of a drop-off an alarm rang that then stayed, at each budget.

    An alarm rings for the learner-days with the highest scores, as many as the budget allows over the whole log; of
    equals, always for the same learners. It stays if it rings on every day from then to the last active day, so no
    alarm is counted that a silence has set off.
    """
    shape = panel.days.active.shape
    ends = np.arange(shape[1]) + SILENT_DAYS - 1
    begins = beginnings(panel.days.active) & (ends <= panel.last[:, None])
    judged = np.zeros(shape, bool)
    judged[panel.learner, panel.column] = True
    begins[:, 1:] &= judged[:, :-1]  # the last active day is one of those that are judged
    who, first = np.nonzero(begins)
    lived = first - panel.days.active.argmax(axis=1)[who]
    found: dict[str, Any] = {
        "drop_offs": len(who),
        "learners": len(np.unique(who)),
        "lived_long_enough": float((lived >= EARLY_DAYS[0]).mean()) if len(who) else None,
    }
    newest = np.maximum.accumulate(np.where(panel.days.active, np.arange(shape[1]), 0), axis=1)
    luck = np.array([stable_hash(str(each)) for each in range(shape[0])], np.uint64)[panel.learner]
    for name, scores in rankings(panel).items():
        rows, order = {}, np.lexsort((luck, scores))
        for budget in quality.BUDGETS:
            rings = order[len(order) - int(budget * len(order)) :]
            alarm = np.zeros(shape, bool)
            alarm[panel.learner[rings], panel.column[rings]] = True
            if name == SPARING:
                alarm = np.take_along_axis(alarm, newest, axis=1)
            rows[f"{budget:.0%}"] = _lead(alarm, who, first)
        found[name] = rows
    return found


def _lead(alarm: Flags, who: NDArray[np.int64], first: NDArray[np.int64]) -> dict[str, Any]:
    """Return the lead times of drop-offs that begin on a day, in days; 0 = no alarm rang on the day before."""
    place = np.arange(alarm.shape[1])
    quiet = np.maximum.accumulate(np.where(alarm, -1, place), axis=1)  # newest day without an alarm
    lead = first - 1 - quiet[who, first - 1]
    low, high = EARLY_DAYS
    total = np.concatenate([np.zeros((len(alarm), 1), np.int64), np.cumsum(alarm, axis=1)], axis=1)
    rang = total[who, np.maximum(first - low + 1, 0)] - total[who, np.maximum(first - high, 0)] > 0
    told: dict[str, Any] = {}
    flags = {"ahead": lead >= 1, "early": (lead >= low) & (lead <= high), "early_or_before": lead >= low, "rang": rang}
    for name, hit in flags.items():
        value, interval = intervals.share(who, hit)
        told[name] = {"share": value, "interval": interval}
    told["days"] = np.bincount(np.minimum(lead, 15), minlength=16).tolist()
    return told
