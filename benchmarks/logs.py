"""Event logs to measure with: synthetic learners' lives, as rows of `EVENT` and as the event log of DESIGN.md."""

from __future__ import annotations

import numpy as np
import polars as pl

from actors.loop import Loop
from actors.ports import Inbox
from benchmarks import workload
from engine import chance
from engine.events import Events, sort_for_fold
from engine.policies import make
from engine.policies.base import NO_MESSAGE
from simulation.adapters import event_log


def lives(learners: int, days: int) -> Events:
    """Return the events of the flagship's population without messages, in learner order."""
    plan = workload.plan(learners, days, ("control",))
    stream = chance.stream(plan.seed, 0)
    loop = Loop(workload.RULES, make("none"), learners, plan.first_day, 0, stream)
    world = workload.worlds_of(plan)(0, 0, 0, learners)
    nothing = Inbox(np.full(learners, NO_MESSAGE, np.int8), np.zeros(learners, np.uint8))
    parts = []
    for day in range(plan.first_day, plan.first_day + days):
        loop.close(day)
        world.plan(day, loop.records, nothing)
        parts.append(world.events(day, loop.records, nothing).copy())
        loop.ingest(parts[-1], trusted=True)
    return sort_for_fold(np.concatenate(parts))


def as_log(events: Events) -> pl.DataFrame:
    """Return events as the log that a platform would hand over: names and instants, in order of time, UTC days."""
    events = events[np.argsort(events["occurred_ms"], kind="stable")]
    actions = np.array(list(workload.RULES.codes))
    assert [workload.RULES.codes[name] for name in actions] == list(range(len(actions)))
    value = pl.Series(events["value"].astype(np.float64)).fill_nan(None)
    return event_log.canonical(
        pl.DataFrame(
            {
                "learner_id": pl.Series(events["learner"]).cast(pl.String),
                "occurred_at": pl.Series(events["occurred_ms"]).cast(pl.Datetime("ms", "UTC")),
                "action": pl.Series(actions[events["action"]]),
                "event_id": pl.Series(events["event_id"]).cast(pl.String),
                "value": value,
            }
        )
    )
