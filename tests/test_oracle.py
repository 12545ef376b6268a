"""The oracle against stories worked out by hand from the rules: whoever doubts it can check them on paper."""

from __future__ import annotations

import ast
import itertools
from typing import Any

from tests import oracle
from tests.oracle import DAY_MS, HOUR_MS, MINUTE_MS, Event

MONDAY = 19_723  # 2024-01-01
_ids = itertools.count()


def act(day: int, action: str = "lesson_complete", value: float | None = None, **other: Any) -> Event:
    """Return an event at noon of a day (0 = Monday 2024-01-01), UTC, that arrives at once unless told otherwise."""
    at_ms = other.pop("at_ms", (MONDAY + day) * DAY_MS + 12 * HOUR_MS)
    arrived_ms = at_ms + other.pop("age_ms", 0)
    event = Event("ann", at_ms, arrived_ms, action, value, f"e{next(_ids)}", MONDAY + day)
    return event._replace(**other)


def days(*numbers: int, action: str = "goal_set") -> list[Event]:
    """Return one action a day; goal_set qualifies and gives 10 XP, once a day."""
    return [act(day, action) for day in numbers]


def ann(events: list[Event], as_of: int) -> dict[str, Any]:
    return oracle.judge(events, MONDAY + as_of)["ann"]


def has(result: dict[str, Any], **expected: Any) -> None:
    assert {name: result[name] for name in expected} == expected


def test_it_imports_only_the_standard_library() -> None:
    tree = ast.parse(oracle.RULES_FILE.parent.parent.joinpath("tests", "oracle.py").read_text())
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names == {"__future__", "collections", "collections.abc", "pathlib", "tomllib", "typing"}


def test_a_first_lesson() -> None:
    result = ann([act(0)], as_of=0)
    has(result, xp=50, level=1, streak=1, longest_streak=1, active_days=1, qualifying_days=1, xp_day=50, xp_week=50)
    has(result, freezes=0, achievements={"first_steps"}, totals={"lesson_complete": 1}, late=0)
    assert result["milestones"] == {7: 0, 14: 0, 30: 0, 60: 0, 100: 0, 365: 0}


def test_the_cap_holds_by_day() -> None:
    """12 lessons count 10; the next day counts anew: 500 + 100. 500 XP make a Scholar with one freeze."""
    result = ann([act(0) for _ in range(12)] + [act(1), act(1)], as_of=1)
    has(result, xp=600, xp_day=100, level=4, freezes=1, totals={"lesson_complete": 14})
    has(result, achievements={"first_steps", "ten_lessons"})


def test_a_perfect_quiz_counts_besides() -> None:
    """3 x 30 for the quizzes, 100 for the one with everything right; without a score it is no perfect quiz."""
    result = ann([act(0, "quiz_complete", score) for score in (1.0, 0.99, None)], as_of=0)
    has(result, xp=190, totals={"quiz_complete": 3, "perfect_quiz": 1})


def test_perfect_quizzes_have_their_own_cap() -> None:
    """Six perfect quizzes: 6 x 30 + 5 x 100 = 680."""
    has(
        ann([act(0, "quiz_complete", 1.0) for _ in range(6)], as_of=0),
        xp=680,
        totals={"quiz_complete": 6, "perfect_quiz": 6},
    )


def test_seven_days_make_a_milestone_with_a_freeze() -> None:
    """7 x 10 + 50 XP; 120 reaches Learner. xp_week holds all of Monday to Sunday, the milestone with it."""
    result = ann(days(*range(7)), as_of=6)
    has(result, xp=120, xp_day=60, xp_week=120, level=2, streak=7, freezes=1)
    assert result["milestones"][7] == 1
    assert "week_warrior" in result["achievements"]


def test_the_week_begins_on_monday() -> None:
    has(ann(days(*range(8)), as_of=7), xp=130, xp_week=10, xp_day=10)


def test_today_is_not_missed_before_it_ends() -> None:
    has(ann(days(0, 1), as_of=2), streak=2)
    has(ann(days(0, 1), as_of=3), streak=0, longest_streak=2)


def test_a_missed_day_takes_a_freeze_and_the_next_one_ends_the_run() -> None:
    """The freeze of the seventh day serves day 7; the run goes on, without counting it; on day 9 none is left."""
    week = days(*range(7))
    has(ann(week, as_of=8), streak=7, freezes=0, freezes_used=1)
    has(ann(week + days(8), as_of=8), streak=8, freezes=0, freezes_used=1, qualifying_days=8)
    result = ann(week + days(8), as_of=10)
    has(result, streak=0, longest_streak=8, freezes=0, freezes_used=1)
    assert "saved_by_ice" in result["achievements"]


def test_a_late_event_that_fills_the_frozen_day_returns_the_freeze() -> None:
    filler = act(7, "goal_set", age_ms=6 * DAY_MS)
    has(ann([*days(*range(7)), *days(8), filler], as_of=8), streak=9, freezes=1, freezes_used=0)


def test_a_freeze_serves_from_the_next_day() -> None:
    """Day 1 is missed without any; the freeze that Scholar brings on day 2 is too late for day 1 and serves day 3."""
    lessons = [act(2) for _ in range(10)]  # 500 XP
    events = [*days(0), *lessons]
    has(ann(events, as_of=2), streak=1, freezes=1, freezes_used=0)
    has(ann(events, as_of=4), streak=1, freezes=0, freezes_used=1)
    has(ann(events, as_of=5), streak=0, freezes=0, freezes_used=1)


