"""What the outbox keeps to, on every database: once under an id, to one sender at a time, never late, never lost."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from actors.delivery.outbox import Item, Outbox, State
from actors.ports import JournalError
from actors.storage.database import Database, open_database

LEASE_MS = 1_000


def items(count: int, channel: str = "email", due_ms: int = 10, expires_ms: int = 10_000) -> list[Item]:
    return [
        Item(f"u-{k}/news/1/{channel}", channel, f"u-{k}", {"type": "news", "k": k}, due_ms + k, expires_ms)
        for k in range(count)
    ]


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


def states(outbox: Outbox) -> dict[State, int]:
    return {state: count for (_, state), count in outbox.counts().items()}


def test_what_is_put_twice_is_there_once_and_as_it_was_first(outbox: Outbox) -> None:
    first = items(3)
    assert outbox.put(first, 1) == 3
    changed = [Item(item.id, item.channel, item.learner, {"type": "other"}, 99, 99) for item in first]
    assert outbox.put([*changed, *items(4)], 2) == 1
    found = outbox.claim("email", 100, LEASE_MS, most=10)
    assert [item.id for item in found] == [item.id for item in items(4)]
    assert [item.body for item in found] == [item.body for item in items(4)]


def test_the_cursor_moves_with_the_items_or_not_at_all(outbox: Outbox, database: Database) -> None:
    assert outbox.cursor("post", 0) is None
    outbox.put(items(1), 1, ("post", 0, 7))
    assert (outbox.cursor("post", 0), outbox.cursor("post", 1), outbox.cursor("other", 0)) == (7, None, None)
    with pytest.raises((JournalError, ValueError)):
        outbox.put([*items(3), Item("bad", "email", "u", {"number": float("nan")})], 2, ("post", 0, 9))
    assert outbox.cursor("post", 0) == 7 and states(outbox) == {State.WAITING: 1}
    outbox.put([], 2, ("post", 0, 8))
    assert outbox.cursor("post", 0) == 8


def test_items_come_when_they_are_due_the_longest_waiting_first(outbox: Outbox) -> None:
    outbox.put(items(3), 1)
    assert outbox.claim("email", 9, LEASE_MS) == []
    assert outbox.claim("push", 99, LEASE_MS) == []
    assert [item.body["k"] for item in outbox.claim("email", 11, LEASE_MS, most=9)] == [0, 1]
    assert [item.due_ms for item in outbox.claim("email", 12, LEASE_MS)] == [12]


def test_who_holds_an_item_holds_it_for_the_lease(outbox: Outbox) -> None:
    outbox.put(items(1), 1)
    (held,) = outbox.claim("email", 20, LEASE_MS)
    assert held.attempts == 1
    assert outbox.claim("email", 20 + LEASE_MS - 1, LEASE_MS) == []
    (again,) = outbox.claim("email", 20 + LEASE_MS, LEASE_MS)
    assert (again.id, again.attempts) == (held.id, 2), "its holder may have been killed"


def test_nothing_is_handed_over_late(outbox: Outbox) -> None:
    outbox.put(items(2, expires_ms=500), 1)
    assert outbox.claim("email", 500, LEASE_MS, most=9) == []
    assert states(outbox) == {State.EXPIRED: 2}


def test_what_is_settled_is_settled_for_good(outbox: Outbox) -> None:
    outbox.put(items(4), 1)
    for state, item in zip((State.DELIVERED, State.WITHHELD, State.DEAD, State.EXPIRED), items(4), strict=True):
        assert outbox.settle(item.id, state, 50, "why")
        assert not outbox.settle(item.id, State.DELIVERED, 60) and not outbox.postpone(item.id, 70, 60, "")
        fate = outbox.find(item.id)
        assert fate is not None and (fate.state, fate.reason, fate.changed_ms) == (state, "why", 50)
        assert fate.body["k"] == item.body["k"]
    assert outbox.claim("email", 9_000, LEASE_MS, most=9) == []
    assert outbox.find("nobody's") is None and not outbox.settle("nobody's", State.DEAD, 1)


def test_what_is_postponed_waits_and_expires_if_that_would_be_late(outbox: Outbox) -> None:
    outbox.put(items(2), 1)
    outbox.claim("email", 50, LEASE_MS, most=2)
    assert outbox.postpone(items(2)[0].id, 3_000, 60, "busy")
    assert outbox.postpone(items(2)[1].id, 10_000, 60, "busy")
    assert outbox.claim("email", 2_999, LEASE_MS) == []
    assert [item.attempts for item in outbox.claim("email", 3_000, LEASE_MS, most=9)] == [2]
    assert states(outbox) == {State.WAITING: 1, State.EXPIRED: 1}


def test_the_dead_are_tried_again_when_somebody_says_so(outbox: Outbox) -> None:
    outbox.put([*items(2), *items(1, "push"), *items(1, "sms", expires_ms=80)], 1)
    for channel in ("email", "push", "sms"):
        for item in outbox.claim(channel, 50, LEASE_MS, most=9):
            outbox.settle(item.id, State.DEAD, 60, "refused")
    assert outbox.redrive(100, "push") == 1
    assert outbox.redrive(100) == 2, "what has expired is not worth it"
    assert [item.attempts for item in outbox.claim("email", 100, LEASE_MS, most=9)] == [1, 1]


def test_a_learners_items_are_found(outbox: Outbox) -> None:
    outbox.put([*items(2), *items(2, "push")], 1)
    assert [fate.channel for fate in outbox.of_learner("u-1")] == ["email", "push"]


def test_only_what_is_over_is_pruned(outbox: Outbox) -> None:
    outbox.put(items(3), 1)
    outbox.settle(items(3)[0].id, State.DELIVERED, 50)
    outbox.settle(items(3)[1].id, State.DELIVERED, 90)
    assert [fate.id for fate in outbox.fates(50, 90)] == [items(3)[0].id]
    assert outbox.prune(90) == 1
    assert states(outbox) == {State.DELIVERED: 1, State.WAITING: 1}


def test_no_two_senders_ever_hold_the_same_item(outbox: Outbox, database: Database) -> None:
    outbox.put(items(120), 1)
    held: list[str] = []

    def claim() -> None:
        with open_database(database.url.render_as_string(hide_password=False)) as own:
            mine = Outbox(own)
            while found := mine.claim("email", 200, 60_000, most=3):
                held.extend(item.id for item in found)

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(held) == Counter(item.id for item in items(120))


def test_what_failed_is_counted_by_reason_and_what_waits_by_its_age(outbox: Outbox) -> None:
    outbox.put([*items(3), *items(2, "push")], 1)
    assert outbox.open(5) == {"email": (3, 0), "push": (2, 0)}
    assert outbox.open(110) == {"email": (3, 100), "push": (2, 100)}
    outbox.settle("u-0/news/1/email", State.DEAD, 20, "status 400")
    outbox.settle("u-1/news/1/email", State.WITHHELD, 20, "no consent")
    outbox.settle("u-2/news/1/email", State.WITHHELD, 20, "no consent")
    outbox.settle("u-0/news/1/push", State.DELIVERED, 20)
    assert outbox.open(111) == {"push": (1, 100)}
    assert outbox.reasons() == {("email", State.DEAD, "status 400"): 1, ("email", State.WITHHELD, "no consent"): 2}
