"""Receipts: what each single event brought, for whoever sent it.

A replayed batch is folded learner by learner; a live one event by event, because each sender asks about its own. The
records end the same: both only ever add to local days.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import arrival, fold, outcomes, view
from engine.compiled import compiled
from engine.outcomes import MARGIN

RECEIPT = np.dtype(
    [
        ("first", "<i8"),  # where the event counted first: its own place, or that of the event it repeats
        ("xp_awarded", "<i4"),  # XP gained; below 0 where a late event moved a milestone
        ("xp", "<i4"),  # XP afterwards
        ("day", "<i4"),  # local day of the event
        ("outcomes", "<i2"),  # rows among the outcomes that are this event's, in order
        ("level", "<i2"),  # afterwards, 1-based
        ("streak", "<i2"),  # afterwards, days
        ("freezes", "<i2"),  # afterwards
        ("verdict", "<i4"),  # code of engine.arrival.VERDICTS; in all no padding, so that equal rows are equal bytes
    ],
    align=True,
)
"""What became of one event."""

PLACE_BITS = 16
"""Events of one message are told apart by these low bits of a place; the rest is the message's number."""

NOBODY = 0xFFFFFFFF
"""Learner of an event that was erased: it keeps its place and does nothing."""


@compiled
def fold_each(
    records: Any,
    events: Any,
    start: int,
    rules: Any,
    seen: Any,
    here: int,
    receipts: Any,
    before: Any,
    out: Any,
    used: int,
) -> tuple[int, int]:
    """Fold events one by one, in the order given, until they end or ``out`` is nearly full.

    Args:
        records: rows of `engine.record.LEARNER`, indexed by the events' ``learner``.
        events: rows of `engine.events.EVENT`.
        start: first event to fold.
        rules: one row of `engine.rules.RULES`.
        seen: table of `engine.arrival.SeenIds` with room for the batch.
        here: place of the first event.
        receipts: one row of `RECEIPT` for each event, written here.
        before: from `engine.outcomes.scratch`.
        out: rows of `engine.outcomes.OUTCOME`.
        used: rows of ``out`` in use.

    Returns:
        next event to fold (all done when it equals their number), rows of ``out`` in use.
    """
    place = start
    while place < len(events) and len(out) - used >= MARGIN:
        event = events[place]
        if int(event["learner"]) != NOBODY:
            r = records[int(event["learner"])]
            receipt = receipts[place]
            verdict, first = arrival.judge(event, seen, here + place, rules)
            xp_before, used_before = int(r["view"]["xp"]), used
            if verdict <= arrival.LATE:
                outcomes.remember(r, before)
                full = fold.add(r, event, verdict == arrival.LATE, rules)
                verdict = arrival.FULL if full else arrival.LATE
                view.refresh(r, True, rules)
                used = outcomes.compare(r, before, rules, out, used)
            receipt["first"] = first
            receipt["xp_awarded"] = int(r["view"]["xp"]) - xp_before
            receipt["xp"] = r["view"]["xp"]
            receipt["day"] = event["day"]
            receipt["outcomes"] = used - used_before
            receipt["level"] = r["view"]["level"]
            receipt["streak"] = r["view"]["streak"]
            receipt["freezes"] = r["view"]["freezes"]
            receipt["verdict"] = verdict
        place += 1
    return place, used
