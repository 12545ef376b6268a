"""The webhook: outcomes of learners, told to the platform as signed HTTP requests, each at least once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime

from actors.answers import Answer
from actors.delivery.outbox import Item, Outbox
from actors.delivery.post_office import PostOffice
from actors.feed import happenings
from actors.ports import Entry, Journal
from actors.service import Service
from api.gateway import Gateway
from api.shapes.happenings import Happenings
from engine.calendar import MS_PER_DAY
from engine.outcomes import KINDS, XP

USUAL = tuple(kind for code, kind in enumerate(KINDS) if code - code % 2 != XP)
"""All outcomes but XP, which every event brings and every receipt tells."""

_KEPT_DAYS = 3
"""How long one is tried, and may be tried again by hand."""


class Webhook:
    """Hands outcomes over to the platform.

    Args:
        gateway: which.
    """

    name = "webhook"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def hand_over(self, item: Item) -> None:
        """Hand one over, in the shape of Standard Webhooks: type, timestamp, data."""
        at = datetime.fromtimestamp(item.due_ms / 1_000, UTC).isoformat()
        self._gateway.post(item.id, {"type": item.body["type"], "timestamp": at, "data": item.body})


def outcomes(
    outbox: Outbox,
    service: Service,
    journal_of: Callable[[int], Journal],
    words: Happenings,
    types: Collection[str],
    woken: Callable[[], None],
) -> PostOffice:
    """Return what carries outcomes from the journals into the outbox, those from before its first start left out.

    Args:
        outbox: gets the items.
        service: of the learners.
        journal_of: opens the journal of an actor, for reading on one thread.
        words: tell outcomes.
        types: of `engine.outcomes.KINDS` that are told.
        woken: called after something was put.
    """

    def items(log: int, entry: Entry) -> Iterator[Item]:
        if entry.message.kind == "import":  # history is no news
            return
        now_ms = service.clock()
        answer = Answer.of(entry.answer)
        for each in happenings(log, entry.sequence, answer, service.lanes[log].id_of) if len(answer.outcomes) else ():
            if each.kind in types:
                told = words.told(each)
                identity = f"{told['outcomeId']}/{Webhook.name}"
                yield Item(identity, Webhook.name, each.learner, told, now_ms, now_ms + _KEPT_DAYS * MS_PER_DAY)

    return PostOffice(
        Webhook.name, outbox, service.newest, lambda log, after: journal_of(log).read(after), items, woken,
        from_start=False,
    )  # fmt: skip  # one line an argument would hide the last
