"""The synthetic world: twins, blocks, state, calendar, and what a day holds."""

import hashlib
import os
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine import events as engine_events
from engine import record, signals
from engine.calendar import zone
from engine.errors import EngageError, InputError
from simulation.activity import _shown, clocks
from simulation.latent import LATENT
from tests.simulation.worlds import MONDAY, RULES, WARNING, Life, a_population, inbox, make_world, make_worlds


def test_one_latent_row_is_small() -> None:
    assert LATENT.itemsize <= 144


@pytest.mark.parametrize("name", ["app", "free_mooc", "paid_course"])
def test_without_effects_messages_change_no_event_of_a_twin(name: str) -> None:
    alone = Life(make_world(name, 300, arm=0), 300).run(25)
    written_to = Life(make_world(name, 300, arm=1), 300).run(25, lambda k: (k % 8, WARNING))
    assert len(alone) > 500
    assert alone.tobytes() == written_to.tobytes()


def test_with_effects_a_message_adds_activity_and_leaves_the_rest_of_the_day_alone() -> None:
    count, reminder = 20_000, 0
    alone, twin = (Life(make_world("app", count, "centre", arm=arm), count) for arm in (0, 1))
    minutes, found = alone.day(MONDAY)
    minutes_twin, found_twin = twin.day(MONDAY, morning=reminder)
    active, active_twin = minutes < 1440, minutes_twin < 1440
    assert np.sum(active_twin & ~active) > 20 * np.sum(active & ~active_twin)  # whom messages do not move, they tire
    of_both = np.flatnonzero(active & active_twin)
    assert np.array_equal(minutes[of_both], minutes_twin[of_both])
    first, second = (part[np.isin(part["learner"], of_both)] for part in (found, found_twin))
    assert first.tobytes() == second.tobytes()


def test_an_evening_warning_brings_back_only_streak_holders_and_only_in_the_evening() -> None:
    count = 4_000
    alone, twin = (
        Life(make_world("paid_course", count, "centre"), count),
        Life(make_world("paid_course", count, "centre"), count),
    )
    alone.run(15)
    twin.run(15)
    streak = twin.records["view"]["streak"].copy()
    minutes, found = alone.day(MONDAY + 15)
    _, found_twin = twin.day(MONDAY + 15, evening=WARNING)
    new = np.setdiff1d(found_twin["learner"], found["learner"])
    assert len(new) > 0
    assert np.all(minutes[new] == 1440)
    assert np.all(streak[new] >= 3)
    assert found_twin["minute"][np.isin(found_twin["learner"], new)].min() >= 1080


def test_a_learner_is_the_same_in_any_block() -> None:
    whole = Life(make_world("paid_course", 60, "centre"), 60).run(20, lambda k: (k % 3, WARNING))
    for first, count in ((0, 1), (1, 20), (21, 39)):
        part = Life(make_world("paid_course", count, "centre", first=first), count).run(20, lambda k: (k % 3, WARNING))
        part["learner"] += first
        same = whole[(whole["learner"] >= first) & (whole["learner"] < first + count)]
        assert part.tobytes() == same.tobytes()


def test_replications_differ() -> None:
    worlds = make_worlds("app", "draw")
    first, second = worlds(0, 0, 0, 50), worlds(1, 0, 0, 50)
    assert not np.array_equal(first.state()["latent"]["z"], second.state()["latent"]["z"])
    assert worlds.describe(0) != worlds.describe(1)
    assert worlds.describe(0) == pickle.loads(pickle.dumps(worlds)).describe(0)  # noqa: S301  # our own bytes


