"""What is kept of messages, on every database: tasks within a capacity, inboxes, responses, suppressed addresses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.delivery.forgetting import Forgetting
from actors.delivery.inbox import Inbox, InboxMessage
from actors.delivery.outbox import Item, Outbox
from actors.delivery.responses import Kind, Response, Responses
from actors.delivery.sender import LEASE_MS
from actors.delivery.suppression import Suppressed
from actors.delivery.tasks import Tasks, TaskState
from actors.storage.database import Database, open_database

DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS + 5


def at_once(database: Database, works: Iterable[Callable[[Database], object]]) -> list[object]:
    """Run what several services would do at the same time, each with connections of its own; return what came of it."""
    found: list[object] = []
    begin = threading.Barrier(len(works := list(works)))

    def run(work: Callable[[Database], object]) -> None:
        with open_database(database.url.render_as_string(hide_password=False)) as own:
            begin.wait()
            found.append(work(own))

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def add(name: str, capacity: int, now_ms: int = NOW_MS) -> Callable[[Database], bool]:
    return lambda database: Tasks(database, capacity).add(name, "ann", "human_outreach", "s", "t", now_ms)


def test_a_days_capacity_holds_however_many_ask_at_once(database: Database) -> None:
    taken = at_once(database, [add(f"t-{number}", 5) for number in range(16)])
    assert taken.count(True) == 5
    tasks = Tasks(database, 5)
    assert len(tasks.listed(NOW_MS)) == 5
    assert add("another", 5)(database) is False
    assert add("tomorrow", 5, NOW_MS + DAY_MS)(database) is True


def test_a_task_that_is_there_is_there_whatever_the_capacity(database: Database) -> None:
    assert add("t", 1)(database) and add("t", 1)(database) and add("t", 0)(database)
    assert len(Tasks(database, 1).listed(NOW_MS)) == 1


def test_one_of_many_operators_gets_a_task(database: Database) -> None:
    add("t", 1)(database)
    names = [f"op-{number}" for number in range(8)]
    claims = [lambda own, name=name: (name, Tasks(own, 1).claim("t", name, NOW_MS)) for name in names]
    winners = [name for name, won in at_once(database, claims) if won]  # type: ignore[misc,has-type]  # they are pairs
    found = Tasks(database, 1).find("t")
    assert found is not None and winners == [found.operator] and found.state is TaskState.CLAIMED


def test_what_is_old_goes_and_what_is_open_stays(database: Database) -> None:
    tasks = Tasks(database, 10)
    for name in ("ended", "expired", "claimed", "new"):
        add(name, 10, NOW_MS + (9 * DAY_MS if name == "new" else 0))(database)
    tasks.claim("ended", "ben", NOW_MS)
    assert tasks.end("ended", "ben", TaskState.REACHED, "fine", NOW_MS)
    tasks.claim("claimed", "ben", NOW_MS)
    later = NOW_MS + 9 * DAY_MS
    assert {task.id for task in tasks.listed(later)} == {"claimed", "new"}, "whose task it is may end it late"
    assert tasks.prune(later) == 3
    assert tasks.find("new") is not None


def message(number: int, learner: str = "ann", created_ms: int = NOW_MS) -> InboxMessage:
    return InboxMessage(
        f"{learner}-{number}", learner, "gentle_reminder", "text", "title", "ltr", "en", None, created_ms
    )


def test_a_message_comes_once_and_its_first_reading_counts(database: Database) -> None:
    inbox = Inbox(database)
    puts = at_once(database, [lambda own: Inbox(own).put(message(1)) for _ in range(6)])
    assert puts.count(True) == 1
    assert not inbox.mark("bob", "ann-1", "read", NOW_MS)
    marks = at_once(
        database, [lambda own, at=at: Inbox(own).mark("ann", "ann-1", "read", NOW_MS + at) for at in range(6)]
    )
    assert all(marks)
    [first] = inbox.of_learner("ann", NOW_MS)
    assert inbox.mark("ann", "ann-1", "dismissed", NOW_MS + 99)
    [again] = inbox.all_of("ann")
    assert again.read_ms == first.read_ms and again.dismissed_ms == NOW_MS + 99
    assert inbox.of_learner("ann", NOW_MS) == []


def test_messages_come_newest_first_and_end_after_a_month(database: Database) -> None:
    inbox = Inbox(database)
    for number in range(3):
        inbox.put(message(number, created_ms=NOW_MS + number * DAY_MS))
    inbox.put(message(1, "bob"))
    assert [each.id for each in inbox.of_learner("ann", NOW_MS)] == ["ann-2", "ann-1", "ann-0"]
    assert [each.id for each in inbox.of_learner("ann", NOW_MS + 31 * DAY_MS)] == ["ann-2"]
    assert inbox.prune(NOW_MS + 31 * DAY_MS) == 3
    assert [each.learner for each in inbox.all_of("ann") + inbox.all_of("bob")] == ["ann"]


def test_the_first_response_of_a_kind_counts(database: Database) -> None:
    responses = Responses(database)
    noted = at_once(
        database,
        [lambda own, at=at: Responses(own).note(Response("i", Kind.OPENED, "ann", NOW_MS + at)) for at in range(6)],
    )
    assert noted.count(True) == 1
    assert responses.note(Response("i", Kind.CLICKED, "ann", NOW_MS))
    assert set(responses.of(["i", "j"])["i"]) == {Kind.OPENED, Kind.CLICKED}
    assert len(list(responses.since(NOW_MS))) == 2 and list(responses.since(NOW_MS + 9)) == []
    assert len(responses.of(f"i{number}" for number in range(1_200))) == 0


def test_nothing_outlives_an_erasure_not_even_what_was_on_its_way(database: Database) -> None:
    alive, clock = {"ann", "bob"}, [NOW_MS]
    forgetting = Forgetting(database, lambda ids: [each for each in ids if each not in alive], lambda: clock[0])
    keep(database, "ann"), keep(database, "bob")
    forgetting.step(clock[0])
    assert kept(database, "ann") == kept(database, "bob") == 4
    alive.remove("ann")
    forgetting.forget("ann")
    assert kept(database, "ann") == 0 and kept(database, "bob") == 4
    keep(database, "ann")  # a sender had it in its hands
    forgetting.step(clock[0] + LEASE_MS)
    assert kept(database, "ann") == 4, "it may not have it any more only after the lease"
    forgetting.step(clock[0] + 2 * LEASE_MS)
    assert kept(database, "ann") == 0 and kept(database, "bob") == 4


def test_who_comes_back_after_an_erasure_is_somebody_else(database: Database) -> None:
    alive: set[str] = set()
    forgetting = Forgetting(database, lambda ids: [each for each in ids if each not in alive], lambda: NOW_MS)
    forgetting.forget("ann")
    alive.add("ann")
    keep(database, "ann")
    forgetting.step(NOW_MS + 9 * LEASE_MS)
    assert kept(database, "ann") == 4


def test_a_service_that_begins_finds_what_one_that_was_killed_left(database: Database) -> None:
    for number in range(1_200):
        Responses(database).note(Response(f"i-{number}", Kind.OPENED, f"u-{number}", NOW_MS))
    keep(database, "ann"), keep(database, "bob")
    asked: list[int] = []

    def unknown(ids: list[str]) -> list[str]:
        asked.append(len(ids))
        return [each for each in ids if each != "bob"]

    forgetting = Forgetting(database, unknown, lambda: NOW_MS)
    forgetting.step(NOW_MS)
    forgetting.step(NOW_MS)
    assert sum(asked) == 1_202 and max(asked) <= 1_000, "everybody once, in questions of some size"
    assert kept(database, "ann") == kept(database, "u-1199") == 0 and kept(database, "bob") == 4


def keep(database: Database, learner: str) -> None:
    """Put something about a learner into every table."""
    Outbox(database).put([Item(f"{learner}/x/1/email", "email", learner, {}, NOW_MS, NOW_MS + DAY_MS)], NOW_MS)
    Inbox(database).put(message(1, learner))
    Responses(database).note(Response(f"{learner}/x/1/email", Kind.OPENED, learner, NOW_MS))
    Tasks(database, 9).add(f"{learner}/x/1/operator", learner, "human_outreach", "Call", "Say hello.", NOW_MS)


def kept(database: Database, learner: str) -> int:
    """Return in how many tables something is kept of a learner."""
    stores = (Outbox(database).of_learner, Inbox(database).all_of, Responses(database).of_learner)
    return sum(len(read(learner)) > 0 for read in (*stores, Tasks(database, 9).of_learner))


SPELLINGS = {
    "email": ("Ada@Example.org ", "ada@example.org"),
    "sms": ("+49 30 1234-5678", "+493012345678"),
    "push": ("Device", "device"),
}


@pytest.mark.parametrize("channel", SPELLINGS)
def test_an_address_is_suppressed_however_it_is_written(database: Database, channel: str) -> None:
    suppressed, (one, other) = Suppressed(database), SPELLINGS[channel]
    assert suppressed.add(channel, one, "bounced", NOW_MS) and not suppressed.add(channel, one, "bounced", NOW_MS)
    assert suppressed.holds(channel, one)
    assert suppressed.holds(channel, other) is (channel != "push"), "what a device is called is nobody's to change"
    assert not any(suppressed.holds(each, one) for each in SPELLINGS if each != channel)
    assert suppressed.lift(channel, one) and not suppressed.lift(channel, one)
    assert not suppressed.holds(channel, one)


@given(st.text(min_size=1, max_size=40).filter(lambda text: "\x00" not in text))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_address_can_be_suppressed_and_is_not_kept(database: Database, address: str) -> None:
    suppressed = Suppressed(database)
    suppressed.add("email", address, "bounced", NOW_MS)
    assert suppressed.holds("email", address) and suppressed.lift("email", address)
