"""An export: all that is held of one learner, line by line, each with what it means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic.alias_generators import to_camel

from actors.holdings import Holding
from actors.views import LearnerView
from api.shapes.happenings import Happenings, send_told
from api.shapes.profile import profile_state
from engine.calendar import date_of
from engine.record import MEANING, NEVER, column
from engine.risk.dropoff import standing_names
from engine.rules import Rules

_WALKS = ("sealed", "view")  # told field by field


def head(user_id: str, view: LearnerView, at_ms: int, rules: Rules) -> Iterator[dict[str, Any]]:
    """Yield what an export begins with: what it is, the profile, the record field by field.

    Args:
        user_id: the learner.
        view: what is held of the learner.
        at_ms: the moment, UTC ms.
        rules: of the product: their names, in the order of the record's numbers.
    """
    names = {
        "actions": list(rules.actions),
        "kinds": list(rules.kinds),
        "achievements": [badge.name for badge in rules.achievements],
        "milestones": list(rules.streak.milestones),
    }
    yield {"part": "about", "userId": user_id, "exportedAt": _instant(at_ms), "localDate": _date(view.day), **names}
    zones = [{"from": _instant(from_ms), "timezone": zone} for from_ms, zone in view.profile.get("zones", [])]
    profile = profile_state(user_id, view).model_dump(mode="json", by_alias=True)
    yield {"part": "profile", **profile, "timezones": zones}
    for name, (unit, meaning) in MEANING.items():
        if name not in _WALKS:
            value = _plain(column(view.record, name)[0])
            yield {"part": "record", "field": name, "value": value, "unit": unit, "meaning": meaning}


class Lines:
    """Puts what a journal holds into lines.

    Args:
        user_id: the learner.
        rules: of the product.
        happenings: knows the words of outcomes.
    """

    def __init__(self, user_id: str, rules: Rules, happenings: Happenings) -> None:
        self._user_id, self._happenings = user_id, happenings
        self._actions, self._standings = list(rules.actions), standing_names(rules)

    def line(self, held: Holding) -> dict[str, Any]:
        """Return one line."""
        tell = {"event": self._event, "outcome": self._outcome, "send": send_told, "daily": self._daily}
        if "standing" in held.facts and held.kind != "daily":
            held.facts["standing"] = self._standings[held.facts["standing"]]
        told = tell.get(held.kind, _named)(held.facts)
        return {"part": held.kind, "entry": held.sequence, **told}

    def _event(self, facts: dict[str, Any]) -> dict[str, Any]:
        event_id, course, zone = facts["detail"] or (None, None, None)
        receipt = facts["receipt"]
        return {
            "eventId": event_id,
            "eventKey": f"{facts['event_id']:016x}",
            "action": self._actions[facts["action"]],
            "occurredAt": _instant(facts["occurred_ms"]),
            "arrivedAt": _instant(facts["arrived_ms"]),
            "localDate": _date(facts["day"]),
            "localMinute": facts["minute"],
            "value": _plain(facts["value"]),
            "courseId": course,
            "timezone": zone,
            "verdict": receipt.verdict,
            "xpAwarded": receipt.xp_awarded,
            "totalXp": receipt.xp,
            "level": receipt.level,
            "streak": receipt.streak,
            "freezes": receipt.freezes,
        }

    def _outcome(self, facts: dict[str, Any]) -> dict[str, Any]:
        return self._happenings.outcome(self._user_id, facts["kind"], facts)

    def _daily(self, facts: dict[str, Any]) -> dict[str, Any]:
        known = ("at_ms", "day", "signals_day", "risk", "confidence", "standing")
        signals = {name: value for name, value in facts.items() if name not in known}
        return {
            "at": _instant(facts["at_ms"]),
            "localDate": _date(facts["day"]),
            "signalsDate": _date(facts["signals_day"]),
            "dropOffRisk": _plain(facts["risk"]),
            "confidence": _plain(facts["confidence"]),
            "band": self._standings[facts["standing"]],
            "signals": signals,
        }


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts as they are, days and instants in words."""
    told: dict[str, Any] = {}
    for name, value in facts.items():
        if name == "day":
            told["localDate"] = _date(value)
        elif name == "at_ms":
            told["at"] = _instant(value)
        else:
            told[to_camel(name)] = _plain(value)
    return told


def _plain(value: Any) -> Any:
    """Return a value of a record as JSON can say it; what is not there is null."""
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value]
    number = value.item() if isinstance(value, np.generic) else value
    return None if number == NEVER or (isinstance(number, float) and math.isnan(number)) else number


def _instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()


def _date(day: int) -> str:
    return date_of(day).isoformat()
