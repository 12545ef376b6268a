"""What users of other products reported about their streaks: each a test that it is not so.

The rim resolves the local day from zone and instant, as `at` does; from then on the stored day is a fact.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from engine.calendar import NO_ZONE, ZoneHistory, day_number, local_days, zone
from engine.record import canonical_bytes
from tests.engine.histories import MONDAY, Act, Life, act, at, daily, lived
from tests.oracle import DAY_MS, HOUR_MS, MINUTE_MS

AUCKLAND, BERLIN, NEW_YORK, TOKYO = "Pacific/Auckland", "Europe/Berlin", "America/New_York", "Asia/Tokyo"


def utc_days(acts: list[Act]) -> set[int]:
    return {one.at_ms // DAY_MS for one in acts}


def test_midnight_does_not_reset_a_day_that_ends_later() -> None:
    """Whose day ends at four in the morning: what happened at 01:30 is stored under the day before, and stays there."""
    acts = [act(day, hour=12)._replace(at_ms=(MONDAY + day) * DAY_MS + DAY_MS + 90 * MINUTE_MS) for day in range(5)]
    life = lived(acts, 4)
    life.has(streak=5, active_days=5)
    life.close(5)
    life.has(streak=5, freezes_used=0)


@pytest.mark.parametrize("when", [date(2024, 3, 31), date(2024, 10, 27)], ids=["forward", "back"])
def test_daylight_saving_time_does_not_end_a_day(when: date) -> None:
    """Once a day, first thing and last thing in turn: 47 or so hours lie between two actions, or a few minutes."""
    put = day_number(when)
    acts = [act(day, hour=0.1 if day % 2 else 23.9, zone=BERLIN) for day in range(put - 4, put + 5)]
    life = Life()
    for one in acts:
        life.fold(one)
        life.close(one.day)
    life.has(streak=9, streaks_ended=0, as_of=put + 4)


def test_travel_does_not_end_a_run() -> None:
    """Round the world to the east in a week, one action each local evening."""
    acts = [act(day, hour=20, zone=name) for day, name in enumerate([BERLIN, TOKYO, AUCKLAND, NEW_YORK, BERLIN])]
    lived(acts, 4).has(streak=5, active_days=5, streaks_ended=0)
    lived(acts[::-1], 4).has(streak=5, active_days=5, streaks_ended=0)


def test_two_devices_in_two_zones_do_not_fight() -> None:
    """Phone in New York, laptop left on Auckland time: one instant, two local days, both kept as they were stored."""
    evening = act(0, hour=20, zone=NEW_YORK).at_ms
    phone, laptop = at(evening, NEW_YORK), at(evening, AUCKLAND)
    assert laptop.day == phone.day + 1
    for order in ([phone, laptop], [laptop, phone]):
        life = Life()
        for one in order:
            life.fold(one)
        life.close(laptop.day)
        life.has(streak=2, active_days=2, xp=20)


def test_the_days_job_run_twice_takes_one_freeze() -> None:
    life = lived(daily(*range(7)), 6)  # seven days give one freeze
    assert life.close(8) == ["freeze_used", "achievement_unlocked"]  # Saved by Ice
    once = canonical_bytes(life.records)
    assert life.close(8) == []
    assert canonical_bytes(life.records) == once
    life.has(freezes=0, freezes_used=1, streak=7)


def test_changing_the_start_of_the_day_does_not_run_the_job_again() -> None:
    """The learner moves west and today goes back by one: the day that ended stays judged, and is judged once."""
    life = lived(daily(*range(7)), 8)
    before = canonical_bytes(life.records)
    assert life.close(7) == []
    assert life.close(8) == []
    assert canonical_bytes(life.records) == before
    life.has(freezes_used=1, as_of=MONDAY + 8)


def test_days_are_local_and_not_utc() -> None:
    """In Auckland, mornings and evenings in turn: every local day, but not every UTC day; and the other way round."""
    acts = [act(day, hour=23 if day % 2 else 8, zone=AUCKLAND) for day in range(6)]
    assert len(utc_days(acts)) < 6
    lived(acts, 5).has(streak=6)
    # Every UTC day, yet the third local day in New York is missed: between 36 and 72 hours lie its neighbours.
    gapped = [act(0, hour=12, zone=NEW_YORK), act(1, hour=12, zone=NEW_YORK), act(1, hour=22, zone=NEW_YORK)]
    gapped.append(act(3, hour=12, zone=NEW_YORK))
    assert len(utc_days(gapped)) == 4
    lived(gapped, 3).has(streak=1, longest_streak=2, active_days=3)


def test_utc_keys_and_local_keys_are_not_mixed() -> None:
    """An event with its own zone and one that takes the profile's, at one instant, have one day; it counts once."""
    tables = [zone("UTC"), zone(AUCKLAND)]
    profile = ZoneHistory(np.array([0]), np.array([0]), np.array([1]), default=0)
    instants = np.array([act(3, hour=8, zone=AUCKLAND).at_ms] * 2)
    codes = profile.codes_at(np.zeros(2, np.int64), instants, np.array([1, NO_ZONE]))
    days, _ = local_days(instants, codes, tables)
    assert days.tolist() == [MONDAY + 3] * 2 and (instants // DAY_MS).tolist() == [MONDAY + 2] * 2
    acts = [at(int(instants[0]), AUCKLAND), at(int(instants[1]), tables[codes[1]].name)]
    lived(acts, 3).has(streak=1, active_days=1)


def test_a_restored_run_is_not_lost_again() -> None:
    """The run ended; a late event fills the day. It lives on through every later job, and when its days are sealed."""
    life = lived(daily(0, 1, 3), 4)
    life.has(streak=1, streaks_ended=1)
    life.fold(act(2, age_ms=2 * DAY_MS))
    life.has(streak=4, streaks_ended=0)
    assert "streak_restored" in life.told()
    for day in range(4, 30):
        life.fold(act(day))
        assert life.close(day) == []
        assert life.close(day) == []
        life.has(streak=day + 1, streaks_ended=0)


def test_an_offset_is_not_a_zone() -> None:
    """The offset of the first day holds until clocks are put back; from then on it would lose a day each night."""
    start = day_number(date(2024, 10, 25))
    acts = [act(start + day, hour=23.5 if day < 3 else 0.25, zone=BERLIN) for day in range(6)]
    lived(acts, start + 5).has(streak=6)
    wrong = [one._replace(day=(one.at_ms + 2 * HOUR_MS) // DAY_MS) for one in acts]
    assert [one.day for one in wrong[:2]] == [one.day for one in acts[:2]]
    lived(wrong, start + 5).has(streak=3, streaks_ended=1)


def test_a_change_of_zone_takes_effect_from_an_instant_and_leaves_earlier_days_alone() -> None:
    tables = [zone(BERLIN), zone(AUCKLAND)]
    instants = np.array([act(day, hour=18, zone=BERLIN).at_ms for day in range(6)])
    learner, none = np.zeros(6, np.int64), np.full(6, NO_ZONE)
    at_home = ZoneHistory(learner[:1], np.array([0]), np.array([0]), default=0)
    moved = at_home.changed(learner[:1], instants[3:4], np.array([1]))
    before, _ = local_days(instants, at_home.codes_at(learner, instants, none), tables)
    after, _ = local_days(instants, moved.codes_at(learner, instants, none), tables)
    assert after[:3].tolist() == before[:3].tolist() == [MONDAY, MONDAY + 1, MONDAY + 2]
    assert after[3:].tolist() == [day + 1 for day in before[3:].tolist()]
    acts = [at(int(ms), tables[int(day > 2)].name) for day, ms in enumerate(instants)]
    assert [one.day for one in acts] == after.tolist()
    # The 4th day was left out by the move: 24 hours lie between two evenings, so it was missed; 20 hours would not.
    lived(acts, acts[-1].day).has(streak=3, streaks_ended=1)
    sooner = acts[:3] + [at(one.at_ms - 4 * HOUR_MS, AUCKLAND) for one in acts[3:]]
    lived(sooner, sooner[-1].day).has(streak=6, streaks_ended=0)


def test_a_change_of_zone_never_shortens_a_running_day() -> None:
    """Flying east at noon, the rest of the old day is gone; what was done in the morning keeps it."""
    morning = act(3, hour=9, zone=NEW_YORK)
    landed = at(morning.at_ms + 13 * HOUR_MS, TOKYO)
    assert landed.day == morning.day + 1
    life = lived([*daily(0, 1, 2, zone=NEW_YORK), morning, landed], landed.day)
    life.has(streak=5)
    life.close(landed.day + 1)
    life.has(streak=5, streaks_ended=0)


def test_a_frozen_day_that_is_filled_late_returns_its_freeze() -> None:
    life = lived(daily(*range(7)), 6)
    life.has(freezes=1, streak=7)
    life.close(8)
    life.has(freezes=0, freezes_used=1, streak=7)
    life.fold(act(7, age_ms=DAY_MS))
    life.has(freezes=1, freezes_used=0, streak=8)
    assert life.told()[-2:] == ["freeze_refunded", "achievement_withdrawn"]  # Saved by Ice
    life.close(9)  # the 8th day is missed now; the returned freeze serves again
    life.has(freezes=0, freezes_used=1, streak=8)
