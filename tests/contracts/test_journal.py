"""What every journal keeps to, on every database: see `actors.ports.Journal`."""

from __future__ import annotations

import contextlib
import itertools
import pickle
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.ports import Entry, FencedError, JournalError, Message
from actors.storage.database import Database
from tests.journals import OPENERS, Log, Open, entry, journals

NUMBERS = itertools.count(100)  # of logs, so that each example has its own
SHARED_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(["events", "profile", "close", "daily", "remind", "erase", "import"]),
    body=st.dictionaries(st.text(), JSON, max_size=4),
    frame=st.binary(max_size=400),
)


@pytest.fixture(params=journals(), ids=lambda cls: cls.__name__)
def open_log(request: pytest.FixtureRequest, database: Database) -> Iterator[Open]:
    """Every journal in turn, on every database in turn."""
    url = database.url.render_as_string(hide_password=False)
    with contextlib.ExitStack() as stack:
        yield lambda log: stack.enter_context(contextlib.closing(OPENERS[request.param](url, log)))


def filled(journal: Log, count: int) -> list[Entry]:
    """Take a log and append entries; return them."""
    newest = journal.take()
    entries = [entry(newest + 1 + number) for number in range(count)]
    for written in entries:
        journal.append(written)
    return entries


def test_every_journal_is_under_contract() -> None:
    assert set(journals()) == set(OPENERS)


@SHARED_DATABASE
@given(contents=st.lists(st.tuples(MESSAGES, MESSAGES), max_size=6))
def test_what_was_appended_is_read(open_log: Open, contents: list[tuple[Message, Message]]) -> None:
    number = next(NUMBERS)
    entries = [Entry(sequence, *messages) for sequence, messages in enumerate(contents, start=1)]
    with contextlib.closing(open_log(number)) as journal:
        assert journal.take() == 0
        for written in entries:
            journal.append(written)
    with contextlib.closing(open_log(number)) as reader:
        assert list(reader.read(0)) == entries
        assert list(reader.read(1)) == entries[1:]
        assert list(reader.read(len(entries))) == []
        assert [reader.entry(written.sequence) for written in entries] == entries
        assert reader.entry(0) is None and reader.entry(len(entries) + 1) is None
        assert reader.take() == len(entries)


def test_a_frame_of_megabytes_fits_between_small_ones(open_log: Open) -> None:
    journal = open_log(1)
    journal.take()
    entries = [entry(1), entry(2, bytes(range(256)) * 50_000), *(entry(number) for number in range(3, 700))]
    for written in entries:
        journal.append(written)
    assert list(journal.read(0)) == entries


def test_a_log_is_read_while_it_grows(open_log: Open) -> None:
    journal = open_log(1)
    first = filled(journal, 300)
    reading = open_log(1).read(0)
    begun = [next(reading) for _ in range(3)]
    more = filled(journal, 5)
    assert [*begun, *reading] == [*first, *more]


def test_logs_are_apart(open_log: Open) -> None:
    one, other = open_log(1), open_log(2)
    entries = filled(one, 2)
    assert other.take() == 0
    one.append(entry(3))
    other.append(entry(1, b"other"))
    assert list(one.read(0)) == [*entries, entry(3)]
    assert list(other.read(0)) == [entry(1, b"other")]


def test_nobody_appends_who_has_not_taken_the_log(open_log: Open) -> None:
    journal = open_log(1)
    with pytest.raises(FencedError):
        journal.append(entry(1))
    filled(open_log(1), 2)
    with pytest.raises(FencedError):
        journal.append(entry(3))
    with pytest.raises(FencedError):
        journal.rewrite(lambda found: found)


def test_an_older_holder_is_fenced(open_log: Open) -> None:
    older, newer = open_log(1), open_log(1)
    entries = filled(older, 2)
    assert newer.take() == 2
    with pytest.raises(FencedError, match="log 1"):
        older.append(entry(3))
    newer.append(entry(3, b"newer"))
    for again in (entry(3), entry(3, b"newer"), entry(4)):  # even its very content: it does not know what came before
        with pytest.raises(FencedError):
            older.append(again)
    with pytest.raises(FencedError):
        older.rewrite(lambda found: replace(found, answer=Message("other")))
    assert list(newer.read(0)) == [*entries, entry(3, b"newer")]
    with pytest.raises(FencedError, match="log 1"):
        older.take()  # else the two would take turns
    copy = pickle.loads(pickle.dumps(newer))  # noqa: S301  # our own, as a process of the same service gets it
    assert copy.take() == 3
    copy.append(entry(4))
    with pytest.raises(FencedError):
        newer.append(entry(5))
    assert newer.take() == 4
    newer.append(entry(5))


