"""The calendar of a streak: what became of each recent day, as far as the record can tell.

Open days are walked again, so each is known. Of older days the record keeps only whether they counted, and the state of
the run at their end: a day between two of a run that was alive then was bridged by a freeze; between older runs it may
have been, and where that cannot be told, the calendar says so.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from engine import bitmaps, view
from engine.record import NEVER, OPEN_DAYS, WALK, WORD_DAYS, WORDS
from engine.rules import Rules

State = Literal["done", "active", "frozen", "missed", "unknown", "none"]
_RING_DAYS = WORD_DAYS * WORDS
MOST = _RING_DAYS - 1
"""Days that a calendar can have."""


class Day(NamedTuple):
    """One local day.

    Args:
        day: its number.
        state: what became of it.
        active: it had any action in time.
    """

    day: int
    state: State
    active: bool


def marked(bits: Any, last: int) -> dict[int, bool]:
    """Return for each day of a ring that ends with ``last`` whether it is marked, oldest first."""
    found: dict[int, bool] = {}
    for end in range(last, last - _RING_DAYS, -WORD_DAYS):
        days = int(bitmaps.window(bits, end))
        found |= {end - ago: bool(days >> ago & 1) for ago in range(WORD_DAYS)}
    return dict(sorted(found.items()))


def calendar(record: Any, today: int, count: int, rules: Rules) -> list[Day]:
    """Return the last local days of a learner, oldest first, today last.

    Args:
        record: one row of `engine.record.LEARNER`, on its today.
        today: of the learner.
        count: how many days, `MOST` at most.
        rules: of the product.
    """
    wanted = range(today - count + 1, today + 1)
    if int(record["as_of"]) == NEVER or int(record["active_days"]) == 0:
        return [Day(day, "none", False) for day in wanted]
    active = marked(record["active_bits"], today)
    done = marked(record["qualifying_bits"], today)
    states = _sealed(record, today - OPEN_DAYS, done, rules) | _walked(record, today, active, done, rules)
    began = int(record["first_day"])
    return [_day(day, "none" if day < began else states[day], active[day]) for day in wanted]


def _day(day: int, state: State, active: bool) -> Day:
    return Day(day, "active" if active and state in {"missed", "unknown", "none"} else state, active)


def _walked(record: Any, today: int, active: dict[int, bool], done: dict[int, bool], rules: Rules) -> dict[int, State]:
    """Return the states of the open days, walked as the view is."""
    walk = np.zeros(1, WALK)[0]
    view.copy_walk(record["sealed"], walk)
    states: dict[int, State] = {}
    for day in range(today - OPEN_DAYS + 1, today + 1):
        alive, used, ended = (int(walk[name]) for name in ("streak", "freezes_used", "streaks_ended"))
        if active[day] or alive:
            view.walk_day(walk, record, day, active[day], done[day], day < today, rules.record)
        if done[day]:
            states[day] = "done"
        elif int(walk["freezes_used"]) > used:
            states[day] = "frozen"
        elif day == today or (alive and int(walk["streaks_ended"]) == ended):
            states[day] = "none"  # not over yet, or the learner's own time skipped it
        else:
            states[day] = "missed"
    return states


def _sealed(record: Any, last: int, done: dict[int, bool], rules: Rules) -> dict[int, State]:
    """Return the states of the days before the open ones, as far as their bits and the sealed walk tell."""
    sealed = record["sealed"]
    days = [day for day in done if day <= last]
    counted = [day for day in days if done[day]]
    length, used = int(sealed["streak"]), int(sealed["freezes_used"])
    run_from = counted[-min(length, len(counted))] if length and counted else last + 1
    bridged = sum(not done[day] for day in days if day >= run_from)
    most = min(max(used - bridged, 0), rules.streak.most_freezes)  # freezes that an older gap may have taken
    states: dict[int, State] = {}
    gap = _RING_DAYS  # days since the last one that counted
    for day in days:
        gap = 0 if done[day] else gap + 1
        if done[day]:
            states[day] = "done"
        elif day >= run_from:
            states[day] = "frozen" if bridged <= used else "unknown"  # more gaps than freezes: some were skipped days
        else:
            states[day] = "unknown" if gap <= most else "missed"
    return states


def missed_before(record: Any, day: int) -> int | None:
    """Return the days missed just before a day, since the last one that counted; None where none did.

    Args:
        record: one row of `engine.record.LEARNER`.
        day: the record's today, or an earlier one.
    """
    done = marked(record["qualifying_bits"], max(day, int(record["as_of"])))
    return next((ago for ago in range(_RING_DAYS) if done.get(day - 1 - ago)), None)
