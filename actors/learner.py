"""The learner actor: a plain class that owns the records of its learners; one other file makes it a Ray actor.

Its state is the newest snapshot plus the messages since, applied in the order of their sequence numbers. A message that
was applied before is answered as before; a gap is refused; so after a death the runtime simply resends.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from actors import simulated_day
from actors.loop import Loop
from actors.ports import Meter, Scorer, State, Store, World, WorldMaker
from engine import chance, events
from engine.calendar import MS_PER_DAY
from engine.errors import EngageError
from engine.policies import make
from engine.record import NEVER, canonical_bytes
from engine.rules import Rules

_REPLIES_KEPT = 256
_WORK_PER_SAVE = 10


class MessageGapError(EngageError):
    """A message is missing before this one; the sender has to recover the actor and resend."""


@dataclass(frozen=True)
class Arm:
    """One arm: a name and the policy that decides in it."""

    id: str
    policy: str = "none"
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ActorSpec:
    """All that a learner actor is made from; it pickles.

    Args:
        number: of the actor.
        first_learner: number of its first learner in the whole population.
        count: number of its learners.
        rules: of the product.
        arms: one in the service; in a simulation the same learners live once in each.
        seed: of chance.
        first_day: local day on which the learners registered; `NEVER` = that of their first event.
        worlds: makes each arm's world; None = live or replayed, events come from outside.
        meter: counts each simulated day.
        log: file to which a line is written for each day applied; None = no log.
        snapshot_s: seconds of work after which a snapshot is due; 0 = after every message. A large
            actor works at least ten times as long as its last snapshot took.
    """

    number: int
    first_learner: int
    count: int
    rules: Rules
    arms: tuple[Arm, ...] = (Arm("live"),)
    seed: int = 0
    first_day: int = NEVER
    worlds: WorldMaker | None = None
    meter: Meter | None = None
    log: Path | None = None
    snapshot_s: float = 5.0


@dataclass(frozen=True)
class Reply:
    """The answer to a message.

    Args:
        value: what the method returned.
        durable: messages up to this one need not be kept for resending, even if the newest snapshot is damaged.
    """

    value: Any
    durable: int


class LearnerActor:
    """Owns the records of its learners in every arm.

    Args:
        spec: what it is made from.
        scorer: turns signals into risk.
        store: keeps its snapshots.
    """

    def __init__(self, spec: ActorSpec, scorer: Scorer, store: Store) -> None:
        self._spec = spec
        self._scorer = scorer
        self._store = store
        self._replication = 0
        self._sequence = 0
        self._durable = 0
        self._snapshot_due = time.monotonic() + spec.snapshot_s
        self._replies: dict[int, Any] = {}
        self._begin(0)

    def apply(self, sequence: int, method: str, *args: Any, answered: int = 0) -> Reply:
        """Apply the message with this sequence number.

        Args:
            sequence: one more than the last; an earlier one is a duplicate and answered as before.
            method: ``begin``, ``day``, ``ingest`` or ``close``.
            args: its arguments.
            answered: the sender has had the answers to all messages up to this one.

        Raises:
            MessageGapError: a message is missing before this one, as in an actor that has just been restarted.
        """
        if sequence <= self._sequence:
            return Reply(self._replies.get(sequence), self._durable)
        if sequence != self._sequence + 1:
            raise MessageGapError(f"learner actor {self._spec.number}", f"message {sequence}", f"{self._sequence + 1}")
        value = getattr(self, f"_{method}")(*args)
        self._sequence = sequence
        self._replies[sequence] = value
        self._replies.pop(sequence - _REPLIES_KEPT, None)
        if time.monotonic() >= self._snapshot_due:
            began = time.monotonic()
            self._store.save(sequence, self._state())
            self._durable = self._store.prune(answered)
            ended, pause_s = time.monotonic(), self._spec.snapshot_s
            self._snapshot_due = ended + (max(pause_s, _WORK_PER_SAVE * (ended - began)) if pause_s else 0.0)
        return Reply(value, self._durable)

    def recover(self, before: int) -> int:
        """Go back to the newest snapshot of a message before this one, or to the beginning; return its number."""
        found = self._store.load(before)
        self._replies.clear()
        if found is None:
            self._sequence = 0
            self._begin(0)
        else:
            self._sequence, state = found
            self._restore(state)
        self._durable = 0
        return self._sequence

    def process_id(self) -> int:
        """Return the id of the operating-system process it lives in."""
        return os.getpid()

    def canonical(self, arm: int, rows: Any) -> bytes:
        """Return the given records of an arm as the digest takes them."""
        return canonical_bytes(self.loops[arm].records[np.asarray(rows)])

    def records(self, arm: int, rows: Any = None) -> Any:
        """Return a copy of the records of an arm, or of the given rows."""
        chosen = self.loops[arm].records
        return chosen.copy() if rows is None else chosen[np.asarray(rows)]

    def _begin(self, replication: int) -> None:
        """Begin a replication: new learners, new worlds."""
        spec = self._spec
        self._replication = replication
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

    def _day(self, day: int) -> tuple[Any, list[Any]]:
        """Run one simulated local day in every arm.

        Returns:
            counts (arms, groups, metrics); in the first replication the decisions of each arm, else none.
        """
        counts, decisions = [], []
        for arm, loop, _ in self._rescored(day):
            result = simulated_day.run(loop, self._worlds[arm], day)
            if self._spec.meter is not None:
                counts.append(self._spec.meter.measure(day, loop.records, self._spec.first_learner, result.sent))
            decisions.append(result.decisions if self._replication == 0 else result.decisions[:0])
        self._write_log(day)
        return np.stack(counts) if counts else None, decisions

    def _ingest(self, frame: bytes) -> tuple[Any, Any]:
        """Fold a frame of events; return the verdict of each, in the frame's order, and the outcomes."""
        arrived = events.from_frame(frame)
        order = np.lexsort((arrived["occurred_ms"], arrived["learner"]))
        sorted_verdicts, found = self.loops[0].ingest(arrived[order])
        verdicts = np.empty_like(sorted_verdicts)
        verdicts[order] = sorted_verdicts
        return verdicts, found

    def _close(self, day: int) -> Any:
        """Close every local day before ``day`` and rescore; return each arm's outcomes."""
        return [found for _, _, found in self._rescored(day)]

    def _rescored(self, day: int) -> Iterator[tuple[int, Loop, Any]]:
        """Close and rescore arm by arm; yield (arm, loop, outcomes), the pool working on the next arms meanwhile."""
        asked = []
        for loop in self.loops:
            found = loop.close(day)
            rows, matrix = loop.signals()
            asked.append((loop, found, rows, self._scorer.submit(matrix)))
        for arm, (loop, found, rows, scores) in enumerate(asked):
            loop.apply_scores(rows, scores())
            yield arm, loop, found

    def _write_log(self, day: int) -> None:
        if self._spec.log is None:
            return
        line = {"actor": self._spec.number, "process": os.getpid(), "replication": self._replication, "day": day}
        with self._spec.log.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _state(self) -> State:
        state: State = {"replication": np.array(self._replication)}
        parts = [(f"loop{arm}", loop.state()) for arm, loop in enumerate(self.loops)]
        parts += [(f"world{arm}", world.state()) for arm, world in enumerate(self._worlds)]
        for prefix, arrays in parts:
            state.update({f"{prefix}.{name}": array for name, array in arrays.items()})
        return state

    def _restore(self, state: State) -> None:
        def part(prefix: str) -> State:
            return {key.partition(".")[2]: array for key, array in state.items() if key.startswith(f"{prefix}.")}

        self._begin(int(state["replication"]))
        for arm, loop in enumerate(self.loops):
            loop.restore(part(f"loop{arm}"))
        for arm, world in enumerate(self._worlds):
            world.restore(part(f"world{arm}"))


def warm_up(spec: ActorSpec, scorer: Scorer, store: Store) -> None:
    """Run one learner of this kind through a day, so that all compiled code is in the cache.

    Processes that start together would otherwise each compile it for themselves.
    """
    days = (spec.first_day, spec.first_day + 1) if spec.worlds is not None else ()
    actor = LearnerActor(replace(spec, count=1, log=None, snapshot_s=math.inf), scorer, store)
    messages: list[tuple[Any, ...]] = [("day", day) for day in days]
    if spec.worlds is None:
        event = events.empty(1)
        event["occurred_ms"] = event["arrived_ms"] = MS_PER_DAY
        event["day"] = 1
        messages = [("ingest", events.to_frame(event)), ("close", 2)]
    for sequence, (method, *args) in enumerate(messages, start=1):
        actor.apply(sequence, method, *args)
