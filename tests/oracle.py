"""An independent oracle of the rules: plain Python from their description (docs/event-log.md) and the TOML file alone.

It imports nothing of ours and no NumPy, and it walks a learner's whole life day by day from the full list of events:
no sealed part, no open days, no bit sets. What the engine computes incrementally has to equal this.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

RULES_FILE = Path(__file__).resolve().parent.parent / "engine" / "rules.toml"
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


class Event(NamedTuple):
    """One event as the oracle takes it; a plain tuple of the same order will do."""

    learner_id: str
    occurred_ms: int
    arrived_ms: int
    action: str
    value: float | None  # None or NaN = none
    event_id: str | int
    day: int  # local day of the event's own zone, days since 1970-01-01


def load_rules(path: Path = RULES_FILE) -> dict[str, Any]:
    """Return the TOML file as it stands."""
    return tomllib.loads(path.read_text())


def judge(
    events: Iterable[tuple[Any, ...]], as_of: int, rules: dict[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what every learner has at ``as_of``, by learner.

    Args:
        events: in any order; of two with the same learner and id the first to arrive counts (of equal arrival, the
            first given).
        as_of: local day; it has not ended. A learner with events on a later day is looked at on that day instead.
        rules: the parsed TOML file; ours by default.
    """
    rules = rules or load_rules()
    lives: dict[str, list[Event]] = defaultdict(list)
    for given in events:
        event = Event(*given)
        lives[event.learner_id].append(event)
    return {
        learner: _life(sorted(life, key=lambda event: event.arrived_ms), as_of, rules)
        for learner, life in lives.items()
    }


def _admit(life: list[Event], rules: dict[str, Any]) -> tuple[list[Event], list[Event], Counter[str]]:
    """Split a learner's events into those with full effect and the late ones, and count what became of each."""
    limits = rules["limits"]
    seen: set[str | int] = set()
    full: list[Event] = []
    late: list[Event] = []
    verdicts: Counter[str] = Counter()
    for event in life:
        age_ms = event.arrived_ms - event.occurred_ms
        if age_ms < -limits["future_minutes"] * MINUTE_MS:
            verdicts["future"] += 1
        elif age_ms > limits["horizon_days"] * DAY_MS:
            verdicts["too_old"] += 1
        elif event.event_id in seen:
            verdicts["duplicate"] += 1
        else:
            seen.add(event.event_id)
            in_grace = age_ms <= limits["grace_days"] * DAY_MS
            verdicts["full" if in_grace else "late"] += 1
            (full if in_grace else late).append(event)
    return full, late, verdicts


def _counts(events: list[Event]) -> Counter[str]:
    """Count actions; a finished quiz with everything right is a perfect quiz besides."""
    counts = Counter(event.action for event in events)
    perfect = sum(
        event.action == "quiz_complete" and event.value is not None and event.value >= 1.0 for event in events
    )
    if perfect:
        counts["perfect_quiz"] += perfect
    return counts


class _Walk:
    """What a learner has, as the days go by."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self.rules = rules
        self.xp = 0
        self.level = 1
        self.streak = self.longest_streak = 0
        self.freezes = self.freezes_used = self.freezes_lost = 0
        self.milestones = dict.fromkeys(rules["streak"]["milestones"], 0)

    def award(self, freezes: int) -> None:
        for _ in range(freezes):
            if self.freezes < self.rules["streak"]["most_freezes"]:
                self.freezes += 1
            else:
                self.freezes_lost += 1

    def miss(self) -> None:
        if self.freezes > 0:
            self.freezes -= 1
            self.freezes_used += 1
        else:
            self.streak = 0

    def extend(self) -> None:
        self.streak += 1
        self.longest_streak = max(self.longest_streak, self.streak)
        if self.streak in self.milestones:
            self.milestones[self.streak] += 1
            self.xp += self.rules["actions"]["streak_milestone"]["xp"]
            if self.streak in self.rules["streak"]["freezes_at"]:
                self.award(1)

    def climb(self) -> None:
        levels = self.rules["levels"]
        while self.level < len(levels) and self.xp >= levels[self.level]["xp"]:
            self.award(levels[self.level].get("freezes", 0))
            self.level += 1


def _life(life: list[Event], as_of: int, rules: dict[str, Any]) -> dict[str, Any]:
    full, late, verdicts = _admit(life, rules)
    days: dict[int, list[Event]] = defaultdict(list)
    for event in full:
        days[event.day].append(event)
    instants = {day: [event.occurred_ms for event in events] for day, events in days.items()}
    spans = {day: (min(on_day), max(on_day)) for day, on_day in instants.items()}
    today = max([as_of, *days])
    monday = today - (today + 3) % 7  # day 0 was a Thursday

    walk = _Walk(rules)
    xp_by_day: dict[int, int] = {}
    qualifying_days = 0
    for day in range(min(days, default=today), today + 1):
        xp_before = walk.xp
        counts = _counts(days.get(day, []))
        qualifies = any(rules["actions"][action]["qualifies"] for action in counts)
        if qualifies:
            qualifying_days += 1
            walk.extend()
        elif day < today and walk.streak > 0 and not _skipped(day, spans, rules):
            walk.miss()
        for action, count in counts.items():
            walk.xp += rules["actions"][action]["xp"] * min(count, rules["actions"][action]["cap"])
        walk.climb()
        xp_by_day[day] = walk.xp - xp_before

    totals = _counts(full + late)
    result: dict[str, Any] = {
        "xp": walk.xp,
        "level": walk.level,
        "streak": walk.streak,
        "longest_streak": walk.longest_streak,
        "freezes": walk.freezes,
        "freezes_used": walk.freezes_used,
        "freezes_lost": walk.freezes_lost,
        "milestones": walk.milestones,
        "totals": dict(totals),
        "active_days": len(days),
        "qualifying_days": qualifying_days,
        "xp_day": xp_by_day.get(today, 0),
        "xp_week": sum(xp for day, xp in xp_by_day.items() if day >= monday),
        "late": verdicts["late"],
        "verdicts": dict(verdicts),
    }
    result["achievements"] = {
        badge["id"] for badge in rules["achievements"] if _metric(badge["metric"], result, totals) >= badge["at"]
    }
    return result


def _skipped(day: int, spans: dict[int, tuple[int, int]], rules: dict[str, Any]) -> bool:
    """Return whether the learner's own time left the day out: the actions around it lie too close for a whole day.

    Args:
        day: a local day.
        spans: first and last instant of each day with actions.
        rules: the parsed TOML file.
    """
    before = [last for other, (_, last) in spans.items() if other < day]
    after = [first for other, (first, _) in spans.items() if other > day]
    return bool(before and after) and min(after) - max(before) < rules["streak"]["bridge_hours"] * HOUR_MS


def _metric(metric: str, result: dict[str, Any], totals: Counter[str]) -> int:
    if metric.startswith("total:"):
        return totals[metric.removeprefix("total:")]
    return int(result[metric])
