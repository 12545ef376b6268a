"""One simulated local day of one arm: the loop driven by a `World` instead of by clients and channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.loop import Loop
from actors.ports import Inbox, World
from engine.notifications.catalogue import catalogue
from engine.policies.base import NO_MESSAGE, Context, Decision

EVENING_MINUTE = 18 * 60
"""Local minute at which evening types go to those who have not been active."""

DECISION = np.dtype(
    [
        ("learner", "<u4"),  # number in the whole population
        ("day", "<i4"),  # local day
        ("risk", "<f8"),
        ("propensity", "<f8"),
        ("standing", "|u1"),
        ("eligible", "|u1"),  # bits by type
        ("chosen", "|i1"),  # -1 = nothing
        ("sent", "|i1"),  # -1 = nothing reached the learner
    ],
    align=True,
)
"""The decision log: context, eligible set, propensity and choice, for evaluating any policy off-policy later."""


@dataclass(frozen=True)
class DayResult:
    """What a day of one arm brought.

    Args:
        sent: type that reached each learner, `NO_MESSAGE` = none.
        decisions: rows of `DECISION` for learners who could have been sent something.
        outcomes: rows of `engine.outcomes.OUTCOME`.
    """

    sent: NDArray[np.int8]
    decisions: NDArray[Any]
    outcomes: NDArray[Any]


def run(loop: Loop, world: World, day: int) -> DayResult:
    """Run the day for learners who have been closed and scored at its local midnight.

    Hour and luck of the day are drawn first; what is decided for the evening goes only to those not active by then, and
    acts through the same luck.
    """
    context, decision = loop.decide(day)
    inbox = loop.inbox(decision.kinds)
    waits = catalogue().evening[np.maximum(inbox.kinds, 0)] & (inbox.kinds != NO_MESSAGE)
    morning = Inbox(np.where(waits, NO_MESSAGE, inbox.kinds).astype(np.int8), inbox.channels)
    first_minute = world.plan(day, loop.records, morning)
    due = waits & (first_minute >= EVENING_MINUTE)
    evening = Inbox(np.where(due, inbox.kinds, NO_MESSAGE).astype(np.int8), inbox.channels)
    sent = np.where(waits, evening.kinds, morning.kinds).astype(np.int8)
    loop.mark_sent(day, sent)
    _, found = loop.ingest(world.events(day, loop.records, evening), trusted=True)
    loop.note_triggers(found)
    loop.records["consent"] = world.consents()
    return DayResult(sent, _log(context, decision, sent), found)


def _log(context: Context, decision: Decision, sent: NDArray[np.int8]) -> NDArray[Any]:
    rows = np.flatnonzero((decision.kinds != NO_MESSAGE) | (decision.propensity < 1))
    log = np.zeros(len(rows), DECISION)
    log["learner"], log["day"] = context.learners[rows], context.day
    log["risk"], log["standing"] = context.risk[rows], context.standing[rows]
    log["eligible"], log["propensity"] = context.eligible[rows], decision.propensity[rows]
    log["chosen"], log["sent"] = decision.kinds[rows], sent[rows]
    return log
