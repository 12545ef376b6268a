"""Composing: a last look at whether a learner may be sent something, and the words, made as it is handed over.

Nothing personal but the learner's id waits in the outbox: name, address and consent are read at this moment, so that
what was changed or withdrawn meanwhile counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.delivery.channel import Links, Outgoing
from actors.delivery.outbox import Item
from actors.delivery.sender import Withheld
from actors.delivery.suppression import Suppressed
from actors.register import Profile, UnknownLearnerError
from actors.sending import OPERATOR
from actors.views import LearnerView
from api.links import Link
from engine.notifications.catalogue import CHANNELS, channel_names
from engine.notifications.facts import Facts
from engine.notifications.learning_style import learning_style
from engine.notifications.quiet_hours import is_quiet
from engine.notifications.words import Words
from engine.rules import Rules

ADDRESSES = {"email": "email", "push": "pushToken", "sms": "phone"}
"""Entry of the profile that is the address on each channel; on the others it is the learner's id."""


class Composer:
    """Turns items of the outbox into notifications.

    Args:
        learner: returns all that is held of a learner, `UnknownLearnerError` = nobody.
        rules: of the product.
        words: in which they are told.
        suppressed: addresses that are not used any more.
        links: returns the links of a message.
    """

    def __init__(
        self,
        learner: Callable[[str], LearnerView],
        rules: Rules,
        words: Words,
        suppressed: Suppressed,
        links: Callable[[Link], Links],
    ) -> None:
        self._learner, self._rules, self._words = learner, rules, words
        self._suppressed, self._links = suppressed, links

    def __call__(self, item: Item) -> Outgoing | Withheld:
        """Return what is handed over, or why nothing is."""
        try:
            view = self._learner(item.learner)
        except UnknownLearnerError:
            return Withheld("the learner is not known any more")
        allowed = channel_names(int(view.record["consent"][0]))
        if (item.channel in CHANNELS and item.channel not in allowed) or not allowed:
            return Withheld("no consent")
        if item.channel != OPERATOR and is_quiet(view.profile.get("quietHours"), view.minute):
            return Withheld("quiet hours")
        to = view.profile.get(ADDRESSES[item.channel]) if item.channel in ADDRESSES else item.learner
        if not to:
            return Withheld("no address")
        if self._suppressed.holds(item.channel, to):
            return Withheld("an address that is not used any more")
        kind = item.body["type"]
        words = self._words.render(kind, view.profile.get("locale"), self.facts(view, item.body["facts"]))
        links = self._links(Link(item.id, item.learner, item.channel))
        return Outgoing(item.id, item.learner, to, kind, words, item.due_ms, item.expires_ms, links)

    def facts(self, view: LearnerView, told: dict[str, Any]) -> Facts:
        """Return what may be said to a learner.

        Args:
            view: what is held of the learner.
            told: what the send says beyond it.
        """
        profile: Profile = view.profile
        record, rules = view.record[0], self._rules
        level = told.get("level", int(record["view"]["level"]))
        achievement = told.get("achievement")
        return Facts(
            name=profile.get("displayName"),
            learning_style=learning_style(record, profile.get("learningStyle")),
            streak_days=int(record["view"]["streak"]),
            level=rules.levels[level - 1].name if level <= len(rules.levels) else None,
            progress_percent=profile.get("courseProgressPercent"),
            item=told.get("item") or profile.get("nextItem"),
            achievement=next((badge.name for badge in rules.achievements[achievement:]), None)
            if achievement is not None
            else None,
            milestone_days=told.get("milestone_days"),
            price=told.get("price"),
            discount_percent=told.get("discount_percent"),
            tutor=told.get("tutor"),
        )
