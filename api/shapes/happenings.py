"""Happenings: outcomes, sends and changes of risk, as the live stream and an export tell them."""

from __future__ import annotations

from typing import Any

from pydantic.alias_generators import to_camel

from actors.delivery.inbox import MESSAGE, InboxMessage
from actors.feed import Happening
from api.receipts import Receipts
from api.shapes.inbox import message_told
from api.shapes.risk import instant, rounded
from engine import outcomes
from engine.calendar import date_of
from engine.risk.dropoff import standing_names
from engine.rules import Rules


class Happenings:
    """Puts happenings into the words of the API.

    Args:
        rules: of the product.
        receipts: knows the words of outcomes.
    """

    def __init__(self, rules: Rules, receipts: Receipts) -> None:
        self._receipts = receipts
        self._standings = standing_names(rules)

    def told(self, each: Happening) -> dict[str, Any]:
        """Return one happening."""
        if each.kind == "risk":
            return self._risk(each)
        if each.kind == MESSAGE:
            told = message_told(InboxMessage(**each.facts))
            return {"type": MESSAGE, "userId": each.learner, "notification": told.pop("type"), **told}
        if each.kind == "send":
            return send_told(each.facts)
        return self.outcome(each.learner, each.kind, each.facts)

    def outcome(self, learner: str, kind: str, facts: dict[str, int]) -> dict[str, Any]:
        """Return an outcome, with the id that it always has.

        Args:
            learner: id.
            kind: one of `engine.outcomes.KINDS`.
            facts: day, threshold, ordinal and amount.
        """
        told = self._receipts.outcome(kind, facts["threshold"], facts["ordinal"], facts["amount"])
        # A badge's own id stays in its fields; the outcome's id tells which outcome of all it is.
        identity = outcomes.id_of(learner, {**facts, "kind": outcomes.KINDS.index(kind)})
        return {**told, "outcomeId": identity, "userId": learner, "date": date_of(facts["day"]).isoformat()}

    def _risk(self, each: Happening) -> dict[str, Any]:
        facts = each.facts
        since = instant(facts["since_ms"])
        return {
            "type": "risk",
            "userId": each.learner,
            "dropOffRisk": rounded(facts["risk"]),
            "confidence": rounded(facts["confidence"]),
            "band": self._standings[facts["standing"]],
            "bandBefore": self._standings[facts["standing_before"]],
            "since": None if since is None else since.isoformat(),
        }


def send_told(facts: dict[str, Any]) -> dict[str, Any]:
    """Return a notification that is delivered.

    Args:
        facts: as `actors.sending` puts it.
    """
    return {
        "type": "send",
        "sendId": facts["id"],
        "userId": facts["learner"],
        "notification": facts["type"],
        "date": date_of(facts["day"]).isoformat(),
        "channels": [to_camel(channel) for channel in facts["channels"]],
        "campaign": facts["campaign"],
        "arm": facts["arm"],
    }
