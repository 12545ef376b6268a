"""Outcomes: the moves of counters, which replay the state; facts corrected by late events; ids made of ordinals."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import outcomes, rules
from engine.outcomes import ACHIEVEMENT, AWARDED, ENDED, KINDS, LEVEL, LOST, MILESTONE, USED, XP
from tests.engine.histories import (
    GRACE_MS,
    MONDAY,
    RULES,
    Act,
    Habit,
    Life,
    act,
    arrive,
    daily,
    delayed,
    habits,
    happened,
    lived,
)
from tests.oracle import DAY_MS


def net(life: Life, kind: int, threshold: int = 0) -> int:
    """Return the sum of a kind's outcomes less its corrections."""
    rows = life.outcomes[life.outcomes["threshold"] == threshold]
    ups, downs = rows[rows["kind"] == kind], rows[rows["kind"] == kind + 1]
    return int(ups["amount"].sum()) - int(downs["amount"].sum())


def assert_replays_the_state(life: Life) -> None:
    assert net(life, XP) == life.now("xp")
    assert 1 + sum(net(life, LEVEL, level) for level in range(2, len(RULES.levels) + 1)) == life.now("level")
    held = [place for place in range(len(RULES.achievements)) if life.now("achievements") >> place & 1]
    assert [place for place in range(len(RULES.achievements)) if net(life, ACHIEVEMENT, place)] == held
    reached = life.records["view"]["milestones"][0].tolist()
    assert [net(life, MILESTONE, days) for days in RULES.streak.milestones] == reached[: len(RULES.streak.milestones)]
    assert net(life, AWARDED) - net(life, LOST) - net(life, USED) == life.now("freezes")
    for kind, field in ((AWARDED, "freezes_awarded"), (LOST, "freezes_lost"), (USED, "freezes_used")):
        assert net(life, kind) == life.now(field)
    assert net(life, ENDED) == life.now("streaks_ended")


def assert_ids_stand_for_facts(life: Life) -> None:
    """A fact stands once until it is corrected: no id comes twice in a row, no correction without its fact."""
    standing: set[tuple[int, int, int]] = set()
    numbers: Counter[tuple[int, int]] = Counter()
    for row in life.outcomes[life.outcomes["kind"] > XP + 1]:
        kind = int(row["kind"]) // 2 * 2
        fact = (kind, int(row["threshold"]), int(row["ordinal"]))
        is_correction = bool(row["kind"] % 2)
        assert (fact in standing) == is_correction
        numbers[fact[:2]] += -1 if is_correction else 1
        assert numbers[fact[:2]] == fact[2] - is_correction  # ordinals count up and down without a hole
        standing ^= {fact}


@settings(max_examples=120)
@given(habits(["UTC"]), st.integers(0, 999))
def test_the_sum_of_all_outcomes_replays_the_state(stretches: list[Habit], seed: int) -> None:
    luck = random.Random(seed)
    acts = delayed(happened(MONDAY, stretches), luck, GRACE_MS)
    life = Life()
    arrive(life, acts, luck, MONDAY + sum(stretch.days for stretch in stretches) + 8)
    assert_replays_the_state(life)
    assert_ids_stand_for_facts(life)


@settings(max_examples=40)
@given(habits(["UTC"]))
def test_in_order_nothing_is_ever_withdrawn_and_every_id_is_unique(stretches: list[Habit]) -> None:
    life = Life()
    for one in sorted(happened(MONDAY, stretches), key=lambda a: a.at_ms):
        life.fold(one)
        life.close(one.day)
    life.close(MONDAY + sum(stretch.days for stretch in stretches) + 8)
    assert not (life.outcomes["kind"] % 2).any()
    ids = [outcomes.id_of("u-17", row) for row in life.outcomes]
    assert len(set(ids)) == len(ids)
    assert (life.outcomes["amount"] > 0).all() and (np.diff(life.outcomes["day"]) >= 0).all()


def test_an_id_is_made_of_learner_kind_threshold_and_ordinal() -> None:
    life = lived([*daily(*range(7)), *daily(*range(9, 16))], 16)
    ids = [outcomes.id_of("u-17", row) for row in life.outcomes]
    # The first milestone's freeze bridges day 7, day 8 ends the run; the second run reaches 7 for the 2nd time.
    for wanted in ("milestone_reached/7/1", "milestone_reached/7/2", "freeze_used/0/1", "streak_ended/0/1"):
        assert f"u-17/{wanted}" in ids
    assert "u-17/xp/0/240" in ids  # 14 days of 10 XP and two milestones of 50: the new total


def test_the_same_facts_have_the_same_ids_however_they_are_derived() -> None:
    acts = [*daily(*range(20)), *daily(25, 26, action="lesson_complete")]
    at_once, one_by_one = lived(acts, 30), Life()
    for one in acts:
        one_by_one.fold(one)
    one_by_one.close(30)
    facts = [{outcomes.id_of("u", row) for row in life.outcomes if row["kind"] != XP} for life in (at_once, one_by_one)]
    assert facts[0] == facts[1]


