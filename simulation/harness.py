"""The harness: runs a scenario's arms and replications through the learner actors and gathers what they count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.directory import Directory
from actors.ports import Meter, WorldMaker
from actors.runtime import Runtime
from actors.spec import ActorSpec, Arm
from engine import record
from engine.policies import Policy, State, make
from engine.policies.knowledge import read
from engine.rules import Rules
from simulation.scenario import Scenario

Progress = Callable[[int, int], None]
"""Called with (learner-days done, learner-days in all)."""

_Call = tuple[int, str, tuple[Any, ...]]
_DIGEST_LEARNERS = 4_096  # learners fetched at a time: some megabytes


@dataclass(frozen=True)
class Simulation:
    """What a run brought.

    Args:
        scenario: what was run.
        counts: int64 (replications, arms, days, groups, metrics), summed over actors.
        decisions: decision log of each arm in the first replication, rows of `engine.policies.decisions.DECISION`.
        digest: SHA-256 over the final records of every arm and replication.
        knowledge: by replication and arm, what its policy knew in the end.
    """

    scenario: Scenario
    counts: NDArray[np.int64]
    decisions: list[NDArray[Any]]
    digest: str
    knowledge: list[list[State]] = field(default_factory=list)


def specs(
    scenario: Scenario,
    layout: Directory,
    rules: Rules,
    worlds: WorldMaker,
    meter: Meter,
    log: Path | None,
    snapshot_s: float = 5.0,
) -> list[ActorSpec]:
    """Return what each learner actor of the scenario is made from."""
    arms = tuple(Arm(arm.id, arm.policy, dict(arm.params)) for arm in scenario.arms)
    return [
        ActorSpec(
            number=actor,
            first_learner=layout.first_learner(actor),
            count=count,
            rules=rules,
            arms=arms,
            seed=scenario.seed,
            first_day=scenario.first_day,
            worlds=worlds,
            meter=meter,
            log=log,
            snapshot_s=snapshot_s,
        )
        for actor, count in enumerate(layout.counts)
    ]


def simulate(scenario: Scenario, layout: Directory, runtime: Runtime, progress: Progress | None = None) -> Simulation:
    """Run every replication of a scenario.

    Args:
        scenario: what to run.
        layout: where the learners live.
        runtime: of the actors that `specs` describes.
        progress: called as the work goes on.
    """
    days = range(scenario.first_day, scenario.first_day + scenario.days)
    total = scenario.replications * scenario.days * scenario.learners * len(scenario.arms)
    policies = [make(arm.policy, arm.params) for arm in scenario.arms]
    begins_with = [
        {} if arm.knows is None else read(Path(arm.knows), make(arm.policy, arm.params)) for arm in scenario.arms
    ]
    counts: list[NDArray[np.int64]] = []
    shas: list[list[str]] = [[] for _ in scenario.arms]
    decisions: list[list[NDArray[Any]]] = [[] for _ in scenario.arms]
    knowledge: list[list[State]] = []
    done = 0
    for replication in range(scenario.replications):
        by_day: list[NDArray[np.int64] | None] = [None] * len(days)
        run = _Run(runtime, policies, begins_with, days)
        for actor, day, (measured, matured) in run.answers(replication):
            so_far = by_day[day - days.start]
            by_day[day - days.start] = measured if so_far is None else so_far + measured
            for arm, rows in enumerate(matured):
                decisions[arm].append(rows.copy())  # the answer itself may lie in memory that is wanted back
            done += layout.counts[actor] * len(scenario.arms)
            if progress is not None:
                progress(done, total)
        counts.append(np.stack([day for day in by_day if day is not None], axis=1))
        knowledge.append(run.knowledge)
        for arm in range(len(scenario.arms)):
            shas[arm].append(digest_of(runtime, layout, arm))
            if replication == 0:
                decisions[arm] += [runtime.ask(actor, "undecided", arm, days.stop) for actor in range(len(runtime))]
    return Simulation(
        scenario,
        np.stack(counts),
        [_in_order(parts) for parts in decisions],
        record.digest(sha.encode() for arm in shas for sha in arm),
        knowledge,
    )


@dataclass
class _Run:
    """One replication, and what its policies know so far.

    Messages to different actors overlap; within an actor days follow one another. Only where a policy shares what it
    knows does everybody wait, once a day, for all to have seen the morning.
    """

    runtime: Runtime
    policies: list[Policy]
    begins_with: list[State]
    days: range
    knowledge: list[State] = field(default_factory=list)

    def answers(self, replication: int) -> Iterator[tuple[int, int, tuple[Any, list[Any]]]]:
        """Run all days; yield (actor, day, answer of `actors.cohort.Cohort.day`)."""
        actors = range(len(self.runtime))
        self.knowledge = list(self.begins_with)
        shares = any(policy.shares for policy in self.policies)
        calls: list[_Call] = [(actor, "begin", (replication,)) for actor in actors]
        for day in self.days:
            if shares:
                yield from self._through([*calls, *((actor, "morning", (day, self.knowledge)) for actor in actors)])
                calls = []
            calls += [(actor, "day", (day, self.knowledge)) for actor in actors]
        yield from self._through([*calls, *((actor, "close", (self.days.stop,)) for actor in actors)])

    def _through(self, calls: list[_Call]) -> Iterator[tuple[int, int, tuple[Any, list[Any]]]]:
        gathered: list[list[State]] = []
        for place, answer in self.runtime.each(calls):
            actor, method, args = calls[place]
            if method == "day":
                yield actor, args[0], answer
            elif method == "morning":
                gathered.append(answer)
        if gathered:
            by_arm = zip(self.policies, self.knowledge, zip(*gathered, strict=True), strict=True)
            self.knowledge = [policy.merge(known, parts) for policy, known, parts in by_arm]


def digest_of(runtime: Runtime, layout: Directory, arm: int) -> str:
    """Return the digest over one arm's records, learners in the order of their numbers, wherever they live."""

    def rows() -> Any:
        for start in range(0, len(layout), _DIGEST_LEARNERS):
            learners = np.arange(start, min(start + _DIGEST_LEARNERS, len(layout)))
            whole: NDArray[Any] | None = None
            for actor, places in layout.by_actor(learners):
                got = runtime.ask(actor, "canonical", arm, layout.row[learners[places]])
                part = np.frombuffer(got, np.dtype((np.void, len(got) // len(places))))
                whole = np.empty(len(learners), part.dtype) if whole is None else whole
                whole[places] = part
            yield b"" if whole is None else whole.tobytes()

    return record.digest(rows())


def records_of(runtime: Runtime, layout: Directory, arm: int = 0) -> NDArray[Any]:
    """Return all records of one arm, learners in the order of their numbers."""
    whole = np.empty(len(layout), record.LEARNER)
    for actor, places in layout.by_actor(np.arange(len(layout))):
        whole[places] = runtime.ask(actor, "records", arm)[layout.row[places]]
    return whole


def _in_order(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return a decision log by day and learner, whatever actors the rows came from."""
    whole = np.concatenate(parts)
    return whole[np.lexsort((whole["learner"], whole["day"]))]
