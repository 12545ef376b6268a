"""The fold and the view as properties: what a learner has depends on the set of events, never on order or batches."""

from __future__ import annotations

import itertools
import random
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import rules
from engine.calendar import date_of, day_number, to_utc_ms, zone
from engine.record import NEVER, OPEN_DAYS
from tests.engine.histories import (
    FUTURE_MS,
    GRACE_MS,
    HORIZON_MS,
    MONDAY,
    RULES,
    STARTS,
    ZONES,
    Act,
    Habit,
    Life,
    act,
    arrive,
    at,
    daily,
    delayed,
    habits,
    happened,
    judged,
    lived,
    repeated,
)
from tests.oracle import DAY_MS, HOUR_MS, MINUTE_MS

WALKED = ("xp", "level", "streak", "longest_streak", "freezes", "freezes_used", "freezes_lost")
COUNTED = ("active_days", "qualifying_days", "xp_day", "xp_week")


def assert_equals_the_oracle(life: Life, acts: list[Act], as_of: int) -> None:
    for learner, wanted in judged(acts, as_of).items():
        r = life.records[learner]
        got: dict[str, Any] = {name: int(r["view"][name]) for name in WALKED} | {n: int(r[n]) for n in COUNTED}
        got["late"] = int(r["late_events"])
        got["milestones"] = dict(zip(RULES.streak.milestones, r["view"]["milestones"].tolist(), strict=False))
        got["achievements"] = {b.id for k, b in enumerate(RULES.achievements) if int(r["achievements"]) >> k & 1}
        got["totals"] = {name: int(n) for name, n in zip(RULES.actions, r["totals"], strict=False) if n}
        assert got == {name: wanted[name] for name in got}
        awarded = got["freezes"] + got["freezes_used"] + got["freezes_lost"]
        assert int(r["view"]["freezes_awarded"]) == awarded


def aged(acts: list[Act], luck: random.Random) -> list[Act]:
    """Return the acts, a few of them late, too old or ahead of the clock."""
    ages = [GRACE_MS + 1, 20 * DAY_MS, HORIZON_MS, HORIZON_MS + 1, -FUTURE_MS, -FUTURE_MS - 1]
    return [a._replace(age_ms=luck.choice(ages)) if luck.random() < 0.05 else a for a in acts]


@settings(max_examples=120)
@given(st.sampled_from(STARTS), habits(["UTC"]), st.integers(0, 999), st.integers(-7, 20))
def test_any_order_and_any_batches_give_the_same_record_and_equal_the_oracle(
    start: int, stretches: list[Habit], seed: int, rest: int
) -> None:
    luck = random.Random(seed)
    acts = aged(happened(start, stretches), luck)
    as_of = start + sum(stretch.days for stretch in stretches) + 7 + rest
    at_once = lived(acts, as_of)
    assert_equals_the_oracle(at_once, acts, as_of)
    for close in (0.0, 0.7):
        late_and_twice = repeated(delayed(acts, luck, GRACE_MS), luck, 0.1)
        life = Life()
        arrive(life, late_and_twice, luck, as_of, close)
        life.is_same_as(at_once)


@settings(max_examples=120)
@given(st.sampled_from(STARTS), habits(ZONES), st.integers(0, 999), st.integers(-9, 20))
def test_travellers_too(start: int, stretches: list[Habit], seed: int, rest: int) -> None:
    luck = random.Random(seed)
    acts = happened(start, stretches)
    as_of = start + sum(stretch.days for stretch in stretches) + 9 + rest
    at_once = lived(acts, as_of)
    assert_equals_the_oracle(at_once, acts, as_of)
    life = Life()
    arrive(life, repeated(delayed(acts, luck, GRACE_MS), luck, 0.1), luck, as_of)
    life.is_same_as(at_once)


@settings(max_examples=15)
@given(st.lists(habits(["UTC"]), min_size=2, max_size=4), st.integers(0, 999))
def test_learners_do_not_touch_each_other(lives: list[list[Habit]], seed: int) -> None:
    luck = random.Random(seed)
    alone = [happened(MONDAY, stretches, learner) for learner, stretches in enumerate(lives)]
    as_of = MONDAY + max(sum(stretch.days for stretch in stretches) for stretches in lives) + 8
    together = Life(len(lives))
    arrive(together, delayed(list(itertools.chain(*alone)), luck, GRACE_MS), luck, as_of, close=0.0)
    for learner, acts in enumerate(alone):
        one = lived([a._replace(learner=0) for a in acts], as_of)
        one.is_same_as(_only(together, learner))


def _only(life: Life, learner: int) -> Life:
    one = Life()
    one.records = life.records[learner : learner + 1]
    return one


@settings(max_examples=25)
@given(habits(["UTC"]), st.integers(0, 999))
def test_a_source_that_never_repeats_gives_the_same_without_ids(stretches: list[Habit], seed: int) -> None:
    acts = happened(MONDAY, stretches)
    as_of = MONDAY + sum(stretch.days for stretch in stretches)
    trusted = Life()
    trusted.fold(*acts, known=True)
    trusted.close(as_of)
    checked = Life()
    arrive(checked, acts, random.Random(seed), as_of, close=0.0)
    trusted.is_same_as(checked)


