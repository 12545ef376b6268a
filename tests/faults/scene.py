"""A small run of the flagship, made to be repeated: in other layouts, on other runtimes, with kills."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from actors.directory import Directory, in_blocks
from actors.local import LocalRuntime
from actors.ports import WorldMaker
from actors.spec import ActorSpec
from engine import rules as engine_rules
from engine.policies import State
from engine.risk import model as risk_model
from simulation import harness, scenario
from simulation.harness import Progress, Simulation
from simulation.metrics import CohortMeter
from simulation.population import load_population
from simulation.response import load_responses
from simulation.scenario import Arm, Scenario
from simulation.world import SyntheticWorlds

RULES = engine_rules.load()
DAYS, REPLICATIONS = 12, 2
NEVER_S = 1e9  # no snapshot within a test
FLAGSHIP = scenario.load("retention_claims").with_overrides(learners=400, days=DAYS, replications=REPLICATIONS)
SHARING = tuple(Arm(id=name, policy=name, params={}) for name in ("thompson", "outreach_capacity"))
PLAN = FLAGSHIP.model_copy(update={"arms": (*FLAGSHIP.arms, *SHARING)})
CONTROL, TREATED, LEARNING, CAPACITY = range(4)  # places of the arms


def worlds(plan: Scenario = PLAN) -> SyntheticWorlds:
    population, responses = load_population(plan.population), load_responses()
    return SyntheticWorlds(population, responses, plan.seed, plan.first_day, RULES, plan.responses)


def specs(
    layout: Directory,
    plan: Scenario = PLAN,
    log: Path | None = None,
    snapshot_s: float = NEVER_S,
    maker: WorldMaker | None = None,
) -> list[ActorSpec]:
    return harness.specs(plan, layout, RULES, maker or worlds(plan), CohortMeter.by(RULES), log, snapshot_s)


def on_one_actor(plan: Scenario, directory: Path, progress: Progress | None = None) -> tuple[Simulation, LocalRuntime]:
    """Run in this process, all learners in one actor."""
    layout = in_blocks(plan.learners, actors=1)
    runtime = LocalRuntime(specs(layout, plan), risk_model.load(), directory)
    return harness.simulate(plan, layout, runtime, progress), runtime


def assert_same(got: Simulation, expected: Simulation) -> None:
    """The same final records by the digest, the same counts and decisions on the way, and the same learned."""
    assert got.digest == expected.digest
    np.testing.assert_array_equal(got.counts, expected.counts)
    for ours, theirs in zip(got.decisions, expected.decisions, strict=True):
        assert told(ours) == told(theirs)
    for ours, theirs in zip(got.knowledge, expected.knowledge, strict=True):
        assert list(map(told_all, ours)) == list(map(told_all, theirs))


def told_all(arrays: State) -> dict[str, Any]:
    """Return all that named arrays say."""
    return {name: told(array) for name, array in arrays.items()}


def told(array: Any) -> Any:
    """Return all that an array says: type, shape and the bytes of each field, NaN included and padding not."""
    if array.dtype.names:
        return {name: told(array[name]) for name in array.dtype.names}
    return array.dtype, array.shape, array.tobytes()


def lines(log: Path) -> list[dict[str, int]]:
    """Return the day log: a line for each day that an actor applied; one that a kill has cut off is left out."""
    text = log.read_text() if log.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def when_applied(log: Path, actor: int, days: list[int], strike: Callable[[dict[str, int]], Any]) -> Progress:
    """Return a progress callback that strikes when the log shows that the actor has applied so many days.

    Args:
        log: the day log.
        actor: the victim.
        days: numbers of lines of the victim, in rising order; each strikes once.
        strike: called with the victim's newest line.
    """
    waiting = list(days)

    def progress(_done: int, _total: int) -> None:
        if waiting:
            mine = [line for line in lines(log) if line["actor"] == actor]
            if len(mine) >= waiting[0]:
                waiting.pop(0)
                strike(mine[-1])

    return progress