def test_a_milestone_is_paid_each_time_a_run_reaches_it() -> None:
    """Days 0-6, the freeze serves day 7, day 8 ends the run; days 9-15 are a second run of seven."""
    result = ann(days(*range(7), *range(9, 16)), as_of=15)
    has(result, xp=14 * 10 + 2 * 50, streak=7, longest_streak=7, freezes=1, freezes_used=1)
    assert result["milestones"][7] == 2


def test_level_freezes_are_paid_once_and_the_sixth_is_lost() -> None:
    """Two courses a day are 1000 XP.

    Day 0: 1000, Scholar (1 freeze). Day 1: 2000, Master (3). Day 6: 7000, and the seventh day brings 50 XP and a freeze
    (4). Day 11: 12050, Legend with 3: 5 is the most, so 2 are lost.
    """
    events = [act(day, "course_complete") for day in range(12) for _ in range(2)]
    has(ann(events[:14], as_of=6), xp=7050, level=8, freezes=4, freezes_lost=0)
    has(ann(events, as_of=11), xp=12050, level=9, freezes=5, freezes_lost=2, streak=12)


def test_page_views_make_an_active_day_and_no_streak() -> None:
    has(ann(days(0, 1, action="page_view"), as_of=1), active_days=2, qualifying_days=0, streak=0, xp=0)


def test_a_page_view_does_not_save_a_day() -> None:
    """Day 1 has a page view only, so it is missed; it is no flight either: 24 hours lie between days 0 and 2."""
    has(ann([*days(0, 2), act(1, "page_view")], as_of=2), streak=1, longest_streak=1, active_days=3)


def test_a_day_left_out_at_the_date_line_is_not_missed() -> None:
    """22 h 59 min between the last action before the day and the first after it: no day was missed; at 23 h one was."""
    start = act(0, "goal_set")
    close = start.occurred_ms + 23 * HOUR_MS - MINUTE_MS
    has(ann([start, act(2, "goal_set", at_ms=close)], as_of=2), streak=2, freezes_used=0)
    has(ann([start, act(2, "goal_set", at_ms=close + MINUTE_MS)], as_of=2), streak=1, longest_streak=1)


def test_an_action_of_any_kind_counts_for_the_date_line() -> None:
    """The page view after the flight comes 20 h after the last action; the goal only 30 h after it."""
    start = act(0, "goal_set")
    view = act(2, "page_view", at_ms=start.occurred_ms + 20 * HOUR_MS)
    goal = act(2, "goal_set", at_ms=start.occurred_ms + 30 * HOUR_MS)
    has(ann([start, view, goal], as_of=2), streak=2)
    has(ann([start, goal], as_of=2), streak=1)


def test_beyond_the_grace_only_totals_change() -> None:
    late = act(1, "quiz_complete", 1.0, age_ms=7 * DAY_MS + 1)
    result = ann([*days(0), late], as_of=9)
    has(result, xp=10, active_days=1, qualifying_days=1, late=1)
    has(result, totals={"goal_set": 1, "quiz_complete": 1, "perfect_quiz": 1})


def test_late_events_earn_badges_of_totals() -> None:
    has(ann([act(1, age_ms=8 * DAY_MS)], as_of=9), xp=0, level=1, active_days=0, achievements={"first_steps"})


def test_the_edges_of_age() -> None:
    """At most 7 days: full; at most 30: late; older and more than 5 minutes ahead: refused."""
    ages = {7 * DAY_MS: "full", 7 * DAY_MS + 1: "late", 30 * DAY_MS: "late", 30 * DAY_MS + 1: "too_old"}
    ages |= {-5 * MINUTE_MS: "full", -5 * MINUTE_MS - 1: "future"}
    for age_ms, verdict in ages.items():
        result = ann([act(0, age_ms=age_ms)], as_of=0)
        has(result, verdicts={verdict: 1}, xp=50 if verdict == "full" else 0)
        assert result["totals"].get("lesson_complete", 0) == (verdict in {"full", "late"})


def test_the_same_id_counts_once_and_the_first_arrival_wins() -> None:
    first, again = act(0, event_id="x", age_ms=DAY_MS), act(0, event_id="x", age_ms=8 * DAY_MS)
    for events in ([first, again], [again, first]):
        has(ann(events, as_of=0), xp=50, totals={"lesson_complete": 1}, verdicts={"full": 1, "duplicate": 1})


def test_the_same_id_of_two_learners_counts_twice() -> None:
    result = oracle.judge([act(0, event_id="x"), act(0, event_id="x", learner_id="bob")], MONDAY)
    assert result["ann"]["xp"] == result["bob"]["xp"] == 50


def test_order_does_not_matter() -> None:
    events = [*days(*range(7)), *days(8, 9), act(7, age_ms=3 * DAY_MS), act(3, "quiz_complete", 1.0)]
    assert ann(events, as_of=12) == ann(events[::-1], as_of=12)


def test_the_users_rules_are_taken() -> None:
    rules = oracle.load_rules()
    rules["actions"]["lesson_complete"]["xp"] = 7
    assert oracle.judge([act(0)], MONDAY, rules)["ann"]["xp"] == 7
