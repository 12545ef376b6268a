"""XP and levels: XP of a day = sum over actions of xp x min(count that day, cap); levels are thresholds of XP."""

from __future__ import annotations

from typing import Any

from engine.compiled import compiled
from engine.streaks import award_freezes


@compiled
def gain(counted_today: int, action: int, rules: Any) -> int:
    """Return the XP of one more action on a day that already counts ``counted_today`` of them."""
    if counted_today < int(rules["cap"][action]):
        return int(rules["xp"][action])
    return 0


@compiled
def add(walk: Any, amount: int, rules: Any) -> None:
    """Add XP to the walk; each level newly reached pays its freezes, once."""
    walk["xp"] = int(walk["xp"]) + amount
    while int(walk["level"]) < int(rules["level_count"]) and int(walk["xp"]) >= int(
        rules["level_xp"][int(walk["level"])]
    ):
        walk["level"] = int(walk["level"]) + 1
        award_freezes(walk, int(rules["level_freezes"][int(walk["level"]) - 1]), rules)
