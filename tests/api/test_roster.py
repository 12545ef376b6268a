"""The roster: one fetch for all who wait, no older than it says, and no dearer than the actors can bear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.ports import JournalError
from api.clock import ManualClock
from api.roster import Roster, Table, number_of, place_of
from engine.leaderboards import competition_ranks
from tests.api.live import Live, living


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with living(tmp_path, "2026-03-02T12:00", actors=3) as opened:
        yield opened


class Counted(Roster):
    """A roster that counts its fetches, which may take long or fail."""

    def __init__(self, *args: Any, takes_ms: int = 0, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fetches, self.takes_ms, self.broken = 0, takes_ms, False

    def _taken(self) -> Table:
        self.fetches += 1
        if isinstance(self._steady, ManualClock):
            self._steady.advance(seconds=self.takes_ms / 1_000)
        time.sleep(0.02)
        if self.broken:
            raise JournalError("database", "gone")
        return super()._taken()


def test_all_who_wait_are_served_by_one_fetch(live: Live) -> None:
    live.track("ann")
    roster = Counted(live.service)

    async def story() -> None:
        tables = await asyncio.gather(*(roster.table() for _ in range(50)))
        assert roster.fetches == 1 and len({id(table) for table in tables}) == 1
        await roster.table()
        assert roster.fetches == 1

    asyncio.run(story())


def test_it_is_fetched_again_after_a_second_by_either_clock(live: Live) -> None:
    steady = ManualClock(0)
    roster = Counted(live.service, steady)

    async def fetches() -> int:
        await roster.table()
        return roster.fetches

    async def story() -> None:
        assert await fetches() == 1
        steady.advance(seconds=0.99)
        assert await fetches() == 1
        steady.advance(seconds=0.01)
        assert await fetches() == 2
        live.clock.advance(days=3)
        assert await fetches() == 3
        live.clock.advance(days=-1)  # an operator set it back
        assert await fetches() == 4

    asyncio.run(story())


def test_a_fetch_that_takes_long_is_followed_by_a_long_rest(live: Live) -> None:
    steady = ManualClock(0)
    roster = Counted(live.service, steady, takes_ms=500)

    async def story() -> None:
        await roster.table()
        steady.advance(seconds=9)
        await roster.table()
        assert roster.fetches == 1
        steady.advance(seconds=1)
        await roster.table()
        assert roster.fetches == 2

    asyncio.run(story())


def test_whoever_waited_for_a_fetch_that_failed_hears_so_and_the_next_one_tries_again(live: Live) -> None:
    roster = Counted(live.service)

    async def story() -> None:
        roster.broken = True
        found = await asyncio.gather(*(roster.table() for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [JournalError] * 3
        roster.broken = False
        assert len(await roster.table()) == 0

    asyncio.run(story())


def test_one_who_stops_waiting_stops_nobody_else(live: Live) -> None:
    roster = Counted(live.service)

    async def story() -> None:
        first, second = asyncio.create_task(roster.table()), asyncio.create_task(roster.table())
        await asyncio.sleep(0)
        first.cancel()
        assert len(await second) == 0

    asyncio.run(story())


def test_numbers_stand_for_the_same_learner_whoever_comes_and_goes(live: Live) -> None:
    names = [f"u{number}" for number in range(20)]
    for name in names:
        live.track(name)
    roster = Roster(live.service)
    before = {name: roster.number(name, live.service.learner(name)) for name in names}
    assert [roster.id_of(number) for number in before.values()] == names
    live.service.erase("u3", "hash")
    live.track("new")
    assert roster.id_of(before["u3"]) is None and roster.views([before["u3"], before["u4"]])[0] is None
    table = asyncio.run(roster.table())
    assert before["u3"] not in table.number and len(table) == 20
    assert (np.diff(table.number) > 0).all()
    assert place_of(number_of(7, 123)) == (7, 123)


def test_ranks_equal_the_engines(live: Live) -> None:
    for number in range(12):
        for _ in range(number // 2):
            live.track(f"u{number}")
        live.profile(f"u{number}", locale="de")
    table = asyncio.run(Roster(live.service).table())
    xp = table.columns["view.xp"]
    expected = competition_ranks(xp).tolist()
    assert [
        table.rank(number, mine) for number, mine in zip(table.number.tolist(), xp.tolist(), strict=True)
    ] == expected
    some = int(np.argmax(xp))
    assert table.rank(int(table.number[some]), 0) == len(table) - int((xp == 0).sum())  # XP withdrawn since
