"""The bare loop: one compiled function that runs all learners through all days, and reaches the harness's digest.

For policy `none` only. It calls the engine's rules (fold, view, signals, score) and the world's behaviour directly. It
leaves out everything around them: `Loop`, actors, messages, buffers, whole-cohort NumPy passes, outcomes, eligibility,
policies, metrics, the decision log and snapshots.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.traversal import Plain, plain, walked
from benchmarks.workload import MODEL, RULES
from engine import chance, fold, record, view
from engine.compiled import compiled
from engine.events import EVENT
from engine.risk.calibration import calibrated
from engine.risk.dropoff import standing
from engine.risk.trees import Trees
from engine.signals import catalogue, names
from engine.signals.catalogue import _generated  # the compiled pass itself: `compute` is the NumPy around it
from engine.signals.moment import SCRATCH
from simulation import activity
from simulation.behaviour import messages, plan_learner
from simulation.latent import LATENT, NOT_ACTIVE, create
from simulation.population import load_population
from simulation.response import draw, load_responses
from simulation.scenario import Scenario

_MOST_EVENTS = 4_096  # more than any population's day can hold
_compute_signals = _generated().compute


class Setting(NamedTuple):
    """All that does not change during a run, as compiled code takes it."""

    first_day: int
    days: int
    stream: int
    population: Any
    response: Any
    clocks: NDArray[Any]  # (days, zones)
    rules: Any
    band_starts: NDArray[np.float64]
    columns: NDArray[np.int64]  # of the model's signals among all
    trees: Plain
    knots: NDArray[np.float64]
    low: NDArray[np.float64]
    p: NDArray[np.float64]
    high: NDArray[np.float64]


class Scratch(NamedTuple):
    """Room for one learner's day."""

    events: NDArray[Any]
    row: NDArray[np.int64]
    signals: NDArray[np.float64]
    chosen: NDArray[np.float64]
    days: NDArray[np.int64]
    words: NDArray[np.float64]  # of the signals


@compiled
def _close(r: Any, day: int, s: Any) -> None:
    """Move the learner's today on to ``day``, by the clock alone."""
    if int(r["as_of"]) < day:
        fold.advance(r, day, s.rules)
        if int(r["active_days"]) > 0:
            view.refresh(r, False, s.rules)


@compiled
def _score(records: Any, i: int, s: Any, scratch: Any) -> None:
    """Compute the learner's signals, risk, confidence and standing."""
    r = records[i]
    risk = confidence = np.nan
    if standing(r, 0.0, s.band_starts) < len(s.band_starts):
        scratch.row[0] = i
        _compute_signals(records, scratch.row, scratch.signals, scratch.days, scratch.words)
        for place in range(len(s.columns)):
            scratch.chosen[place] = scratch.signals[0, s.columns[place]]
        risk, confidence = calibrated(walked(scratch.chosen, s.trees), s.knots, s.low, s.p, s.high)
    r["risk"] = risk
    r["confidence"] = confidence
    r["standing"] = standing(r, risk, s.band_starts)


@compiled
def _day(records: Any, latent: Any, i: int, today: int, s: Any, scratch: Any) -> None:
    """Run one learner through one day: close, score, behave, fold."""
    day = s.first_day + today
    r, person = records[i], latent[i]
    _close(r, day, s)
    _score(records, i, s, scratch)
    plan_learner(person, r, -1, 0, i, day, today, s.stream, s.population, s.response)
    if int(person["planned"]) < NOT_ACTIVE:
        volume = messages(person, today, s.response)[2]
        clock = s.clocks[today, int(person["zone"])]
        used = activity.fill_day(person, i, i, day, today, volume, s.stream, s.population, clock, scratch.events, 0)
        for place in range(used):
            fold.add(r, scratch.events[place], False, s.rules)
        view.refresh(r, True, s.rules)
    r["consent"] = person["consent"]


@compiled
def learner_by_learner(records: Any, latent: Any, s: Any, scratch: Any) -> None:
    """Run each learner through all days: a record stays in the nearest cache. No policy could look at everyone."""
    for i in range(len(records)):
        for today in range(s.days):
            _day(records, latent, i, today, s, scratch)
        _close(records[i], s.first_day + s.days, s)
        _score(records, i, s, scratch)


@compiled
def day_by_day(records: Any, latent: Any, s: Any, scratch: Any) -> None:
    """Run everyone through each day, as the engine has to: each day reads all records from memory."""
    for today in range(s.days):
        for i in range(len(records)):
            _day(records, latent, i, today, s, scratch)
    for i in range(len(records)):
        _close(records[i], s.first_day + s.days, s)
        _score(records, i, s, scratch)


def setting(scenario: Scenario) -> Setting:
    """Return the first replication of a scenario for compiled code."""
    population = load_population(scenario.population)
    stream = chance.stream(scenario.seed, 0)
    days = range(scenario.first_day, scenario.first_day + scenario.days)
    tables = population.tables()
    table, trees = MODEL.calibration, MODEL.estimator
    assert isinstance(trees, Trees), "the packaged model is of trees"
    assert scenario.responses == "drawn"
    assert not any(entry.vectorised for entry in catalogue()), "a vectorised signal has no place in a compiled loop"
    return Setting(
        scenario.first_day,
        scenario.days,
        stream,
        population.record(RULES),
        draw(load_responses(), stream).record(),
        np.stack([activity.clocks(day, tables) for day in days]),
        RULES.record,
        RULES.band_starts,
        np.array([names().index(name) for name in MODEL.signals]),
        plain(trees),
        table.knots,
        table.low,
        table.p,
        table.high,
    )


def scratch() -> Scratch:
    """Return room for one learner's day."""
    width = len(names())
    return Scratch(
        np.zeros(_MOST_EVENTS, EVENT),
        np.zeros(1, np.int64),
        np.zeros((1, width)),
        np.zeros(len(MODEL.signals)),
        np.zeros(1, np.int64),
        np.zeros(SCRATCH),
    )


def run(scenario: Scenario, s: Setting, loop: Callable[..., None]) -> NDArray[Any]:
    """Run all learners of a scenario through one of the two loops; return their final records."""
    records = record.new_records(scenario.learners, scenario.first_day)
    latent = np.zeros(scenario.learners, LATENT)
    create(latent, s.stream, 0, s.population)
    loop(records, latent, s, scratch())
    return records


def digest(records: NDArray[Any]) -> str:
    """Return what `simulation.harness` says of a run with this one arm and replication."""
    arm = record.digest([record.canonical_bytes(records)])
    return record.digest([arm.encode()])
