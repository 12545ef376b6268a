"""A cohort: learners who live in a simulation or a replay, once in every arm, day by day."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actors import simulated_day
from actors.loop import Loop
from actors.ports import Pending, Scorer, State, World
from engine import chance, events
from engine.notifications.catalogue import catalogue
from engine.policies import make
from engine.policies.base import State as Knowledge
from engine.record import NEVER, canonical_bytes

if TYPE_CHECKING:
    from actors.spec import ActorSpec


LOGGED_LEARNERS = 5_000
"""Learners, the first of all, whose decisions a simulation tells: enough to evaluate on, and no gigabytes."""
_ARMS_AHEAD = 2  # arms whose signals wait for the pool while the next is closed: more would only take room


def _told(decisions: Any) -> Any:
    return decisions[decisions["learner"] < LOGGED_LEARNERS]


class Cohort:
    """What a learner actor does with learners of a simulation or a replay; the sender keeps its messages.

    Args:
        spec: what the actor is made from.
        scorer: turns signals into risk.
    """

    def __init__(self, spec: ActorSpec, scorer: Scorer) -> None:
        self._spec = spec
        self._scorer = scorer
        self.begin(0)

    def canonical(self, arm: int, rows: Any) -> bytes:
        """Return the given records of an arm as the digest takes them."""
        return canonical_bytes(self.loops[arm].records[np.asarray(rows)])

    def records(self, arm: int, rows: Any = None) -> Any:
        """Return a copy of the records of an arm, or of the given rows."""
        chosen = self.loops[arm].records
        return chosen.copy() if rows is None else chosen[np.asarray(rows)]

    def begin(self, replication: int) -> None:
        """Begin a replication: new learners, new worlds."""
        spec = self._spec
        self._replication = replication
        self._begun = NEVER
        stream = chance.stream(spec.seed, replication)
        self.loops = [
            Loop(spec.rules, make(arm.policy, arm.params), spec.count, spec.first_day, spec.first_learner, stream)
            for arm in spec.arms
        ]
        self._worlds: list[World] = []
        if spec.worlds is not None:
            self._worlds = [
                spec.worlds(replication, arm, spec.first_learner, spec.count) for arm in range(len(spec.arms))
            ]

    def morning(self, day: int, knowledge: list[Knowledge]) -> list[Knowledge]:
        """Begin a simulated local day in every arm; return what each arm's policy gathers here.

        Args:
            day: the local day that begins.
            knowledge: what each arm's policy knew yesterday.
        """
        gathered = [
            loop.policy.gather(loop.context(day, knowledge[arm]), loop.matured(day)) if loop.policy.shares else {}
            for arm, loop, _ in self._rescored(day)
        ]
        self._begun = day
        return gathered

    def day(self, day: int, knowledge: list[Knowledge] | None = None) -> tuple[Any, list[Any]]:
        """Run one simulated local day in every arm.

        Args:
            day: the local day; it need not have begun with `morning`.
            knowledge: what each arm's policy knows today; None = nothing.

        Returns:
            counts (arms, groups, metrics); of each arm the decisions that have matured, those kept only.
        """
        counts, decisions = [], []
        knows = knowledge or [{} for _ in self.loops]
        ready = enumerate(self.loops) if self._begun == day else ((arm, loop) for arm, loop, _ in self._rescored(day))
        for arm, loop in ready:
            logged = self._replication == 0 or loop.policy.learns
            decisions.append(_told(loop.matured(day, take=True)))
            context = loop.context(day, knows[arm])
            if loop.policy.reads_gains:
                types = len(catalogue().names)
                context = replace(context, gains=self._worlds[arm].gains(day, context.eligible, types))
            result = simulated_day.run(loop, self._worlds[arm], context, logged=logged)
            if self._spec.meter is not None:
                counts.append(self._spec.meter.measure(day, loop.records, self._spec.first_learner, result.sent))
        self._write_log(day)
        return np.stack(counts) if counts else None, decisions if self._replication == 0 else []

    def undecided(self, arm: int, day: int) -> Any:
        """Return the decisions of an arm that have not matured at the beginning of a day, those kept only."""
        return _told(self.loops[arm].undecided(day))

    def ingest(self, frame: bytes) -> tuple[Any, Any]:
        """Fold a frame of events; return the verdict of each, in the frame's order, and the outcomes."""
        arrived = events.from_frame(frame)
        order = np.lexsort((arrived["occurred_ms"], arrived["learner"]))
        sorted_verdicts, found = self.loops[0].ingest(arrived[order])
        verdicts = np.empty_like(sorted_verdicts)
        verdicts[order] = sorted_verdicts
        return verdicts, found

    def close(self, day: int) -> Any:
        """Close every local day before ``day`` and rescore; return each arm's outcomes."""
        return [found for _, _, found in self._rescored(day)]

    def _rescored(self, day: int) -> Iterator[tuple[int, Loop, Any]]:
        """Close and rescore arm by arm; yield (arm, loop, outcomes), the pool working on the next arms meanwhile."""
        asked: deque[tuple[int, Loop, Any, Any, Pending]] = deque()
        for arm, loop in enumerate(self.loops):
            found = loop.close(day)
            rows, matrix = loop.signals()
            asked.append((arm, loop, found, rows, self._scorer.submit(matrix)))
            if len(asked) > _ARMS_AHEAD:
                yield self._scored(*asked.popleft())
        while asked:
            yield self._scored(*asked.popleft())

    def _scored(self, arm: int, loop: Loop, found: Any, rows: Any, scores: Pending) -> tuple[int, Loop, Any]:
        loop.apply_scores(rows, scores())
        return arm, loop, found

    def _write_log(self, day: int) -> None:
        if self._spec.log is None:
            return
        line = {"actor": self._spec.number, "process": os.getpid(), "replication": self._replication, "day": day}
        with self._spec.log.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def state(self) -> State:
        """Return all state as named arrays."""
        state: State = {"replication": np.array(self._replication), "begun": np.array(self._begun)}
        parts = [(f"loop{arm}", loop.state()) for arm, loop in enumerate(self.loops)]
        parts += [(f"world{arm}", world.state()) for arm, world in enumerate(self._worlds)]
        for prefix, arrays in parts:
            state.update({f"{prefix}.{name}": array for name, array in arrays.items()})
        return state

    def restore(self, state: State) -> None:
        """Take the state back."""

        def part(prefix: str) -> State:
            return {key.partition(".")[2]: array for key, array in state.items() if key.startswith(f"{prefix}.")}

        self.begin(int(state["replication"]))
        self._begun = int(state["begun"])
        for arm, loop in enumerate(self.loops):
            loop.restore(part(f"loop{arm}"))
        for arm, world in enumerate(self._worlds):
            world.restore(part(f"world{arm}"))
