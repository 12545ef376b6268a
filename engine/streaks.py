"""Streaks: runs of qualifying days, the freezes that bridge missed days, and the milestones that runs reach."""

from __future__ import annotations

from typing import Any

from engine.compiled import compiled


@compiled
def award_freezes(walk: Any, number: int, rules: Any) -> None:
    """Give freezes; beyond the most that can be held they are lost, and counted as lost."""
    kept = min(number, int(rules["most_freezes"]) - int(walk["freezes"]))
    walk["freezes"] = int(walk["freezes"]) + kept
    walk["freezes_awarded"] = int(walk["freezes_awarded"]) + number
    walk["freezes_lost"] = int(walk["freezes_lost"]) + number - kept


@compiled
def extend(walk: Any, rules: Any) -> int:
    """Add a qualifying day to the run; return the XP of the milestone it reaches, if any."""
    walk["streak"] = int(walk["streak"]) + 1
    walk["longest_streak"] = max(int(walk["longest_streak"]), int(walk["streak"]))
    for place in range(int(rules["milestone_count"])):
        if int(rules["milestone_days"][place]) == int(walk["streak"]):
            walk["milestones"][place] = int(walk["milestones"][place]) + 1
            award_freezes(walk, int(rules["milestone_freezes"][place]), rules)
            return int(rules["milestone_xp"])
    return 0


@compiled
def miss(walk: Any) -> None:
    """Judge a missed day of a living run: it takes one freeze, and with none left the run ends."""
    if int(walk["freezes"]) > 0:
        walk["freezes"] = int(walk["freezes"]) - 1
        walk["freezes_used"] = int(walk["freezes_used"]) + 1
    else:
        walk["streak"] = 0
        walk["streaks_ended"] = int(walk["streaks_ended"]) + 1


@compiled
def bridged(before_ms: int, after_ms: int, rules: Any) -> bool:
    """Return whether the learner's own time skipped the day between two actions (a flight over the date line).

    Args:
        before_ms: last action before the day, UTC.
        after_ms: first action after it, UTC; 0 = none yet.
        rules: one row of `engine.rules.RULES`.
    """
    return after_ms > 0 and after_ms - before_ms < int(rules["bridge_ms"])
