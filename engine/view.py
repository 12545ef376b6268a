"""The view: streak, freezes, XP, level and achievements, walked day by day over the open days.

A pure function of (sealed, open days, as-of day), so it depends on the set of events and never on their order.
"""

from __future__ import annotations

from typing import Any

from engine import achievements, bitmaps, streaks, xp
from engine.calendar import MS_PER_DAY, weekday
from engine.compiled import compiled
from engine.record import OPEN_DAYS


@compiled
def _first_after(r: Any, day: int) -> int:
    """Return the first action after an open day, UTC ms; 0 = none yet."""
    for later in range(day + 1, min(day + OPEN_DAYS, int(r["as_of"]) + 1)):
        if bitmaps.has_day(r["active_bits"], later):
            return later * MS_PER_DAY + int(r["open_first"][later % OPEN_DAYS])
    return 0


@compiled
def walk_day(walk: Any, r: Any, day: int, active: bool, qualifies: bool, ended: bool, rules: Any) -> None:
    """Carry a walk over one open day: judge it, then add what it earned.

    Freezes earned on the day come after its judgement, so they serve from the next day on.

    Args:
        walk: the record's sealed state or its view; it stands at the end of the day before.
        r: the record.
        day: the local day.
        active: it had any action in time.
        qualifies: it had a qualifying one.
        ended: the day is over for the learner; until then it cannot be missed.
        rules: one row of `engine.rules.RULES`.
    """
    earned = 0
    if qualifies:
        earned = streaks.extend(walk, rules)
    elif ended and int(walk["streak"]) > 0 and not streaks.bridged(int(walk["last_ms"]), _first_after(r, day), rules):
        streaks.miss(walk)
    if active:
        slot = day % OPEN_DAYS
        earned += int(r["open_xp"][slot])
        walk["last_ms"] = max(int(walk["last_ms"]), day * MS_PER_DAY + int(r["open_last"][slot]))
    if earned > 0:
        xp.add(walk, earned, rules)


@compiled
def copy_walk(source: Any, target: Any) -> None:
    """Copy one walk onto another."""
    target["xp"] = source["xp"]
    target["streak"] = source["streak"]
    target["longest_streak"] = source["longest_streak"]
    target["freezes"] = source["freezes"]
    target["freezes_used"] = source["freezes_used"]
    target["freezes_awarded"] = source["freezes_awarded"]
    target["freezes_lost"] = source["freezes_lost"]
    target["streaks_ended"] = source["streaks_ended"]
    target["level"] = source["level"]
    target["last_ms"] = source["last_ms"]
    for place in range(len(source["milestones"])):
        target["milestones"][place] = source["milestones"][place]


@compiled
def refresh(r: Any, folded: bool, rules: Any) -> None:
    """Bring the view to the record's present state.

    Args:
        r: the record.
        folded: events were folded since the last time; else only its today moved on.
        rules: one row of `engine.rules.RULES`.
    """
    today = int(r["as_of"])
    since_monday = weekday(today)
    active = bitmaps.window(r["active_bits"], today)
    qualifying = bitmaps.window(r["qualifying_bits"], today)
    walk = r["view"]
    xp_before, used_before = int(walk["xp"]), int(walk["freezes_used"])
    copy_walk(r["sealed"], walk)
    at_monday = at_today = int(walk["xp"])
    for ago in range(OPEN_DAYS - 1, -1, -1):
        at_today = int(walk["xp"])
        if ago == since_monday:
            at_monday = at_today
        is_active = (active >> ago) & 1 == 1
        if is_active or int(walk["streak"]) > 0:  # else the day changes nothing
            walk_day(walk, r, today - ago, is_active, (qualifying >> ago) & 1 == 1, ago > 0, rules)
    r["xp_day"] = int(walk["xp"]) - at_today
    r["xp_week"] = int(walk["xp"]) - at_monday
    if folded or int(walk["xp"]) != xp_before or int(walk["freezes_used"]) != used_before:  # else no metric moved
        r["achievements"] = achievements.held(r, rules)
