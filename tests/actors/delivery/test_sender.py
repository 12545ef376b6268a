"""The sender: whatever a channel does, each item ends as it should, and nothing else waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.delivery.back_off import MOST_ATTEMPTS, pause_ms
from actors.delivery.channel import Outgoing, RetryLaterError, UndeliverableError
from actors.delivery.outbox import Item, Outbox, State
from actors.delivery.sender import Sender, Withheld
from actors.storage.database import Database, open_database
from api.clock import ManualClock
from engine.notifications.facts import Facts
from engine.notifications.words import words
from tests.databases import sqlite_url

WORDS = words().render("gentle_reminder", "en", Facts())
DAY_MS = 86_400_000


class Scripted:
    """A channel that does what a test says."""

    name = "email"

    def __init__(self, does: Callable[[Outgoing], None] = lambda _outgoing: None) -> None:
        self.does = does
        self.handed: list[str] = []

    def hand_over(self, outgoing: Outgoing) -> None:
        self.handed.append(outgoing.id)
        self.does(outgoing)


def fails_with(error: Exception) -> Callable[[Outgoing], None]:
    def fail(_outgoing: Outgoing) -> None:
        raise error

    return fail


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(sqlite_url(tmp_path / "engage.db")) as opened:
        opened.migrate()
        yield opened


def composed(item: Item) -> Outgoing:
    return Outgoing(item.id, item.learner, "to", "gentle_reminder", WORDS, item.due_ms, item.expires_ms)


class Desk:
    """An outbox with one item, and a sender whose steps a test takes."""

    def __init__(self, database: Database, channel: Scripted, expires_ms: int = 10 * DAY_MS) -> None:
        self.outbox, self.clock, self.channel = Outbox(database), ManualClock(1_000), channel
        self.heard: list[tuple[str, State, bool]] = []
        self.compose: Callable[[Item], Outgoing | Withheld] = composed
        self.outbox.put([Item("i", "email", "u-1", {}, 0, expires_ms)], 0)
        self.sender = Sender(
            self.outbox,
            channel,
            self.composed,
            self.clock,
            told=lambda item, state, bounced: self.heard.append((item.id, state, bounced)),
        )

    def composed(self, item: Item) -> Outgoing | Withheld:
        """Compose as the test says at this moment."""
        return self.compose(item)

    @property
    def fate(self) -> tuple[State, str | None]:
        found = self.outbox.find("i")
        assert found is not None
        return found.state, found.reason


def test_what_is_handed_over_is_delivered(database: Database) -> None:
    desk = Desk(database, Scripted())
    assert desk.sender.step() and not desk.sender.step()
    assert desk.fate == (State.DELIVERED, None) and desk.heard == [("i", State.DELIVERED, False)]


def test_what_may_not_be_sent_any_more_is_not_handed_over(database: Database) -> None:
    desk = Desk(database, Scripted())
    desk.compose = lambda _item: Withheld("no consent")
    desk.sender.step()
    assert desk.fate == (State.WITHHELD, "no consent") and desk.channel.handed == []


def test_what_is_tried_again_waits_longer_each_time_and_is_dead_in_the_end(database: Database) -> None:
    desk = Desk(database, Scripted(fails_with(RetryLaterError("email", "busy"))))
    for attempt in range(1, MOST_ATTEMPTS):
        assert desk.sender.step()
        assert desk.fate == (State.WAITING, "busy") and desk.heard == []
        desk.clock.set(desk.clock() + pause_ms("i", attempt) - 1)
        assert not desk.sender.step(), "not yet"
        desk.clock.set(desk.clock() + 1)
    assert desk.sender.step()
    assert desk.fate == (State.DEAD, "busy") and desk.heard == [("i", State.DEAD, False)]
    assert len(desk.channel.handed) == MOST_ATTEMPTS


def test_a_pause_that_a_channel_asks_for_is_kept(database: Database) -> None:
    desk = Desk(database, Scripted(fails_with(RetryLaterError("email", "busy", after_s=600))))
    desk.sender.step()
    desk.clock.advance(seconds=599)
    assert not desk.sender.step()
    desk.clock.advance(seconds=1)
    assert desk.sender.step()


def test_what_would_come_too_late_expires(database: Database) -> None:
    desk = Desk(database, Scripted(fails_with(RetryLaterError("email", "busy"))), expires_ms=9_000)
    desk.sender.step()
    assert desk.fate == (State.EXPIRED, "busy")


@pytest.mark.parametrize("bounced", [False, True])
def test_what_is_refused_for_good_is_dead_at_once(database: Database, bounced: bool) -> None:
    desk = Desk(database, Scripted(fails_with(UndeliverableError("email", "no such box", bounced))))
    desk.sender.step()
    assert desk.fate == (State.DEAD, "no such box") and desk.heard == [("i", State.DEAD, bounced)]


def test_rubbish_is_tried_again_and_says_nothing_of_what_it_held(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(database, Scripted(fails_with(KeyError("ann@example.org"))))
    desk.sender.step()
    assert desk.fate == (State.WAITING, "KeyError")
    assert "KeyError" in caplog.text and "ann@example.org" not in caplog.text
    desk.clock.advance(hours=1)
    desk.channel.does = lambda _outgoing: None
    desk.sender.step()
    assert desk.fate[0] is State.DELIVERED


def test_a_composer_that_fails_is_no_end_either(database: Database) -> None:
    desk = Desk(database, Scripted())

    def fail(_item: Item) -> Outgoing:
        raise RuntimeError

    desk.compose = fail
    desk.sender.step()
    assert desk.fate == (State.WAITING, "RuntimeError")


def test_a_channel_that_hangs_holds_up_neither_who_puts_nor_another_channel(database: Database) -> None:
    let_go = threading.Event()
    hanging, other = Scripted(lambda _outgoing: let_go.wait(30) and None), Scripted()
    other.name = "push"
    outbox, clock = Outbox(database), ManualClock(1_000)
    with (
        Sender(outbox, hanging, composed, clock, workers=1) as one,
        Sender(outbox, other, composed, clock, workers=1) as two,
    ):
        outbox.put([Item("slow", "email", "u", {}, 0, DAY_MS)], 0)
        one.wake()
        until(lambda: bool(hanging.handed))
        began = time.monotonic()
        outbox.put([Item(f"quick-{k}", "push", "u", {}, 0, DAY_MS) for k in range(5)], 0)
        two.wake()
        until(lambda: len(other.handed) == 5)
        assert time.monotonic() - began < 10 and not let_go.is_set()
        let_go.set()
    assert outbox.counts() == {("email", State.DELIVERED): 1, ("push", State.DELIVERED): 5}


def test_the_end_waits_for_what_is_in_hand(database: Database) -> None:
    begun = threading.Event()

    def slow(_outgoing: Outgoing) -> None:
        begun.set()
        time.sleep(0.3)

    outbox = Outbox(database)
    outbox.put([Item(f"i-{k}", "email", "u", {}, 0, DAY_MS) for k in range(50)], 0)
    with Sender(outbox, Scripted(slow), composed, ManualClock(1_000), workers=2) as sender:
        sender.wake()
        assert begun.wait(10)
    counts = outbox.counts()
    assert counts["email", State.DELIVERED] >= 1 and counts["email", State.WAITING] >= 40


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.01)