def test_the_same_entry_again_is_a_success_without_effect(open_log: Open) -> None:
    journal = open_log(1)
    entries = filled(journal, 3)
    for again in (entries[2], entries[0], entries[2]):
        journal.append(again)
    assert list(journal.read(0)) == entries
    open_log(1).take()
    journal.append(entries[2])  # it was written, whoever holds the log now
    with pytest.raises(FencedError):
        journal.append(entry(4))


def test_another_entry_of_a_number_that_stands_is_refused(open_log: Open) -> None:
    journal = open_log(1)
    entries = filled(journal, 3)
    for other in (entry(3, b"other"), replace(entries[2], answer=Message("receipts"))):
        with pytest.raises(FencedError):
            journal.append(other)
    assert list(journal.read(0)) == entries
    journal.append(entry(4))


@pytest.mark.parametrize("sequence", [5, 7, 10**12, 0, -1])
def test_a_gap_is_refused(open_log: Open, sequence: int) -> None:
    journal = open_log(1)
    entries = filled(journal, 3)
    with pytest.raises(JournalError, match=f"entry {sequence}; expected entry 4"):
        journal.append(entry(sequence))
    assert list(journal.read(0)) == entries
    journal.append(entry(4))


def test_a_body_that_json_cannot_say_is_refused_before_anything_is_written(open_log: Open) -> None:
    journal = open_log(1)
    journal.take()
    for body in ({"number": float("nan")}, {"number": object()}):
        with pytest.raises((ValueError, TypeError)):
            journal.append(Entry(1, Message("events", body), Message("receipts")))
    journal.append(entry(1))


def test_entries_are_rewritten(open_log: Open) -> None:
    journal = open_log(1)
    entries = filled(journal, 400)

    def without_evens(found: Entry) -> Entry | None:
        return None if found.sequence % 2 else replace(found, message=Message("events", {}, b"gone"))

    assert journal.rewrite(without_evens) == 200
    expected = [without_evens(written) or written for written in entries]
    assert list(open_log(1).read(0)) == expected
    assert journal.rewrite(lambda _: None) == 0
    journal.append(expected[398])
    with pytest.raises(FencedError):
        journal.append(entries[399])  # it is not what stands any more
    journal.append(entry(401))


def test_a_rewrite_that_fails_midway_replaces_nothing(open_log: Open) -> None:
    journal = open_log(1)
    entries = filled(journal, 10)
    asked: list[int] = []

    def failing(found: Entry) -> Entry:
        asked.append(found.sequence)
        if asked.count(7) == 2:  # once to find it, once to replace it
            raise ArithmeticError
        return replace(found, message=Message("events"))

    with pytest.raises(ArithmeticError):
        journal.rewrite(failing)
    assert asked[-1] == 7
    assert list(journal.read(0)) == entries
    journal.append(entry(11))


def test_a_journal_pickles_without_its_hold(open_log: Open) -> None:
    journal = open_log(1)
    entries = filled(journal, 2)
    arrived: Log = pickle.loads(pickle.dumps(journal))  # noqa: S301  # our own bytes: it has to travel to actors
    with contextlib.closing(arrived):
        with pytest.raises(FencedError):
            arrived.append(entry(3))
        journal.append(entry(3))
        assert arrived.take() == 3
        assert list(arrived.read(0)) == [*entries, entry(3)]


def test_a_journal_that_is_dropped_closes_itself(database: Database) -> None:
    """Connections left open are warnings, which are errors in tests."""
    url = database.url.render_as_string(hide_password=False)
    for kind in journals():
        filled(OPENERS[kind](url, 1), 3)
        reading = OPENERS[kind](url, 1).read(0)
        assert next(reading) == entry(1)
        del reading
        assert list(OPENERS[kind](url, 1).read(1)) == [entry(2), entry(3)]
