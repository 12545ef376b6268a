"""Passes over many learners: fold a batch, close a day. Each leaves views refreshed and outcomes written."""

from __future__ import annotations

from typing import Any

from engine import arrival, fold, outcomes, view
from engine.compiled import compiled
from engine.outcomes import MARGIN


@compiled
def fold_batch(
    records: Any,
    events: Any,
    start: int,
    rules: Any,
    seen: Any,
    verdicts: Any,
    before: Any,
    out: Any,
    used: int,
) -> tuple[int, int]:
    """Fold a batch that is sorted by learner and time, learner by learner, until it ends or ``out`` is nearly full.

    Args:
        records: rows of `LEARNER`, indexed by the events' ``learner``.
        events: rows of `EVENT`.
        start: first event to fold.
        rules: one row of `RULES`.
        seen: table of `engine.arrival.SeenIds` with room for the batch; empty = the events come from a source that
            never repeats itself and is never late, so neither ids nor ages are looked at.
        verdicts: one code of `engine.arrival.VERDICTS` for each event, written here.
        before: from `engine.outcomes.scratch`.
        out: rows of `OUTCOME`.
        used: rows of ``out`` in use.

    Returns:
        next event to fold (all done when it equals their number), rows of ``out`` in use.
    """
    place = start
    while place < len(events) and len(out) - used >= MARGIN:
        learner = int(events[place]["learner"])
        r = records[learner]
        outcomes.remember(r, before)
        while place < len(events) and int(events[place]["learner"]) == learner:
            event = events[place]
            verdict, _ = arrival.judge(event, seen, 0, rules)
            if verdict <= arrival.LATE:
                full = fold.add(r, event, verdict == arrival.LATE, rules)
                verdict = arrival.FULL if full else arrival.LATE
            verdicts[place] = verdict
            place += 1
        view.refresh(r, True, rules)
        used = outcomes.compare(r, before, rules, out, used)
    return place, used


@compiled
def close_day(records: Any, days: Any, start: int, rules: Any, before: Any, out: Any, used: int) -> tuple[int, int]:
    """Move every learner's today on by the clock alone, until all are done or ``out`` is nearly full.

    Args:
        records: rows of `LEARNER`.
        days: local day that each learner's today becomes; one that is past already changes nothing.
        start: first record.
        rules: one row of `RULES`.
        before: from `engine.outcomes.scratch`.
        out: rows of `OUTCOME`.
        used: rows of ``out`` in use.

    Returns:
        next record (all done when it equals their number), rows of ``out`` in use.
    """
    place = start
    while place < len(records) and len(out) - used >= MARGIN:
        r = records[place]
        day = int(days[place])
        if int(r["as_of"]) < day and int(r["active_days"]) > 0:
            outcomes.remember(r, before)
            fold.advance(r, day, rules)
            view.refresh(r, False, rules)
            used = outcomes.compare(r, before, rules, out, used)
        elif int(r["as_of"]) < day:
            fold.advance(r, day, rules)
        place += 1
    return place, used
