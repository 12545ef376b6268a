"""Achievements: badges held whenever their metric has reached their threshold, a pure function of the record."""

from __future__ import annotations

from typing import Any

from engine.compiled import compiled
from engine.rules import METRICS

_METRIC_COUNT = len(METRICS)


@compiled
def metric(r: Any, index: int) -> int:
    """Return the value of a metric of `engine.rules.METRICS`, or beyond them the lifetime total of an action."""
    if index >= _METRIC_COUNT:
        return int(r["totals"][index - _METRIC_COUNT])
    if index == 0:
        return int(r["view"]["longest_streak"])
    if index == 1:
        return int(r["view"]["xp"])
    if index == 2:
        return int(r["view"]["level"])
    if index == 3:
        return int(r["active_days"])
    if index == 4:
        return int(r["qualifying_days"])
    return int(r["view"]["freezes_used"])


@compiled
def held(r: Any, rules: Any) -> int:
    """Return the badges held, bit k = place k in the rules."""
    bits = 0
    for place in range(int(rules["achievement_count"])):
        if metric(r, int(rules["achievement_metric"][place])) >= int(rules["achievement_at"][place]):
            bits |= 1 << place
    return bits
