"""The channels under test, each with a real receiver behind it. A new channel gets its rig here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from actors.delivery.channel import Channel, Outgoing
from actors.delivery.email import EmailChannel
from actors.delivery.inbox import InAppChannel, Inbox
from actors.delivery.outbox import Item
from actors.delivery.tasks import OperatorChannel, Tasks
from actors.storage.database import open_database
from api.clock import ManualClock
from api.gateway import Gateway, GatewayChannel
from api.webhook import Webhook
from tests.databases import sqlite_url
from tests.mail import MailServer
from tests.receivers import SECRET, GatewayServer

TIMEOUT_S = 0.5
NOW_MS = 1_795_000_000_000


@dataclass
class Rig:
    """A channel with a real receiver behind it.

    Args:
        channel: under test.
        taken: returns the texts that have come, by whatever the receiver knows a message again by.
        to: an address on it.
    """

    channel: Channel
    taken: Callable[[], dict[str, list[str]]]
    to: str = "u-1"


@dataclass
class Remote(Rig):
    """A channel with a network in between.

    Args:
        refuse: makes the receiver refuse this address for good.
        busy: makes the receiver ask for another attempt.
        at: returns the channel with what listens on another port behind it.
    """

    refuse: Callable[[], None] = lambda: None
    busy: Callable[[], None] = lambda: None
    at: Callable[[int], Channel] = lambda port: pytest.fail(f"nobody at {port}")


def email(stack: ExitStack, _path: Path) -> Remote:
    server = stack.enter_context(MailServer())

    def taken() -> dict[str, list[str]]:
        bodies = {str(each["Message-ID"]): each for each in server.messages}
        return {
            key: [str(each["Subject"]), *(part.get_content() for part in each.iter_parts())]
            for key, each in bodies.items()
        }

    def at(port: int) -> Channel:
        return EmailChannel(f"smtp://127.0.0.1:{port}", "Learn <hello@learn.example>", TIMEOUT_S)

    return Remote(
        EmailChannel(server.url, "Learn <hello@learn.example>", TIMEOUT_S),
        taken,
        "ada@example.org",
        refuse=lambda: setattr(server, "to_recipient", "550 No such user"),
        busy=lambda: setattr(server, "to_recipient", "451 Try again"),
        at=at,
    )


def gateway(name: str) -> Callable[[ExitStack, Path], Remote]:
    def rig(stack: ExitStack, _path: Path) -> Remote:
        server = stack.enter_context(GatewayServer())

        def made(url: str) -> Channel:
            return GatewayChannel(name, Gateway(name, url, SECRET.encode(), ManualClock(NOW_MS), TIMEOUT_S))

        return Remote(
            made(server.url),
            lambda: {key: [each["title"], each["text"]] for key, each in server.taken.items()},
            "+493012345678",
            refuse=lambda: setattr(server, "answer", (410, {})),
            busy=lambda: setattr(server, "answer", (503, {"Retry-After": "120"})),
            at=lambda port: made(f"http://127.0.0.1:{port}/"),
        )

    return rig


def in_app(stack: ExitStack, path: Path) -> Rig:
    database = stack.enter_context(open_database(sqlite_url(path / "engage.db")))
    database.migrate()
    inbox = Inbox(database)
    told: list[Any] = []

    def taken() -> dict[str, list[str]]:
        found = {each.id: [each.title, each.text] for each in inbox.all_of("u-1")}
        assert sorted(each.id for each in told) == sorted(found), "each is told live, once"
        return found

    return Rig(InAppChannel(inbox, told.append), taken)


def operator(stack: ExitStack, path: Path) -> Rig:
    database = stack.enter_context(open_database(sqlite_url(path / "engage.db")))
    database.migrate()
    tasks = Tasks(database, 10_000)
    channel = OperatorChannel(tasks, ManualClock(NOW_MS))
    return Rig(channel, lambda: {each.id: [each.subject, each.text] for each in tasks.of_learner("u-1")})


class AsChannel:
    """The webhook, handed what a test hands to channels."""

    name = Webhook.name

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def hand_over(self, outgoing: Outgoing, /) -> None:
        """Hand the words over as if they were an outcome."""
        body = {"type": outgoing.type, "title": outgoing.words.push_title, "text": outgoing.words.push}
        self._webhook.hand_over(Item(outgoing.id, self.name, outgoing.learner, body, outgoing.created_ms))


def webhook(stack: ExitStack, _path: Path) -> Remote:
    server = stack.enter_context(GatewayServer())

    def made(url: str) -> Channel:
        return AsChannel(Webhook(Gateway("webhook", url, SECRET.encode(), ManualClock(NOW_MS), TIMEOUT_S)))

    return Remote(
        made(server.url),
        lambda: {key: [each["data"]["title"], each["data"]["text"]] for key, each in server.taken.items()},
        refuse=lambda: setattr(server, "answer", (410, {})),
        busy=lambda: setattr(server, "answer", (429, {})),
        at=lambda port: made(f"http://127.0.0.1:{port}/"),
    )


REMOTE: dict[str, tuple[type, Callable[[ExitStack, Path], Remote]]] = {
    "email": (EmailChannel, email),
    "push": (GatewayChannel, gateway("push")),
    "sms": (GatewayChannel, gateway("sms")),
    "webhook": (Webhook, webhook),
}
RIGS: dict[str, tuple[type, Callable[[ExitStack, Path], Rig]]] = {
    **REMOTE,
    "in_app": (InAppChannel, in_app),
    "operator": (OperatorChannel, operator),
}