def test_events_are_sorted_unique_on_their_day_and_agree_with_the_learners_zone() -> None:
    first_day = 20_176  # 2025-03-29: clocks change in Europe on the 30th
    for start in (first_day, 20_385, 20_520):  # and back on 2025-10-26; in America on 2026-03-08
        worlds = make_worlds("app", first_day=start)
        world = worlds(0, 0, 0, 4_000)
        zones = [ZoneInfo(zone.name) for zone in a_population("app").zones]
        zone_of = world.state()["latent"]["zone"]
        seen: set[int] = set()
        for day in range(start, start + 3):
            world.plan(day, record.new_records(4_000, start), inbox(4_000))
            found = world.events(day, record.new_records(4_000, start), inbox(4_000))
            assert np.all(found["day"] == day)
            assert np.all(np.diff(found["learner"].astype(int)) >= 0)
            same = np.diff(found["learner"].astype(int)) == 0
            assert np.all(np.diff(found["occurred_ms"])[same] >= 0)
            ids = set(found["event_id"].tolist())
            assert len(ids) == len(found) and not ids & seen
            seen |= ids
            first = np.unique(found["learner"], return_index=True)[1]
            assert np.all(found["action"][first] == RULES.code("daily_login"))
            for event in found[:: max(1, len(found) // 2_000)]:
                at = _local(int(event["occurred_ms"]), zones[zone_of[event["learner"]]])
                assert (at[0], at[1]) == (day, int(event["minute"]))


def _local(occurred_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    at = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=occurred_ms)).astimezone(zone)
    return (at.date() - date(1970, 1, 1)).days, at.hour * 60 + at.minute


@pytest.mark.parametrize(
    ("name", "day", "hours"), [("Europe/Berlin", 20_177, (1, 2, 3)), ("Africa/Cairo", 20_203, (0, 1))]
)
def test_a_local_time_that_clocks_leave_out_becomes_the_end_of_the_gap(name: str, day: int, hours: Any) -> None:
    clock = clocks(day, (zone(name),))[0]
    start, end = float(clock["gap_start_s"]), float(clock["gap_end_s"])
    assert end - start == 3600.0
    assert _shown(start + 1800.0, clock) == end
    shown = [_shown(hour * 3600.0 + 60.0, clock) for hour in hours]
    offsets = [int(clock["before_ms"]) if second < start else int(clock["after_ms"]) for second in shown]
    instants = [second * 1000 - offset for second, offset in zip(shown, offsets, strict=True)]
    assert all(later > earlier for earlier, later in pairwise(instants))
    for second, instant in zip(shown, instants, strict=True):
        assert _local(day * 86_400_000 + int(instant), ZoneInfo(name)) == (day, int(second // 60))


def test_completion_is_units_done() -> None:
    life = Life(make_world("free_mooc", 3_000), 3_000)
    life.run(60)
    population, totals, latent = a_population("free_mooc"), life.records["totals"], life.world.latent
    units = population.course.units.value
    done = totals[:, RULES.code("course_complete")]
    lessons = totals[:, RULES.code("lesson_complete")]
    assert 0.03 < np.mean(done) < 0.2
    assert np.array_equal(lessons, done * units + latent["units"])
    assert np.array_equal(lessons, totals[:, RULES.code("lesson_start")])
    assert np.all(totals[:, RULES.code("module_complete")] == lessons // population.course.module_units.value)
    record.check(life.records)


def test_signals_see_records_only() -> None:
    life = Life(make_world("app", 400, "centre"), 400)
    life.run(15)
    rows = np.flatnonzero(life.records["active_days"] > 0)
    before, records = signals.compute(life.records, rows), life.records.tobytes()
    life.world.latent[:] = life.world.latent[::-1].copy()
    assert np.array_equal(before, signals.compute(life.records, rows), equal_nan=True)
    assert life.records.tobytes() == records


def test_state_comes_back_to_the_bit() -> None:
    life = Life(make_world("paid_course", 200, "centre"), 200)
    life.run(12, lambda k: (k % 8, WARNING))
    saved, records = life.world.state(), life.records.copy()
    expected = [life.day(MONDAY + 12 + k, k % 8, WARNING)[1] for k in range(6)]
    again = Life(make_world("paid_course", 200, "centre"), 200)
    again.world.restore(saved)
    again.records = records
    found = [again.day(MONDAY + 12 + k, k % 8, WARNING)[1] for k in range(6)]
    assert [part.tobytes() for part in found] == [part.tobytes() for part in expected]
    assert again.world.state()["latent"].tobytes() == life.world.state()["latent"].tobytes()


def test_state_of_another_block_is_refused() -> None:
    with pytest.raises(EngageError, match="same block"):
        make_world("app", 3).restore(make_world("app", 4).state())
    with pytest.raises(InputError, match="after registration"):
        make_world("app", 3).plan(MONDAY - 1, record.new_records(3, MONDAY), inbox(3))


def test_opt_outs_come_with_sends_and_stay() -> None:
    count = 5_000
    life = Life(make_world("app", count, "centre"), count)
    given = life.world.consents()
    for k in range(14):
        before = life.world.consents()
        life.day(MONDAY + k, morning=0)
        assert not np.any(life.world.consents() & ~before)
    now = life.world.consents()
    for bit in (1, 2, 8):
        lost = np.mean((now[given & bit != 0] & bit) == 0)
        # The weekly count rises 1 ... 7 and stays: .15% exp(.25 (k - 3)) summed over 14 sends is 4.2%.
        assert 0.02 < lost < 0.065
    assert np.array_equal(now & 4, given & 4)


def test_the_buffer_grows_when_a_day_needs_more() -> None:
    world = make_world("paid_course", 2_000)
    records = record.new_records(2_000, MONDAY)
    world._out = np.zeros(world._margin, engine_events.EVENT)
    large = make_world("paid_course", 2_000)
    for day in range(MONDAY, MONDAY + 3):
        world.plan(day, records, inbox(2_000))
        large.plan(day, records, inbox(2_000))
        one, other = world.events(day, records, inbox(2_000)), large.events(day, records, inbox(2_000))
        assert one.tobytes() == other.tobytes()
    assert len(world._out) > world._margin


_TINY = """
import hashlib
from tests.simulation.worlds import Life, make_world
life = Life(make_world("paid_course", 12, "centre"), 12)
found = life.run(9, lambda k: (k % 8, 1))
print(len(found), hashlib.sha256(found.tobytes()).hexdigest())
"""


def test_plain_python_gives_the_same_events() -> None:
    root = Path(__file__).resolve().parents[2]
    life = Life(make_world("paid_course", 12, "centre"), 12)
    found = life.run(9, lambda k: (k % 8, 1))
    done = subprocess.run(
        [sys.executable, "-c", _TINY],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(found)), hashlib.sha256(found.tobytes()).hexdigest()]
