"""One simulated local day of one arm: the loop driven by a `World` instead of by clients and channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.loop import Loop
from actors.ports import Inbox, World
from engine.notifications.catalogue import EVENING_MINUTE, catalogue
from engine.policies import NO_MESSAGE, Context
from engine.policies.decisions import DECISION


@dataclass(frozen=True)
class DayResult:
    """What a day of one arm brought.

    Args:
        sent: type that reached each learner, `NO_MESSAGE` = none.
        decisions: rows of `engine.policies.decisions.DECISION`, before anything has come of them; none if not logged.
        outcomes: rows of `engine.outcomes.OUTCOME`.
    """

    sent: NDArray[np.int8]
    decisions: NDArray[Any]
    outcomes: NDArray[Any]


def run(loop: Loop, world: World, context: Context, *, logged: bool = True) -> DayResult:
    """Run the day for learners who have been closed and scored at its local midnight.

    Hour and luck of the day are drawn first; what is decided for the evening goes only to those not active by then, and
    acts through the same luck.

    Args:
        loop: of the learners.
        world: theirs.
        context: what the policy sees of the day, from `Loop.context`.
        logged: whether the decisions are kept, to be learned from or looked at.
    """
    day = context.day
    decision = loop.decide(context)
    log = loop.described(context, decision) if logged else np.zeros(0, DECISION)
    inbox = loop.inbox(decision.kinds)
    waits = catalogue().evening[np.maximum(inbox.kinds, 0)] & (inbox.kinds != NO_MESSAGE)
    morning = Inbox(np.where(waits, NO_MESSAGE, inbox.kinds).astype(np.int8), inbox.channels)
    first_minute = world.plan(day, loop.records, morning)
    due = waits & (first_minute >= EVENING_MINUTE)
    evening = Inbox(np.where(due, inbox.kinds, NO_MESSAGE).astype(np.int8), inbox.channels)
    sent = np.where(waits, evening.kinds, morning.kinds).astype(np.int8)
    loop.keep(log, sent)
    loop.mark_sent(day, sent)
    _, found = loop.ingest(world.events(day, loop.records, evening), trusted=True)
    loop.note_triggers(found)
    loop.records["consent"] = world.consents()
    return DayResult(sent, log, found)
