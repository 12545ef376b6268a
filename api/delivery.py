"""Delivery in the service: what carries sends from the journals to learners, put together."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors.delivery.channel import Channel
from actors.delivery.email import EmailChannel
from actors.delivery.forgetting import Forgetting
from actors.delivery.inbox import MESSAGE, InAppChannel, Inbox, InboxMessage
from actors.delivery.outbox import Item, Outbox, State
from actors.delivery.post_office import sends
from actors.delivery.responses import Kind, Response, Responses
from actors.delivery.sender import Sender
from actors.delivery.suppression import Suppressed
from actors.delivery.tasks import OperatorChannel, Tasks
from actors.feed import Happening
from actors.ports import Journal
from actors.register import UnknownLearnerError
from actors.service import Service
from actors.storage.database import Database
from api import jobs
from api.clock import Clock
from api.composing import ADDRESSES, Composer
from api.delivery_settings import DeliverySettings
from api.gateway import Gateway, GatewayChannel
from api.links import Linker
from api.receipts import Receipts
from api.shapes.happenings import Happenings
from api.shapes.inbox import message_told, task_told
from api.webhook import Webhook, outcomes
from engine.calendar import MS_PER_DAY
from engine.notifications.words import Words
from engine.rules import Rules

_log = logging.getLogger("engage.delivery")

KEPT_DAYS = 400
"""How long it is kept what became of a send: a year, to compare with the same weeks, and a month."""

_WORKERS = {"email": 4}  # a mail server takes its time for each; elsewhere two threads are enough


@dataclass(frozen=True)
class Delivery:
    """All that is kept of messages, for routes and reports.

    Args:
        outbox: what waits, and what became of it.
        inbox: messages inside the platform.
        tasks: of operators.
        responses: of learners and gateways.
        suppressed: addresses that are not used.
        linker: makes and reads links.
        composer: makes messages.
        channels: that there are.
        secrets: by which gateways sign their reports.
        forgetting: of learners who are erased.
    """

    outbox: Outbox
    inbox: Inbox
    tasks: Tasks
    responses: Responses
    suppressed: Suppressed
    linker: Linker
    composer: Composer
    channels: tuple[Channel, ...]
    secrets: tuple[bytes, ...]
    forgetting: Forgetting

    def held(self, learner_id: str) -> Iterator[dict[str, Any]]:
        """Yield all that is kept of a learner, line by line."""
        for message in self.inbox.all_of(learner_id):
            yield {"part": "message", **message_told(message), "dismissedAt": _instant(message.dismissed_ms)}
        for fate in self.outbox.of_learner(learner_id):
            told = {"deliveryId": fate.id, "channel": fate.channel, "state": fate.state, "reason": fate.reason}
            yield {"part": "delivery", **told, "at": _instant(fate.changed_ms)}
        for response in self.responses.of_learner(learner_id):
            told = {"deliveryId": response.id, "response": response.kind, "at": _instant(response.at_ms)}
            yield {"part": "response", **told}
        for task in self.tasks.of_learner(learner_id):
            yield {"part": "task", **task_told(task).model_dump(mode="json", by_alias=True)}


class Housekeeping:
    """Deletes what is kept no longer, once a day: a `api.jobs.Job`.

    Args:
        delivery: whose.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery, self._day = delivery, -1

    def step(self, now_ms: int) -> None:
        """Do it if that was not today."""
        if now_ms // MS_PER_DAY == self._day:
            return
        before_ms = now_ms - KEPT_DAYS * MS_PER_DAY
        for store in (self._delivery.outbox, self._delivery.responses, self._delivery.tasks):
            store.prune(before_ms)
        self._delivery.inbox.prune(now_ms)
        self._day = now_ms // MS_PER_DAY


