"""Warming up: compiled code is made once, before the processes that share it start."""

from __future__ import annotations

import math
from dataclasses import replace

from actors.cohort import Cohort
from actors.ports import Scorer
from actors.spec import ActorSpec
from engine import events
from engine.calendar import MS_PER_DAY


def warm_up(spec: ActorSpec, scorer: Scorer) -> None:
    """Run one learner of this kind through a day, so that all compiled code is in the cache.

    Processes that start together would otherwise each compile it for themselves.

    Args:
        spec: of one of the actors.
        scorer: turns signals into risk.
    """
    spec = replace(spec, count=1, log=None, snapshot_s=math.inf, journal=None)
    days = (spec.first_day, spec.first_day + 1) if spec.worlds is not None else ()
    cohort = Cohort(spec, scorer)
    for day in days:
        cohort.day(day)
    if days:
        return
    event = events.empty(1)
    event["occurred_ms"] = event["arrived_ms"] = MS_PER_DAY
    event["day"] = 1
    cohort.ingest(events.to_frame(event))
    cohort.close(2)
    cohort.loops[0].receive(event, 0)
