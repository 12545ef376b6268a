"""The work that is measured: scenarios by size, run through the same harness as `engage simulate`."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from actors.directory import Directory, in_blocks
from actors.runtime import Runtime
from actors.spec import ActorSpec
from api.wiring import RuntimeName, open_runtime
from engine import rules as engine_rules
from engine.risk import model as risk_model
from engine.risk.dropoff import STANDINGS
from simulation import harness, scenario
from simulation.metrics import METRICS, CohortMeter
from simulation.population import load_population
from simulation.response import load_responses
from simulation.scenario import Scenario
from simulation.world import SyntheticWorlds

FLAGSHIP = "retention_claims"
RULES = engine_rules.load()
MODEL = risk_model.load()


def plan(
    learners: int,
    days: int,
    arms: tuple[str, ...] = ("control", "at_risk"),
    population: str | None = None,
) -> Scenario:
    """Return the flagship scenario at another size, with one replication.

    Args:
        learners: in each arm.
        days: local days.
        arms: ids of the flagship's arms to keep.
        population: by name; None = the flagship's.
    """
    whole = scenario.load(FLAGSHIP).with_overrides(learners, days, None, 1)
    kept = tuple(arm for arm in whole.arms if arm.id in arms)
    return whole.model_copy(update={"arms": kept, "population": population or whole.population, "claims": ()})


def worlds_of(scenario_: Scenario) -> SyntheticWorlds:
    """Return what makes the scenario's worlds."""
    return SyntheticWorlds(
        load_population(scenario_.population),
        load_responses(),
        scenario_.seed,
        scenario_.first_day,
        RULES,
        scenario_.responses,
    )


@dataclass(frozen=True)
class Running:
    """A scenario with the actors that run it."""

    scenario: Scenario
    layout: Directory
    runtime: Runtime

    @property
    def learner_days(self) -> int:
        """Learner-days of a run, over all arms."""
        return self.scenario.learners * self.scenario.days * len(self.scenario.arms)

    def simulate(self) -> tuple[harness.Simulation, float]:
        """Run the scenario; return its results, and the seconds until its last day was done (no digest)."""
        began = time.perf_counter()
        ended = began

        def note(done: int, total: int) -> None:
            nonlocal ended
            if done == total:
                ended = time.perf_counter()

        simulation = harness.simulate(self.scenario, self.layout, self.runtime, note)
        return simulation, ended - began

    def days_s(self) -> float:
        """Run the scenario; return the seconds until its last day was done."""
        return self.simulate()[1]


@contextlib.contextmanager
def running(scenario_: Scenario, name: RuntimeName = "local", actors: int = 1) -> Iterator[Running]:
    """Start the actors of a scenario, as `engage simulate` does."""
    layout = in_blocks(scenario_.learners, actors=actors)
    with tempfile.TemporaryDirectory(prefix="engage-bench-") as work:
        specs: list[ActorSpec] = harness.specs(
            scenario_, layout, RULES, worlds_of(scenario_), CohortMeter.by(RULES), log=None
        )
        with open_runtime(name, specs, MODEL, Path(work)) as runtime:
            yield Running(scenario_, layout, runtime)


def scored_share(simulation: harness.Simulation) -> float:
    """Return the share of learner-days on which the learner was scored (started, not dropped off)."""
    totals = simulation.counts.sum(axis=(0, 1, 2, 3))
    unscored = sum(int(totals[METRICS.index(f"standing_{name}")]) for name in STANDINGS)
    return 1.0 - unscored / int(totals[METRICS.index("learners")])
