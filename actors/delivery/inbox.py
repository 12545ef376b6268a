"""The inbox: messages inside the platform, which its pages list, and show as they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, func, select, update

from actors.delivery.channel import Outgoing
from actors.storage.database import Database
from actors.storage.rows import put_once, to_json
from actors.storage.schema import INBOX

Mark = Literal["read", "dismissed"]
MESSAGE = "message"
"""Kind of the happening that one came."""

_LISTED_MS = 30 * 86_400_000
"""How long a message is listed: what it asked for is long over, but a learner may want to read it again."""


@dataclass(frozen=True)
class InboxMessage:
    """One message.

    Args:
        id: of the outbox.
        learner: whose.
        type: of the catalogue.
        text: one line of plain text.
        title: the same, shorter.
        direction: in which it is written.
        locale: its language.
        action: where it leads, None = nowhere.
        created_ms: when it came.
        read_ms: when it was read first, None = it was not.
        dismissed_ms: when it was taken away, None = it was not.
    """

    id: str
    learner: str
    type: str
    text: str
    title: str
    direction: str
    locale: str
    action: str | None
    created_ms: int
    read_ms: int | None = None
    dismissed_ms: int | None = None


_BODY = ("text", "title", "direction", "locale", "action")


class Inbox:
    """The inboxes of a database.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, message: InboxMessage) -> bool:
        """Keep a message. Return False where one of this id stands already."""
        row = {name: getattr(message, name) for name in ("id", "learner", "type", "created_ms")}
        body = to_json({name: getattr(message, name) for name in _BODY})
        return put_once(self._database, INBOX, {**row, "body": body, "expires_ms": message.created_ms + _LISTED_MS})

    def of_learner(self, learner: str, now_ms: int) -> list[InboxMessage]:
        """Return a learner's messages, newest first, without those dismissed and those of a month ago."""
        wanted = [INBOX.c.learner == learner, INBOX.c.dismissed_ms.is_(None), INBOX.c.expires_ms > now_ms]
        order = (INBOX.c.created_ms.desc(), INBOX.c.id.desc())
        return self._messages(select(INBOX).where(*wanted).order_by(*order))  # limits of sends bound them

    def all_of(self, learner: str) -> list[InboxMessage]:
        """Return everything that is kept of a learner, oldest first."""
        return self._messages(select(INBOX).where(INBOX.c.learner == learner).order_by(INBOX.c.created_ms, INBOX.c.id))

    def _messages(self, query: object) -> list[InboxMessage]:
        with self._database.reading() as connection:
            rows = connection.execute(query).all()  # type: ignore[call-overload]  # a select of INBOX
        return [
            InboxMessage(
                id=row.id,
                learner=row.learner,
                type=row.type,
                created_ms=row.created_ms,
                read_ms=row.read_ms,
                dismissed_ms=row.dismissed_ms,
                **json.loads(row.body),
            )
            for row in rows
        ]

    def mark(self, learner: str, message_id: str, mark: Mark, now_ms: int) -> bool:
        """Mark a learner's message; what is dismissed has been read, too. The first time counts.

        Returns:
            False = the learner has no such message.
        """
        mine = (INBOX.c.learner == learner, INBOX.c.id == message_id)
        values = {"read_ms": func.coalesce(INBOX.c.read_ms, now_ms)}
        if mark == "dismissed":
            values["dismissed_ms"] = func.coalesce(INBOX.c.dismissed_ms, now_ms)
        with self._database.writing() as connection:
            return bool(connection.execute(update(INBOX).where(*mine).values(values)).rowcount)

    def prune(self, now_ms: int) -> int:
        """Delete what is not listed any more; return how many there were."""
        with self._database.writing() as connection:
            return connection.execute(delete(INBOX).where(INBOX.c.expires_ms <= now_ms)).rowcount


class InAppChannel:
    """Hands over to the inbox.

    Args:
        inbox: which.
        told: hears of each new message, for pages that are open.
    """

    name = "in_app"

    def __init__(self, inbox: Inbox, told: Callable[[InboxMessage], None]) -> None:
        self._inbox, self._told = inbox, told

    def hand_over(self, outgoing: Outgoing) -> None:
        """Put a message into the learner's inbox, once."""
        words = outgoing.words
        message = InboxMessage(
            id=outgoing.id,
            learner=outgoing.learner,
            type=outgoing.type,
            text=words.in_app,
            title=words.push_title,
            direction=words.direction,
            locale=words.locale,
            action=outgoing.links.action,
            created_ms=outgoing.created_ms,
        )
        if self._inbox.put(message):
            self._told(message)
