"""A process that sends what waits in an outbox, until it is killed or nothing waits any more."""

from __future__ import annotations

import sys
import time

from actors.delivery.channel import Outgoing
from actors.delivery.email import EmailChannel
from actors.delivery.outbox import Item, Outbox, State
from actors.delivery.sender import Sender
from actors.storage.database import open_database
from api.clock import wall_clock
from engine.notifications.facts import Facts
from engine.notifications.words import words

WORKERS = 2
LEASE_MS = 300
_WORDS = words().render("gentle_reminder", "en", Facts())


def composed(item: Item) -> Outgoing:
    """Return an item's message."""
    to = f"{item.learner}@example.org"
    return Outgoing(item.id, item.learner, to, "gentle_reminder", _WORDS, item.due_ms, item.expires_ms)


def main(database_url: str, mail_url: str) -> None:
    """Send until nothing waits."""
    channel = EmailChannel(mail_url, "Learn <hello@learn.example>")
    with open_database(database_url) as database:
        outbox = Outbox(database)
        with Sender(outbox, channel, composed, wall_clock, workers=WORKERS, lease_ms=LEASE_MS) as sender:
            sender.wake()
            while ("email", State.WAITING) in outbox.counts():
                time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
