"""The view: streak, freezes, XP, level and achievements, walked day by day over the open days.

A pure function of (sealed, open days, as-of day), so it depends on the set of events and never on their order.
"""

from __future__ import annotations

from typing import Any

from engine import achievements, bitmaps, streaks, xp
from engine.compiled import compiled
from engine.record import OPEN_DAYS
from engine.rules import DAY_MS


@compiled
def _first_after(r: Any, day: int) -> int:
    """Return the first action after an open day, UTC ms; 0 = none yet."""
    for later in range(day + 1, min(day + OPEN_DAYS, int(r["as_of"]) + 1)):
        if bitmaps.has_day(r["active_bits"], later):
            return later * DAY_MS + int(r["open_first"][later % OPEN_DAYS])
    return 0


@compiled
def walk_day(walk: Any, r: Any, day: int, ended: bool, rules: Any) -> None:
    """Carry a walk over one open day: judge it, then add what it earned.

    Freezes earned on the day come after its judgement, so they serve from the next day on.

    Args:
        walk: the record's sealed state or its view; it stands at the end of the day before.
        r: the record.
        day: the local day.
        ended: the day is over for the learner; until then it cannot be missed.
        rules: one row of `engine.rules.RULES`.
    """
    earned = 0
    if bitmaps.has_day(r["qualifying_bits"], day):
        earned = streaks.extend(walk, rules)
    elif ended and int(walk["streak"]) > 0 and not streaks.bridged(int(walk["last_ms"]), _first_after(r, day), rules):
        streaks.miss(walk)
    if bitmaps.has_day(r["active_bits"], day):
        slot = day % OPEN_DAYS
        earned += int(r["open_xp"][slot])
        walk["last_ms"] = max(int(walk["last_ms"]), day * DAY_MS + int(r["open_last"][slot]))
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
def refresh(r: Any, rules: Any) -> None:
    """Bring the view to the record's present state."""
    today = int(r["as_of"])
    monday = today - (today + 3) % 7  # 1970-01-01 was a Thursday
    walk = r["view"]
    copy_walk(r["sealed"], walk)
    before_week = before_day = int(walk["xp"])
    for day in range(today - OPEN_DAYS + 1, today + 1):
        before_day = int(walk["xp"])
        if day == monday:
            before_week = before_day
        walk_day(walk, r, day, day < today, rules)
    r["xp_day"] = int(walk["xp"]) - before_day
    r["xp_week"] = int(walk["xp"]) - before_week
    r["achievements"] = achievements.held(r, rules)