def _channels(
    settings: DeliverySettings, inbox: Inbox, tasks: Tasks, clock: Clock, told: Callable[[InboxMessage], None]
) -> Iterator[Channel]:
    yield InAppChannel(inbox, told)
    yield OperatorChannel(tasks, clock)
    if settings.email is not None:
        yield EmailChannel(settings.email.url, settings.email.sender)
    for name, gateway in (("push", settings.push), ("sms", settings.sms)):
        if gateway is not None:
            yield GatewayChannel(name, Gateway(name, gateway.url, gateway.key, clock))


def _instant(at_ms: int | None) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()


@contextlib.contextmanager
def open_delivery(
    service: Service,
    database: Database,
    journal_of: Callable[[int], Journal],
    rules: Rules,
    settings: DeliverySettings,
    secrets: Sequence[bytes],
    clock: Clock,
) -> Iterator[Delivery]:
    """Deliver what the service's actors send until the block ends.

    Args:
        service: of the learners.
        database: where outbox, inbox, tasks and responses are kept.
        journal_of: opens the journal of an actor, for reading on one thread.
        rules: of the product.
        settings: which channels there are.
        secrets: sign links.
        clock: UTC ms.
    """
    outbox, inbox, responses = Outbox(database), Inbox(database), Responses(database)
    suppressed, tasks = Suppressed(database), Tasks(database, settings.outreach_a_day)
    linker = Linker(secrets, settings.public_url, settings.action_url)
    words = Words(Path(settings.words) if settings.words else None)
    composer = Composer(service.learner, rules, words, suppressed, linker.links)

    def told(message: InboxMessage) -> None:
        log = service.lane(message.learner).log
        service.feed.tell([Happening(log, 0, 0, message.learner, MESSAGE, vars(message))])

    def heard(item: Item, state: State, bounced: bool) -> None:
        if state is State.DELIVERED:
            responses.note(Response(item.id, Kind.DELIVERED, item.learner, clock()))
        elif bounced:
            bounce(service, suppressed, responses, item.id, item.learner, item.channel, clock())

    channels = tuple(_channels(settings, inbox, tasks, clock, told))
    senders: list[Sender[Any]] = [
        Sender(outbox, each, composer, clock, _WORKERS.get(each.name, 2), told=heard) for each in channels
    ]
    forgetting = Forgetting(database, service.unknown, clock)
    delivery = Delivery(
        outbox, inbox, tasks, responses, suppressed, linker, composer, channels, tuple(settings.secrets()), forgetting
    )

    def wake() -> None:
        for sender in senders:
            sender.wake()

    names = [each.name for each in channels]
    carrying: dict[str, jobs.Job] = {
        "post": sends("post", outbox, service.newest, journal_of, names, wake),
        "forgetting": forgetting,
        "housekeeping": Housekeeping(delivery),
    }
    if settings.webhook is not None:
        told_as, types = Happenings(rules, Receipts(rules)), settings.webhook.types
        carrying["webhook"] = outcomes(outbox, service, journal_of, told_as, types, wake)
        carrying["webhook"].step(clock())  # before anybody can send anything: its first step notes where it begins
        gateway = Gateway("webhook", settings.webhook.url, settings.webhook.key, clock)
        senders.append(Sender(outbox, Webhook(gateway), lambda item: item, clock))
    with contextlib.ExitStack() as stack:
        for sender in senders:
            stack.enter_context(sender)
        for name, job in carrying.items():
            stack.enter_context(jobs.ticking(name, job, clock))
        yield delivery


def bounce(
    service: Service,
    suppressed: Suppressed,
    responses: Responses,
    item_id: str,
    learner_id: str,
    channel: str,
    now_ms: int,
    kind: Kind = Kind.BOUNCED,
) -> None:
    """Use a learner's present address on a channel no more."""
    responses.note(Response(item_id, kind, learner_id, now_ms))
    try:
        address = service.learner(learner_id).profile.get(ADDRESSES.get(channel, ""))
    except UnknownLearnerError:
        return
    if address:
        suppressed.add(channel, address, kind, now_ms)
