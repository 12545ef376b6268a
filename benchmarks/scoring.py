"""Scoring: the compiled signals and risk model against scikit-learn's own `predict_proba`, and what comes on top."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from actors.scoring import DirectScorer, ScoringActor
from api.shapes.reasons import reasons
from benchmarks import workload
from benchmarks.measure import Table, Work, millions, side_by_side, speed_ratio
from benchmarks.traversal import plain, walk
from engine.record import Records
from engine.risk import fitting
from engine.risk.model import RiskModel
from engine.risk.rows import Rows
from engine.signals import compute, names

TITLE = "Signals and scoring, one core"
_TOLD = 200  # learners whose reasons are given at a time


def cohort(quick: bool) -> tuple[Records, NDArray[np.int64]]:
    """Return a cohort half-way through its course, and the rows of those who are scored."""
    plan = workload.plan(2_000 if quick else 20_000, 21 if quick else 45, ("at_risk",))
    with workload.running(plan) as engine:
        engine.simulate()
        records = engine.runtime.ask(0, "records", 0)
    return records, np.flatnonzero(records["standing"] < len(workload.RULES.bands))


def refitted(matrix: NDArray[np.float64], size: dict[str, float]) -> tuple[Any, RiskModel]:
    """Return scikit-learn's boosting of a size, fitted to the packaged model's risk of a cohort, and ours of it."""
    packaged = workload.MODEL
    dropped = np.random.default_rng(0).random(len(matrix)) < packaged.score(matrix)[:, 0] / 100
    number = np.arange(len(matrix))
    rows = Rows(packaged.signals, matrix, dropped, np.zeros_like(number), number, number, number % 100)
    recipe = fitting.RECIPES["trees"]
    theirs = recipe.fit(rows, size)
    return theirs, RiskModel(packaged.signals, recipe.taken(theirs), packaged.calibration, packaged.typical)


def run(quick: bool) -> Table:
    """Measure on the signals of a cohort half-way through its course."""
    records, rows = cohort(quick)
    matrix = compute(records, rows)
    chosen = np.ascontiguousarray(matrix[:, [names().index(name) for name in workload.MODEL.signals]])
    size = fitting.RECIPES["trees"].sizes[-1]
    theirs, model = refitted(chosen, size)
    actor = ScoringActor(model)
    pool = DirectScorer(actor)
    trees, out = plain(model.estimator), np.empty(len(chosen))
    walk(chosen, trees, out)
    with threadpool_limits(1):
        expected = theirs.decision_function(chosen)
    assert np.abs(out - expected).max() < 1e-9
    assert np.abs(model.estimator.log_odds(chosen) - expected).max() < 1e-9

    def sklearn() -> float:
        with threadpool_limits(1):
            began = time.perf_counter()
            theirs.predict_proba(chosen)
            return time.perf_counter() - began

    def walking() -> None:
        walk(chosen, trees, out)

    def log_odds() -> None:
        model.estimator.log_odds(chosen)

    def score() -> None:
        model.score(chosen)

    def through_the_pool() -> None:
        pool.submit(matrix)()

    def signals() -> None:
        compute(records, rows)

    def learner_days() -> None:
        pool.submit(compute(records, rows))()

    def told() -> None:
        reasons(model, chosen[:_TOLD], matrix[:_TOLD])

    bare = "scikit-learn: predict_proba, not calibrated"
    works: dict[str, Work] = {
        bare: sklearn,
        "plain compiled traversal, not calibrated": walking,
        "engine: the same, by QuickScorer": log_odds,
        "engine: risk and confidence, checked and calibrated": score,
        "engine: the same, through the scoring actor": through_the_pool,
        "engine: the signals themselves": signals,
        "engine: signals and score, a whole learner-day": learner_days,
        "engine: reasons in words": told,
    }
    timings = side_by_side(works)
    counts = {name: _TOLD if work is told else len(rows) for name, work in works.items()}
    cells = [
        (
            name,
            millions(timing.rate(counts[name])),
            timing.spread(),
            f"{speed_ratio(timing, timings[bare]) * counts[name] / len(rows):.2f}",
        )
        for name, timing in timings.items()
    ]
    note = (
        f"{len(rows):,} rows; {len(names())} signals, of which the model reads {chosen.shape[1]}; "
        f"{size['trees']} trees of up to {size['leaves']} leaves; log-odds of all three equal within 1e-9."
    )
    return Table(("", "rows a second", "spread", "this / scikit-learn"), cells, note)
