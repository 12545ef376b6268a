"""Scoring: the compiled evaluation of the risk model against scikit-learn's own `predict_proba`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from actors.scoring import ScoringActor
from benchmarks import workload
from benchmarks.measure import Table, millions, side_by_side, speed_ratio
from engine.risk.model import LinearRisk, linear_score
from engine.signals import compute, names

TITLE = "Scoring, one core"


def fitted(model: LinearRisk) -> Pipeline:
    """Return the same line as scikit-learn has it: standardisation, then a logistic regression."""
    width = len(model.signals)
    scaler, line = StandardScaler(), LogisticRegression()
    scaler.mean_, scaler.scale_, scaler.var_ = model.centre, model.scale, model.scale**2
    scaler.n_features_in_ = line.n_features_in_ = width
    line.coef_, line.intercept_ = model.coefficient[None, :], np.array([model.intercept])
    line.classes_ = np.array([0, 1])
    return make_pipeline(scaler, line)


def run(quick: bool) -> Table:
    """Measure on the signals of a cohort half-way through its course."""
    plan = workload.plan(2_000 if quick else 20_000, 21 if quick else 45, ("at_risk",))
    with workload.running(plan) as engine:
        engine.simulate()
        records = engine.runtime.ask(0, "records", 0)
    rows = np.flatnonzero(records["standing"] < len(workload.RULES.bands))
    matrix = compute(records, rows)
    columns = [names().index(name) for name in workload.MODEL.signals]
    chosen = np.ascontiguousarray(matrix[:, columns])
    ours, theirs = ScoringActor(workload.MODEL), fitted(workload.MODEL)

    weights, offset = workload.MODEL.weights
    logits = np.array([linear_score(row, weights, offset) for row in chosen])
    with threadpool_limits(1):
        assert np.abs(1 / (1 + np.exp(-logits)) - theirs.predict_proba(chosen)[:, 1]).max() < 1e-9

    def sklearn() -> Any:
        with threadpool_limits(1):
            began = time.perf_counter()
            theirs.predict_proba(chosen)
            return time.perf_counter() - began

    def engine_score() -> None:
        ours.score(matrix)

    def signals() -> None:
        compute(records, rows)

    timings = side_by_side(
        {
            "scikit-learn: predict_proba, no calibration": sklearn,
            "engine: risk and confidence, calibrated": engine_score,
            "engine: the signals themselves": signals,
        }
    )
    base = timings["scikit-learn: predict_proba, no calibration"]
    cells = [
        (name, millions(timing.rate(len(rows))), timing.spread(), f"{speed_ratio(timing, base):.2f}")
        for name, timing in timings.items()
    ]
    note = f"{len(rows):,} rows of {len(columns)} signals; scores equal within 1e-9 before calibration."
    return Table(("", "rows a second", "spread", "this / scikit-learn"), cells, note)
