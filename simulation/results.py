"""What a run comes to: ``result.json``'s content and the table of daily metrics, from counts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from engine.calendar import date_of
from engine.notifications.catalogue import catalogue
from simulation import claims
from simulation.claims import Verdict
from simulation.harness import Simulation
from simulation.metrics import METRICS
from simulation.series import MONTH_DAYS, Series, at, days_needed
from simulation.series import Moment as When

_DIGITS = 10  # significant digits of a float in result.json: more than any figure here bears


def series_of(simulation: Simulation, arm: int) -> list[Series]:
    """Return an arm's series, one a replication."""
    return [Series(counts[arm]) for counts in simulation.counts]


def judge(simulation: Simulation) -> list[Verdict]:
    """Return the verdict of each claim of the scenario, in its order."""
    scenario = simulation.scenario
    control = series_of(simulation, scenario.control) if scenario.claims else []
    drawn = scenario.responses == "drawn"
    return [
        claims.judge(claim, control, series_of(simulation, scenario.place(claim.arm)), drawn)
        for claim in scenario.claims
    ]


def key_figures(simulation: Simulation, arm: int) -> dict[str, float | None]:
    """Return an arm's figures at the ends of months 1 and 3 and of the run, each the mean over replications.

    A figure whose days were not simulated or whose denominator is zero is None.
    """
    every = series_of(simulation, arm)
    figures: dict[str, float | None] = {}
    for month in (1, 3):
        for metric in ("dau", "retention", "completions"):
            moment = When("month", month)
            known = days_needed(metric, moment) <= simulation.scenario.days
            values = [at(series, metric, moment).value() for series in every] if known else []
            figures[f"{metric}_month{month}"] = _mean(values)
    learners = simulation.scenario.learners
    sent = {name: [float(series.daily(f"sent_{name}").sum()) for series in every] for name in catalogue().names}
    prices = [(counts, catalogue().types[name].cost) for name, counts in sent.items()]
    figures["active_days_a_learner"] = _mean([float(series.daily("active").sum()) / learners for series in every])
    figures["sends_a_learner"] = _mean([sum(each) / learners for each in zip(*sent.values(), strict=True)])
    figures["cost_a_learner"] = sum((_mean(counts) or 0.0) * cost for counts, cost in prices) / learners
    last = [series.counts[-1].sum(axis=0) for series in every]
    figures["learners_completed"] = _mean([float(counts[METRICS.index("completions")]) for counts in last])
    for metric in ("xp", "units", "streaks_alive", "freezes_used"):
        figures[metric] = _mean([float(counts[METRICS.index(metric)]) for counts in last])
    for metric in METRICS:
        if metric.startswith("without_"):
            figures[metric] = _mean([float(counts[METRICS.index(metric)]) for counts in last])
    figures |= {f"sent_{name}": _mean(counts) for name, counts in sent.items()}
    return figures


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if values and len(known) == len(values) else None


def result(
    simulation: Simulation, verdicts: Sequence[Verdict], draws: Sequence[dict[str, float]], model_version: str
) -> dict[str, Any]:
    """Return the content of ``result.json``: stable keys, and nothing that differs between equal runs."""
    scenario = simulation.scenario
    content = {
        "scenario": scenario.model_dump(mode="json", exclude={"metrics"}),
        "model": model_version,
        "claims": [asdict(verdict) for verdict in verdicts],
        "arms": {arm.id: key_figures(simulation, place) for place, arm in enumerate(scenario.arms)},
        "draws": list(draws),
        "month_days": MONTH_DAYS,
        "digest": simulation.digest,
    }
    rounded: dict[str, Any] = _rounded(content)
    return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value


def daily_metrics(simulation: Simulation) -> pl.DataFrame:
    """Return one row for each arm, replication and day with the scenario's metrics, summed over learners."""
    scenario = simulation.scenario
    totals = simulation.counts.sum(axis=3)  # (replications, arms, days, metrics)
    replications, arms, days, _ = totals.shape
    flat = totals.transpose(1, 0, 2, 3).reshape(arms * replications * days, len(METRICS))
    dates = [date_of(scenario.first_day + day) for day in range(days)]
    columns: dict[str, Any] = {
        "arm": [arm.id for arm in scenario.arms for _ in range(replications * days)],
        "replication": [replication for _ in scenario.arms for replication in range(replications) for _ in range(days)],
        "day": list(range(days)) * (arms * replications),
        "date": dates * (arms * replications),
    }
    columns |= {metric: flat[:, METRICS.index(metric)] for metric in scenario.metrics}
    return pl.DataFrame(columns)
