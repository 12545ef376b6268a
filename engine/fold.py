"""The fold: an event only adds to its local day, and days older than the open ones are sealed, in order."""

from __future__ import annotations

import math
from typing import Any

from engine import bitmaps, decay, view, xp
from engine.calendar import MS_PER_DAY
from engine.compiled import compiled
from engine.record import HALF_LIVES_DAYS, NEVER, OPEN_DAYS
from engine.rules import DAY_COUNT_LIMIT, MAX_ACTIONS, MAX_KINDS, MINUTES, SCORE

_HALF_LIVES = len(HALF_LIVES_DAYS)
_COUNT_LIMIT_16 = 65_535
_DAY_MINUTES = 1_440.0  # of one event; more is a mistake of the sender


@compiled
def _seal(r: Any, day: int, rules: Any) -> None:
    """Carry the sealed state over the oldest open day; floating-point state changes here only, from integer counts."""
    active = bitmaps.has_day(r["active_bits"], day)
    if not active and int(r["sealed"]["streak"]) == 0:
        return
    view.walk_day(r["sealed"], r, day, active, bitmaps.has_day(r["qualifying_bits"], day), True, rules)
    if not active:
        return
    slot = day % OPEN_DAYS
    gap_days = day - int(r["decayed_day"])
    for half_life in range(_HALF_LIVES):
        factor = decay.factor(gap_days, half_life)
        for kind in range(MAX_KINDS):
            r["decayed"][kind, half_life] = float(r["decayed"][kind, half_life]) * factor + int(
                r["open_kinds"][slot, kind]
            )
    r["decayed_day"] = day
    for action in range(MAX_ACTIONS):
        r["open_counts"][slot, action] = 0
    for kind in range(MAX_KINDS):
        r["open_kinds"][slot, kind] = 0
    r["open_xp"][slot] = 0
    r["open_first"][slot] = 0
    r["open_last"][slot] = 0


@compiled
def advance(r: Any, day: int, rules: Any) -> None:
    """Move the learner's today forward to ``day``, sealing what leaves the open days; earlier days change nothing."""
    if int(r["as_of"]) == NEVER:
        return
    while int(r["as_of"]) < day:
        today = int(r["as_of"]) + 1
        _seal(r, today - OPEN_DAYS, rules)
        bitmaps.clear_day(r["active_bits"], today)
        bitmaps.clear_day(r["qualifying_bits"], today)
        r["as_of"] = today


@compiled
def _count(r: Any, slot: int, action: int, rules: Any) -> None:
    """Add one action to an open day: its count, its kind's count and its capped XP."""
    counted = int(r["open_counts"][slot, action])
    r["open_xp"][slot] = int(r["open_xp"][slot]) + xp.gain(counted, action, rules)
    r["open_counts"][slot, action] = min(counted + 1, DAY_COUNT_LIMIT)
    kind = int(rules["kind"][action])
    r["open_kinds"][slot, kind] = min(int(r["open_kinds"][slot, kind]) + 1, _COUNT_LIMIT_16)


@compiled
def _measure(r: Any, action: int, value: float, rules: Any) -> None:
    """Add what an action's value tells; integers add up in any order."""
    measure = int(rules["measure"][action])
    if measure == SCORE:
        points = int(min(max(value, 0.0), 1.0) * 10_000.0 + 0.5)
        if action == int(rules["quiz_complete"]):
            r["quiz_count"] = int(r["quiz_count"]) + 1
            r["quiz_points"] = int(r["quiz_points"]) + points
        else:
            r["work_count"] = int(r["work_count"]) + 1
            r["work_points"] = int(r["work_points"]) + points
    elif measure == MINUTES:
        r["watched"] = int(r["watched"]) + int(min(max(value, 0.0), _DAY_MINUTES) * 100.0 + 0.5)


@compiled
def add(r: Any, event: Any, late: bool, rules: Any) -> bool:
    """Fold one event into its learner's record.

    Args:
        r: the record.
        event: one row of `engine.events.EVENT`.
        late: it arrived after the grace, so it counts in the lifetime totals only.
        rules: one row of `engine.rules.RULES`.

    Returns:
        whether it had its full effect. Were its local day sealed already, it would be late, too; the open days
        have room for every day that is in time.
    """
    action = int(event["action"])
    day = int(event["day"])
    score = float(event["value"])
    perfect = action == int(rules["quiz_complete"]) and score >= 1.0
    r["totals"][action] = int(r["totals"][action]) + 1
    if perfect:
        r["totals"][int(rules["perfect_quiz"])] = int(r["totals"][int(rules["perfect_quiz"])]) + 1
    if late or (int(r["as_of"]) != NEVER and day <= int(r["as_of"]) - OPEN_DAYS):
        r["late_events"] = int(r["late_events"]) + 1
        return False

    if int(r["as_of"]) == NEVER:
        r["as_of"] = day
        r["first_day"] = day
    advance(r, day, rules)
    r["first_day"] = min(int(r["first_day"]), day)

    slot = day % OPEN_DAYS
    since_midnight_ms = int(event["occurred_ms"]) - day * MS_PER_DAY
    if bitmaps.set_day(r["active_bits"], day):
        r["active_days"] = int(r["active_days"]) + 1
        r["open_first"][slot] = since_midnight_ms
        r["open_last"][slot] = since_midnight_ms
    else:
        r["open_first"][slot] = min(int(r["open_first"][slot]), since_midnight_ms)
        r["open_last"][slot] = max(int(r["open_last"][slot]), since_midnight_ms)
    qualifies = int(rules["qualifies"][action]) != 0
    if perfect and int(rules["qualifies"][int(rules["perfect_quiz"])]) != 0:
        qualifies = True
    if qualifies and bitmaps.set_day(r["qualifying_bits"], day):
        r["qualifying_days"] = int(r["qualifying_days"]) + 1

    _count(r, slot, action, rules)
    if perfect:
        _count(r, slot, int(rules["perfect_quiz"]), rules)
    if not math.isnan(score):
        _measure(r, action, score, rules)
    hour = int(event["minute"]) // 60
    r["hours"][hour] = min(int(r["hours"][hour]) + 1, _COUNT_LIMIT_16)
    kind = int(rules["kind"][action])
    r["last_kind_s"][kind] = max(int(r["last_kind_s"][kind]), int(event["occurred_ms"]) // 1000)
    return True
