"""The benchmarks' peer: both of its ways store the same, count an event once, and give its learner the same XP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks import http_load
from benchmarks.http_events import Events
from benchmarks.peer_store import WAYS, Base, Event, EventRow, LearnerRow, open_engine

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = open_engine(f"sqlite:///{tmp_path}/peer.db")
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def event(number: int, action: str = "lesson_complete", day: int = 0) -> Event:
    return Event(user_id="ana", action=action, event_id=f"e{number}", occurred_at=NOON + timedelta(days=day))


def tables(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        return [sorted(map(tuple, connection.execute(sa.select(each.__table__)))) for each in (EventRow, LearnerRow)]


@pytest.mark.parametrize("way", WAYS)
def test_an_event_counts_once_and_days_make_a_streak(engine: sa.Engine, way: str) -> None:
    ingest = WAYS[way](engine)
    first = ingest([event(1)])[0]
    assert (first.status, first.xp_awarded, first.total_xp, first.level, first.streak) == ("accepted", 50, 50, 1, 1)
    assert ingest([event(1)])[0].model_dump() == {**first.model_dump(), "status": "duplicate", "xp_awarded": 0}
    receipts = ingest(
        [event(2, day=1), event(3, "page_view", day=2), event(4, day=2), event(4, day=2), event(5, day=9)]
    )
    assert {receipt.event_id for receipt in receipts} == {"e2", "e3", "e4", "e5"}
    assert tables(engine)[1] == [("ana", 200, 2, 1, (NOON + timedelta(days=9)).date())]


def test_both_ways_store_the_same(tmp_path: Path) -> None:
    bodies = [json.loads(Events("run", 100, NOON.isoformat())(0, number)) for number in range(5)]
    found = []
    for way, make in WAYS.items():
        made = open_engine(f"sqlite:///{tmp_path}/{way}.db")
        Base.metadata.create_all(made)
        for body in [*bodies, bodies[2]]:
            make(made)([Event.model_validate(each) for each in body])
        found.append(tables(made))
        made.dispose()
    assert found[0] == found[1]
    assert len(found[0][0]) == 500


def test_every_commit_reaches_the_disk(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_the_generator_reads_answers_that_come_in_pieces() -> None:
    async def answered(pieces: list[bytes]) -> bool:
        connection = http_load._Connection()
        connection.connection_made(asyncio.Transport())
        connection._answered = asyncio.get_running_loop().create_future()
        for piece in pieces:
            assert not connection._answered.done()
            connection.data_received(piece)
        return connection._answered.done()

    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nserver: x\r\n\r\nhello world"
    for size in (1, 7, 40, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert asyncio.run(answered(pieces))
    assert not asyncio.run(answered([whole[:-1]]))
    with pytest.raises(AssertionError, match="503"):
        asyncio.run(answered([b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"]))


def test_ids_of_events_never_repeat() -> None:
    made = [
        json.loads(Events("run", 100, NOON.isoformat())(process, number)) for process in (0, 1) for number in range(9)
    ]
    ids = [each["eventId"] for body in made for each in body]
    assert len(set(ids)) == len(ids) == 1_800