@given(habits(["UTC"]), st.integers(0, 40))
def test_the_day_by_day_job_equals_one_leap(stretches: list[Habit], days: int) -> None:
    acts = happened(MONDAY, stretches)
    last = MONDAY + sum(stretch.days for stretch in stretches)
    leap, steps = lived(acts, last + days), lived(acts, last)
    for day in range(last, last + days + 1):
        steps.close(day)
    leap.is_same_as(steps)


def test_a_day_older_than_the_open_ones_is_late_however_young_the_event() -> None:
    life = lived(daily(0), OPEN_DAYS)
    assert life.fold(act(0, "lesson_complete", age_ms=6 * DAY_MS)) == ["late"]
    assert life.fold(act(1, "lesson_complete", age_ms=6 * DAY_MS)) == ["full"]
    life.has(late_events=1, xp=60, active_days=2)


def test_a_perfect_quiz_makes_a_streak_day_where_others_do_not(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[actions.quiz_complete]\nqualifies = false")
    life = Life(with_rules=rules.load(own))
    life.fold(act(0, "quiz_complete", 0.9), act(1, "quiz_complete", 1.0))
    life.has(streak=1, active_days=2, qualifying_days=1)


def test_registration_before_the_first_event_starts_the_clock() -> None:
    life = Life(first_day=MONDAY)
    life.close(30)
    life.fold(act(31))
    life.has(first_day=MONDAY, as_of=MONDAY + 31, streak=1, streaks_ended=0)
    assert Life().now("as_of") == NEVER


@pytest.mark.parametrize("put", [(2024, 3, 31), (2024, 10, 27)], ids=["forward: 23 hours", "back: 25 hours"])
def test_a_day_of_23_or_25_hours_is_a_day(put: tuple[int, int, int]) -> None:
    day = day_number(date(*put))
    berlin = {"zone": "Europe/Berlin"}
    lasting = lived(daily(day - 1, day, day + 1, hour=23.5, **berlin), day + 1)
    lasting.has(streak=3)
    # Last action a minute to midnight, next one a minute past the midnight after the day: it was missed all the same.
    missed = [act(day - 1, hour=23 + 59 / 60, **berlin), act(day + 1, hour=1 / 60, **berlin)]
    assert (missed[1].at_ms - missed[0].at_ms) // MINUTE_MS in {23 * 60 + 2, 25 * 60 + 2}
    lived(missed, day + 1).has(streak=1, longest_streak=1, streaks_ended=1)


def test_a_flight_over_the_date_line_skips_a_day_and_does_not_break_the_run() -> None:
    """From Honolulu to Kiritimati: 24 hours ahead of each other, the same clock; the 9th of January is skipped."""
    before = at(zone_ms("Pacific/Honolulu", MONDAY + 7, 22), "Pacific/Honolulu")
    after = at(before.at_ms + 8 * HOUR_MS, "Pacific/Kiritimati")
    assert after.day == before.day + 2
    life = lived([*daily(5, 6), before, after], after.day)
    life.has(streak=4, freezes_used=0, streaks_ended=0)
    slow = at(before.at_ms + 23 * HOUR_MS, "Pacific/Kiritimati")  # a boat: a whole day without an action
    lived([before, slow], slow.day).has(streak=1, streaks_ended=1)


def test_the_flight_back_lives_a_day_twice_and_counts_it_once() -> None:
    out = at(zone_ms("Pacific/Kiritimati", MONDAY + 7, 9), "Pacific/Kiritimati")
    back = at(out.at_ms + 8 * HOUR_MS, "Pacific/Honolulu")
    assert back.day == out.day - 1
    life = lived([*daily(6), out, back], out.day)
    life.has(streak=2, active_days=2)


def test_the_day_that_samoa_left_out_breaks_no_run() -> None:
    lost = day_number(date(2011, 12, 30))
    life = lived(daily(lost - 1, lost + 1, zone="Pacific/Apia"), lost + 1)
    life.has(streak=1)  # noon to noon are 24 hours, more than the 23 of a day that was not there to be missed
    late = [act(lost - 1, zone="Pacific/Apia", hour=20), act(lost + 1, zone="Pacific/Apia", hour=8)]
    lived(late, lost + 1).has(streak=2)


def test_leap_day_is_a_day() -> None:
    leap = day_number(date(2024, 2, 29))
    assert date_of(leap + 1) == date(2024, 3, 1)
    lived(daily(leap - 1, leap, leap + 1), leap + 1).has(streak=3)
    lived(daily(leap - 1, leap + 1), leap + 1).has(streak=1)


@pytest.mark.parametrize("year", [2021, 2024, 2025, 2026, 2027])
def test_the_iso_week_runs_over_new_year(year: int) -> None:
    new_year = day_number(date(year, 1, 1))
    acts = daily(*range(new_year - 20, new_year + 20))
    life = Life()
    week: list[int] = []
    for one in acts:
        life.fold(one)
        gained = life.now("xp_day")
        week = [gained] if date_of(one.day).isoweekday() == 1 else [*week, gained]
        if one.day >= new_year - 13:
            assert life.now("xp_week") == sum(week)
    life.close(new_year + 20)
    life.has(streak=40, xp_day=0)


def zone_ms(name: str, day: int, hour: int) -> int:
    return int(to_utc_ms(np.array([day]), np.array([hour * 60]), zone(name))[0])