def after(life: Life, *acts: Act) -> Counter[str]:
    """Return how often each outcome but XP came of a batch."""
    old = len(life.outcomes)
    life.fold(*acts)
    return Counter(life.told(old))


def test_a_late_event_that_joins_two_runs_withdraws_what_the_second_one_had_reached() -> None:
    """Runs of 7 and 7 days reached the week twice; joined they are one of 15 that reached 7 and 14."""
    life = lived([*daily(*range(7)), *daily(9, 10, 11, 12, 13, 14, 15)], 15)
    life.has(streak=7, longest_streak=7, freezes=1, freezes_used=1, freezes_awarded=2, streaks_ended=1)
    assert life.records["view"]["milestones"][0, :2].tolist() == [2, 0]
    moved = after(life, act(8, age_ms=7 * DAY_MS))
    assert moved["streak_restored"] == moved["milestone_withdrawn"] == moved["milestone_reached"] == 1
    assert moved["freeze_withdrawn"] == 1  # the 14th day gives none
    life.has(streak=15, freezes_awarded=1, freezes=0, freezes_used=1, streaks_ended=0)
    assert_replays_the_state(life)
    assert_ids_stand_for_facts(life)


def bookmarks(days: range) -> list[Act]:
    """Return an act of 2 XP on each day."""
    return daily(*days, action="bookmark")


def test_xp_of_a_withdrawn_milestone_goes_back_and_a_level_with_it() -> None:
    """A run of 30 and one of 7 have three milestones and one; joined, the 2nd week is withdrawn: 48 XP less."""
    life = lived([*bookmarks(range(30)), *bookmarks(range(33, 40))], 39)
    life.has(freezes_used=2, streaks_ended=1)  # days 30 and 31 were frozen, day 32 ended the run
    before = life.now("xp")
    moved = after(life, act(32, "bookmark", age_ms=7 * DAY_MS))
    assert moved["milestone_withdrawn"] == moved["streak_restored"] == moved["freeze_withdrawn"] == 1
    assert moved["level_withdrawn"] == 1  # 274 XP made a Student of 250
    assert life.now("xp") == before + 2 - RULES.actions["streak_milestone"].xp
    last_xp = life.outcomes[life.outcomes["kind"] <= XP + 1][-1]
    assert KINDS[last_xp["kind"]] == "xp_withdrawn" and last_xp["amount"] == 48
    assert_replays_the_state(life)


def test_surplus_freezes_are_lost_and_said_so() -> None:
    """20,000 XP on one day climb all ten levels: 1 + 2 + 3 freezes, of which five can be held."""
    acts = [act(0, action) for action in ("course_complete",) * 2 + ("certificate",) * 2 + ("project_submit",) * 2]
    acts += [act(day, "course_complete") for day in range(1, 12) for _ in range(2)]
    life = lived(acts, 11)
    assert life.now("level") >= 9
    life.has(freezes=5, freezes_awarded=7, freezes_lost=2, freezes_used=0)  # 6 of levels, 1 of the week
    assert Counter(life.told())["freeze_lost"] == 2


def test_a_level_pays_its_freezes_once() -> None:
    """Scholar is reached with a freeze, withdrawn with a milestone's XP, and reached again: one freeze in all."""
    lessons = [act(0, "lesson_complete") for _ in range(5)]
    life = lived([*lessons, *bookmarks(range(30)), *bookmarks(range(33, 40))], 39)
    life.has(xp=524, level=4, freezes_awarded=4, freezes=2)  # of the two weeks, the month and the level
    moved = after(life, act(32, "bookmark", age_ms=7 * DAY_MS))
    assert moved["level_withdrawn"] == 1 and moved["freeze_withdrawn"] == 2
    life.has(xp=476, level=3, freezes_awarded=2, freezes=0)
    assert after(life, act(39, "lesson_complete")) == {"level_up": 1, "freeze_awarded": 1}
    life.has(level=4, freezes_awarded=3, freezes=1)
    after(life, act(40, "course_complete"))
    life.has(level=5, freezes_awarded=3, freezes=1)
    assert_ids_stand_for_facts(life)


def test_a_freeze_earned_on_a_day_serves_from_the_next_day_on(tmp_path: Path) -> None:
    """The day that reaches 500 XP has no qualifying action, so it is missed: its freeze comes after the judgement."""
    own = tmp_path / "rules.toml"
    own.write_text("[actions.lesson_complete]\nqualifies = false")
    life = Life(with_rules=rules.load(own))
    life.fold(act(0), *[act(1, "lesson_complete") for _ in range(10)], act(2))
    life.close(2)
    life.has(streak=1, streaks_ended=1, freezes=1, freezes_used=0)
    life.close(4)
    life.has(streak=1, streaks_ended=1, freezes=0, freezes_used=1)


def test_margin_is_room_enough_for_a_batch_that_moves_everything() -> None:
    """Twenty years, every other day: thousands of runs end in one batch of one learner, and all of it is said."""
    acts = daily(*range(0, 7300, 2))
    life = Life()
    life.fold(*acts, known=True)
    assert net(life, ENDED) == life.now("streaks_ended") > 3_600
