"""Receipts as clients read them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from actors.answers import Receipt
from api.wire import Wire
from engine.rules import Rules

_STATUS = {"full": "accepted", "late": "late", "duplicate": "duplicate"}


class Badge(Wire):
    """An achievement."""

    id: str = Field(examples=["week_warrior"])
    name: str = Field(examples=["Week Warrior"])


class EventReceipt(Wire):
    """What became of one event; a duplicate repeats what its first arrival brought."""

    user_id: str = Field(examples=["u-17"])
    event_id: str = Field(description="Send the event again under this id, and it counts once.", examples=["lesson-42"])
    status: Literal["accepted", "late", "duplicate"] = Field(
        description="late: it came after the grace of seven days and counts in lifetime totals only."
    )
    xp_awarded: int = Field(description="Below 0 where a late event moved a milestone.", examples=[50])
    total_xp: int = Field(examples=[150])
    level: int = Field(description="From 1.", examples=[2])
    level_name: str = Field(examples=["Learner"])
    leveled_up: bool
    streak: int = Field(description="Qualifying days of the run that is alive.", examples=[3])
    freezes: int = Field(description="Held now.", examples=[0])
    achievements: list[Badge] = Field(description="Unlocked by this event.")
    outcomes: list[dict[str, Any]] = Field(description="All that changed, in order; see docs/api.md for the types.")


class Receipts:
    """Puts receipts into the words of the rules.

    Args:
        rules: of the product.
    """

    def __init__(self, rules: Rules) -> None:
        self._levels = [level.name for level in rules.levels]
        self._level_xp = [level.xp for level in rules.levels]
        self._badges = [{"id": badge.id, "name": badge.name} for badge in rules.achievements]

    def told(self, user_id: str, event_id: str, receipt: Receipt) -> dict[str, Any]:
        """Return a receipt as `EventReceipt` has it: plain, because thousands a second are made."""
        outcomes = [self.outcome(*each) for each in receipt.outcomes]
        kinds = [each["type"] for each in outcomes]
        return {
            "userId": user_id,
            "eventId": event_id,
            "status": _STATUS[receipt.verdict],
            "xpAwarded": receipt.xp_awarded,
            "totalXp": receipt.xp,
            "level": receipt.level,
            "levelName": self._levels[receipt.level - 1],
            "leveledUp": "level_up" in kinds,
            "streak": receipt.streak,
            "freezes": receipt.freezes,
            "achievements": [
                self._badges[each.threshold] for each in receipt.outcomes if each.kind == "achievement_unlocked"
            ]
            if "achievement_unlocked" in kinds
            else [],
            "outcomes": outcomes,
        }

    def progress(self, xp: int, level: int) -> float:
        """Return how far of the way to the next level a learner has come, 0-100; 100 on the last."""
        if level == len(self._level_xp):
            return 100.0
        low, high = self._level_xp[level - 1], self._level_xp[level]
        return round(100.0 * (xp - low) / (high - low), 1)

    def outcome(self, kind: str, threshold: int, ordinal: int, amount: int) -> dict[str, Any]:
        """Return an outcome with the numbers that belong to its kind, by name."""
        told: dict[str, Any] = {"type": kind}
        if kind.startswith("xp"):
            told |= {"amount": amount, "total": ordinal}
        elif kind.startswith("level"):
            told |= {"level": threshold, "name": self._levels[threshold - 1]}
        elif kind.startswith("milestone"):
            told |= {"days": threshold, "nth": ordinal}
        elif kind.startswith("achievement"):
            told |= self._badges[threshold]
        else:
            told["nth"] = ordinal
        return told
