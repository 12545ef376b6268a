"""SIGKILL of the sender in mid-send, fifty times: nothing is lost, and only what was in flight comes again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from actors.delivery.email import EmailChannel
from actors.delivery.outbox import Item, Outbox, State
from actors.storage.database import open_database
from api.clock import wall_clock
from tests.databases import sqlite_url
from tests.faults import sending
from tests.mail import MailServer

KILLS = 50
ITEMS = 300
_HOUR_MS = 3_600_000


def test_a_killed_sender_loses_nothing_and_repeats_only_what_was_in_flight(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    url = sqlite_url(tmp_path / "engage.db")

    def slowly() -> str:
        time.sleep(0.01)  # so that there is a middle in which it can be killed
        return "250 OK"

    with open_database(url) as database, MailServer(slowly) as mail:
        database.migrate()
        outbox, now_ms = Outbox(database), wall_clock()
        items = [
            Item(f"u-{k}/gentle_reminder/1/email", "email", f"u-{k}", {}, now_ms, now_ms + _HOUR_MS)
            for k in range(ITEMS)
        ]
        outbox.put(items, now_ms)
        channel = EmailChannel(mail.url, "Learn <hello@learn.example>")
        ids = {channel.message(sending.composed(item))["Message-ID"]: item.id for item in items}

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-m", "tests.faults.sending", url, mail.url])

        for kill in range(KILLS):
            child = start()
            assert mail.begun.acquire(timeout=60), "it sends"
            for _ in range(kill % 3):  # at other moments of a send
                time.sleep(0.004)
            assert child.poll() is None, "it was killed in the middle of its work"
            child.kill()
            child.wait()
            while mail.begun.acquire(blocking=False):
                pass
        assert start().wait(timeout=120) == 0
        assert outbox.counts() == {("email", State.DELIVERED): ITEMS}
        arrived = Counter(ids[message["Message-ID"]] for message in mail.messages)

    assert set(arrived) == {item.id for item in items}, "none is lost"
    repeats = sum(arrived.values()) - ITEMS
    record_property("repeats", repeats)
    assert 1 <= repeats <= KILLS * sending.WORKERS, "what was in flight came again, and nothing else"
    assert max(arrived.values()) <= 1 + KILLS
