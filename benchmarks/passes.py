"""Where the time goes: the passes of the loop, timed in place by exclusive time, on one core."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from unittest import mock

from actors import learner, loop, scoring, simulated_day
from actors.storage import snapshots
from benchmarks import workload
from benchmarks.measure import REPEATS, Table
from engine.risk import model
from simulation import activity, behaviour, metrics

TITLE = "Where the time goes, one core"
PARTS: tuple[tuple[Any, str, str], ...] = (
    (loop.batch, "close_day", "view: everyone's today moves on"),
    (loop, "standings", "standing: who is scored, which band"),
    (loop, "compute", "signals"),
    (model.RiskModel, "score", "scoring"),
    (scoring.ScoringActor, "score", "scoring: choosing columns"),
    (loop.notifications, "eligible", "policy: who may be sent what"),
    (loop.Loop, "decide", "policy: the decision"),
    (loop.Loop, "inbox", "delivery: channels, evening, sends"),
    (simulated_day, "run", "delivery: channels, evening, sends"),
    (loop.Loop, "mark_sent", "delivery: channels, evening, sends"),
    (behaviour, "plan_block", "world: who is active and when"),
    (activity, "clocks", "world: the day's events"),
    (activity, "fill_block", "world: the day's events"),
    (loop.batch, "fold_batch", "fold: events into records, their view, outcomes"),
    (loop.Loop, "close", "around the passes: triggers, copies of outcomes"),
    (loop.Loop, "ingest", "around the passes: triggers, copies of outcomes"),
    (loop.Loop, "note_triggers", "around the passes: triggers, copies of outcomes"),
    (loop.Loop, "apply_scores", "scoring: entering the scores"),
    (metrics.CohortMeter, "measure", "metrics"),
    (snapshots.SnapshotFiles, "save", "snapshots"),
    (simulated_day, "_log", "decision log"),
    (learner.LearnerActor, "apply", "the actor itself"),
)
"""What is timed: owner, function, and the part under which its time (less that of others within) is shown."""


class Watch:
    """Exclusive time by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._within: list[float] = []

    def around(self, original: Any, part: str) -> Any:
        """Return the function with its time noted under the part, without what is spent in other watched ones."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._within.append(0.0)
            began = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                took = time.perf_counter() - began
                self.seconds[part] += took - self._within.pop()
                if self._within:
                    self._within[-1] += took

        return timed


@contextlib.contextmanager
def watched() -> Iterator[Watch]:
    """Time every part while the block runs."""
    watch = Watch()
    with contextlib.ExitStack() as stack:
        for owner, name, part in PARTS:
            stack.enter_context(mock.patch.object(owner, name, watch.around(getattr(owner, name), part)))
        yield watch


def run(quick: bool) -> Table:
    """Measure every part over the flagship's treated arm."""
    plan = workload.plan(1_000 if quick else 20_000, 14 if quick else 91, ("at_risk",))
    rounds: list[dict[str, float]] = []
    with workload.running(plan) as engine:
        engine.days_s()
        for _ in range(REPEATS):
            with watched() as watch:
                whole_s = engine.days_s()
            watch.seconds["harness and runtime"] = whole_s - sum(watch.seconds.values())
            rounds.append(dict(watch.seconds))
        events = int(engine.runtime.ask(0, "records", 0)["totals"].sum())
        units = engine.learner_days
    parts = {part: statistics.median(seconds.get(part, 0.0) for seconds in rounds) for part in rounds[0]}
    total_s = sum(parts.values())
    rows = [
        (part, f"{1e9 * seconds / units:.0f}", f"{seconds / total_s:.1%}")
        for part, seconds in sorted(parts.items(), key=lambda item: -item[1])
    ]
    rows.append(("in all", f"{1e9 * total_s / units:.0f}", ""))
    note = (
        f"{plan.learners:,} learners x {plan.days} days, policy `at_risk`; {events / units:.2f} events a learner-day."
    )
    return Table(("part", "ns a learner-day", "share"), rows, note)
