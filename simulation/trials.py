"""Trials: a task on a data set, with the engine's signals and model beside the baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.risk import ablation, intervals, trial
from engine.risk.fitting import SEASONS
from engine.risk.quality import measures
from engine.risk.trial import Cases, Method
from engine.rules import Rules
from engine.signals import names
from simulation import tasks
from simulation.tasks import base

ENGINE, WITH_CONTEXT = "engine: signals and model", "engine: with the task's context"


def cases_of(task: base.Task, rules: Rules) -> Cases:
    """Return a task's learners with signals, context and what the baselines look at."""
    told, matrix = base.signals(task, rules)
    context = np.column_stack([matrix, *task.context.values()])
    return Cases((*told, *task.context), context, base.recent(task), task.label, task.falls, np.array(task.group))


def run(
    name: str,
    source_dir: Path,
    rules: Rules,
    test_dir: Path | None = None,
    progress: Callable[[str], None] = print,
    *,
    ablate: bool = False,
) -> dict[str, Any]:
    """Return how well the engine's model and the baselines do on a task, each against the strongest simple one.

    Args:
        name: of the task.
        source_dir: the data set.
        rules: of the product.
        test_dir: a data set of the same layout, to judge on instead; then all of ``source_dir`` is fitted on.
        progress: called with the name of each method before it runs.
        ablate: compare the engine's model on growing sets of signals instead, against the best three.

    Raises:
        InputError: no such task, or a data set that is not whole.
    """
    loader = tasks.task(name)
    task = loader.load(source_dir)
    cases = cases_of(task, rules)
    if test_dir is not None:
        later = loader.load(test_dir)
        cases, splits = _joined(cases, cases_of(later, rules))
        split = f"trained on all of {source_dir.name}, judged on {test_dir.name}"
    elif task.test is not None:
        splits = [(np.flatnonzero(~task.test), np.flatnonzero(task.test))]
        split = "trained on earlier learners, judged on later ones"
    else:
        splits = list(trial.by_group(cases))
        split = f"{trial.FOLDS} folds by group"
    signals = [signal for signal in (*names(), base.NOT_STARTED) if signal not in SEASONS]
    methods = ablation.methods(signals) if ablate else _methods(signals, task)
    judged = np.sort(np.concatenate([outside for _, outside in splits]))
    label, chances = cases.label[judged], {}
    for method, predict in methods.items():
        progress(method)
        chances[method] = trial.predicted(predict, cases, splits)[judged]
    found = {method: trial.judged(label, chance) for method, chance in chances.items()}
    rivals = [ablation.THREE] if ablate else trial.BASELINES
    against = max(rivals, key=lambda method: float(found[method]["auc"]))
    for method, row in found.items():
        ahead = intervals.compared(np.arange(len(label)), label, chances[method], chances[against], measures)
        row["ahead"] = {figure: {"difference": by, "interval": interval} for figure, (by, interval) in ahead.items()}
    return {
        "task": task.name, "learners": len(judged), "question": _first_line(loader), "split": split,
        "against": against, "methods": found,
    }  # fmt: skip


def _methods(signals: list[str], task: base.Task) -> dict[str, Method]:
    methods = dict(trial.BASELINES)
    methods[ENGINE] = lambda inside, outside: trial.engine_model(inside, outside, signals)
    if task.context:
        wider = [*signals, *task.context]
        methods[WITH_CONTEXT] = lambda inside, outside: trial.engine_model(inside, outside, wider)
    return methods


def _joined(cases: Cases, later: Cases) -> tuple[Cases, Sequence[Any]]:
    """Return the learners of two data sets in one table, and the split between them."""
    shared = sorted(set(cases.recent) | set(later.recent))
    nothing = np.zeros
    recent = {
        name: np.concatenate([each.recent.get(name, nothing(len(each))) for each in (cases, later)]) for name in shared
    }
    together = Cases(
        cases.signals,
        np.concatenate([cases.matrix, later.matrix]),
        recent,
        np.concatenate([cases.label, later.label]),
        cases.falls,
        np.concatenate([cases.group, later.group]),
    )
    places = np.arange(len(together))
    return together, [(places[: len(cases)], places[len(cases) :])]


def _first_line(loader: tasks.Loader) -> str:
    return (loader.__doc__ or "").strip().splitlines()[0]
