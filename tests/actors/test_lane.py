"""The lane: what gathers is bounded, what was missed is told, and what is sent again is answered as before."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from actors.answers import Answer, receipts_told
from actors.feed import Feed, Happening
from actors.lane import MOST_WAITING, Lane
from actors.parcels import BusyError, Parcel
from actors.ports import Entry, JournalError
from actors.storage.journal import SqlJournal
from tests.actors.homes import event
from tests.api.live import Live, living
from tests.faults.faulty_disk import Disk, DiskJournal, Luck

TIMES = 20
MOST_PROFILES = 1_000  # a second's work


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with living(tmp_path, "2026-03-02T12:00") as opened:
        yield opened


@pytest.mark.parametrize("method", ["events", "profile"])
def test_what_gathers_is_bounded_whatever_it_is(method: str) -> None:
    journal = DiskJournal(Disk(Luck(0)), 0, dies=False)
    lane: Any = Lane(0, mock.Mock(), journal, lambda: 0, Feed(), lambda keep: keep(), lambda _error: None)
    parcel = Parcel(Future(), [event("ann", 0, 1)] if method == "events" else [], method, ())
    waiting = 0
    while lane.waiting_events + parcel.weight <= MOST_WAITING:
        lane.submit(parcel)
        waiting += 1
    with pytest.raises(BusyError, match="events waiting"):
        lane.submit(parcel)
    assert waiting == MOST_WAITING if method == "events" else 10 < waiting <= MOST_PROFILES
    taken = 0
    while parcels := lane._next_parcels():
        taken += len(parcels)
    assert (taken, lane.waiting_events) == (waiting, 0)


def test_who_listens_is_told_of_what_was_done_though_its_answer_was_lost(live: Live) -> None:
    told: list[Happening] = []
    live.service.feed.listen(told.extend)
    live.track("ann", eventId="1")
    append = SqlJournal.append

    def lost(journal: SqlJournal, entry: Entry) -> None:
        append(journal, entry)
        raise JournalError("database", "a lost connection")

    with mock.patch.object(SqlJournal, "append", lost), pytest.raises(JournalError):
        live.track("ann", eventId="2")
    assert live.service.troubled
    live.track("ann", eventId="2")  # as a client does
    assert not live.service.troubled
    live.track("ann", eventId="3")
    xp = [each.facts["ordinal"] for each in told if each.kind == "xp"]
    assert xp == [50, 100, 150]
    places = [(each.sequence, each.place) for each in told if each.sequence]
    assert places == sorted(set(places))


def test_the_receipts_of_an_answer_are_the_same_one_by_one_and_together(live: Live) -> None:
    for number in range(TIMES):
        live.track("ann" if number % 3 else "bob", eventId=str(number))
    with_outcomes = 0
    for entry in live.entries():
        answer = Answer.of(entry.answer)
        together = receipts_told(answer)
        singly = [receipts_told(answer, np.array([place]))[0] for place in range(len(together))]
        assert singly == together
        backwards = np.arange(len(together))[::-1].copy()
        assert receipts_told(answer, backwards) == together[::-1]
        for place, receipt in enumerate(together):
            assert [each.amount for each in receipt.outcomes] == answer.outcomes_of(place)["amount"].tolist()
            with_outcomes += bool(receipt.outcomes)
    assert with_outcomes >= TIMES // 2


def test_a_batch_sent_again_reads_each_old_entry_once(live: Live) -> None:
    rows = [event("ann", live.clock(), key) for key in range(2_000)]
    first = live.service.track(rows)
    live.track("bob")
    with mock.patch.object(Answer, "of", wraps=Answer.of) as decoded:
        again = live.service.track(rows)
    assert decoded.call_count == 2  # of the new message, and of the one it repeats
    assert [each._replace(verdict="full") for each in again] == first
    assert {each.verdict for each in again} == {"duplicate"}
