"""The streak and its calendar: states against what was seen to happen day by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api.access import Role
from api.shapes import days
from engine import bitmaps
from engine.record import OPEN_DAYS, new_records
from tests.api.site import RULES, Site
from tests.engine.histories import MONDAY, STARTS, Act, Habit, Life, act, daily, habits, happened, lived

MOST = 84


def told(life: Life, today: int, count: int = MOST) -> list[days.Day]:
    return days.calendar(life.records[0], today, count, RULES)


def states(acts: list[Act], today: int, count: int) -> list[str]:
    return [day.state for day in told(lived(acts, MONDAY + today), MONDAY + today, count)]


def seen(acts: list[Act], today: int) -> dict[int, str]:
    """Return what was seen of each day at the midnight that ended it, learners living through them one by one."""
    life, found = Life(), dict[int, str]()
    began = min(one.day for one in acts)
    done = {one.day for one in acts if RULES.actions[one.action].qualifies}
    active = {one.day for one in acts}
    for day in range(began, today + 1):
        life.fold(*[one for one in acts if one.day == day])
        used = life.now("freezes_used")
        life.close(day + 1)
        if day in done:
            found[day] = "done"
        elif life.now("freezes_used") > used and day < today:
            found[day] = "frozen"
        elif day in active:
            found[day] = "active"
        else:
            found[day] = "none" if day == today else "missed"
    return found


@settings(max_examples=60)
@given(
    st.sampled_from(STARTS[:7]),
    st.sampled_from(["UTC", "Europe/Berlin"]).flatmap(lambda zone: habits([zone])),
    st.integers(0, 40),
)
def test_every_day_is_what_it_was_seen_to_be_or_said_to_be_unknown(
    start: int, stretches: list[Habit], silence: int
) -> None:
    """In one zone: after a move, a day that was missed at its midnight may turn out to be one that time skipped."""
    acts = [one._replace(value=0.5) if one.action == "quiz_complete" else one for one in happened(start, stretches)]
    if not acts:
        return
    today = max(one.day for one in acts) + silence
    truth = seen(acts, today)
    for day in told(lived(acts, today), today):
        expected = truth.get(day.day, "none")
        if day.state == "unknown":
            assert expected in {"frozen", "missed"} and day.day <= today - OPEN_DAYS
        elif day.day > today - OPEN_DAYS or expected != "frozen" or day.state != "active":
            assert day.state == expected, day
        assert day.active == any(one.day == day.day for one in acts)


def test_a_week_a_missed_day_and_the_freeze_that_bridged_it() -> None:
    week = daily(*range(7))  # day 6 brings a freeze
    assert states([*week, *daily(8)], 8, 10) == ["none", *["done"] * 7, "frozen", "done"]
    assert states([*week, *daily(9)], 9, 4) == ["done", "frozen", "missed", "done"]  # one freeze, two days


def test_a_freeze_that_bridged_is_known_for_as_long_as_its_run_is_alive() -> None:
    on = [*daily(*range(7)), *daily(*range(8, 40))]
    assert states(on, 40, 35)[:5] == ["done", "frozen", *["done"] * 3]  # day 7, long sealed


def test_between_runs_of_long_ago_it_cannot_be_told_and_is_not_guessed() -> None:
    ended = [*daily(*range(7)), *daily(10), *daily(*range(14, 40))]  # day 7 took the freeze, day 8 ended the run
    assert states(ended, 40, 36)[:10] == [
        "done", "done", "unknown", "missed", "missed", "done", "unknown", "missed", "missed", "done",
    ]  # fmt: skip


def test_nothing_is_frozen_for_who_never_used_a_freeze() -> None:
    assert states(daily(0, 5, 30), 32, 33) == [
        "done", *["missed"] * 4, "done", *["missed"] * 24, "done", "missed", "none",
    ]  # fmt: skip


def test_a_page_view_is_activity_and_no_streak_day() -> None:
    seen_only = [*daily(0, 1), act(2, "page_view"), act(30, "page_view")]
    assert states(seen_only, 3, 4) == ["done", "done", "active", "none"]
    assert states(seen_only, 30, 2) == ["missed", "active"]


def test_a_day_that_the_learners_own_time_skipped_is_not_missed() -> None:
    before = act(0, hour=23.5, zone="Pacific/Pago_Pago")
    after = act(2, hour=1.0, zone="Pacific/Kiritimati")  # 25 hours ahead: it is two dates later within the hour
    assert after.at_ms - before.at_ms < 23 * 3_600_000
    assert states([before, after], 2, 3) == ["done", "none", "done"]


def test_before_the_first_day_there_is_nothing() -> None:
    life = Life()
    assert {day.state for day in told(life, MONDAY)} == {"none"}
    assert days.missed_before(lived(daily(0, 3), MONDAY + 6).records[0], MONDAY + 6) == 2


def calendar(site: Site, **params: Any) -> list[str]:
    return [day["state"] for day in site.get("/streak", userId="ann", **params)["calendar"]]


def test_the_state_of_a_streak_over_http(site: Site) -> None:
    site.days(4, "ann")
    state = site.get("/streak", Role.LEARNER, days=6)
    assert state["calendar"] == [
        {"date": str(date(2026, 3, 1) + timedelta(ago)), "state": found, "active": found == "done"}
        for ago, found in enumerate(["none", *["done"] * 4, "none"])
    ]
    del state["calendar"]
    assert state == {
        "userId": "ann", "today": "2026-03-06", "currentStreak": 4, "longestStreak": 4, "freezes": 0, "freezesUsed": 0,
        "activeToday": False, "doneToday": False, "atRisk": True, "missedDays": 0, "milestones": [],
        "nextMilestone": {"days": 7, "xp": 50, "freezes": 1, "daysTo": 3},
    }  # fmt: skip
    site.track(action="page_view")
    assert site.get("/streak", userId="ann") | {"activeToday": True, "doneToday": False} == site.get(
        "/streak", userId="ann"
    )
    site.days(3, "ann")
    state = site.get("/streak", userId="ann")
    assert state["milestones"] == [{"days": 7, "times": 1}] and state["freezes"] == 1
    assert state["nextMilestone"] == {"days": 14, "xp": 50, "freezes": 0, "daysTo": 7}
    site.advance(days=2)
    state = site.get("/streak", userId="ann")
    assert (state["currentStreak"], state["freezesUsed"], state["missedDays"], state["atRisk"]) == (0, 1, 2, False)
    assert calendar(site, days=5) == ["done", "done", "frozen", "missed", "none"]


def test_what_is_asked_is_answered_as_of_now_even_before_the_actor_has_closed_the_day(site: Site) -> None:
    site.days(7, "ann")
    site.clock.advance(days=2)  # nobody settles: the actors' own look at the clock may come later
    state = site.get("/streak", userId="ann")
    assert (state["currentStreak"], state["freezesUsed"]) == (0, 1)


def test_today_is_the_learners_own(site: Site) -> None:
    site.profile("ann", timezone="Pacific/Kiritimati")  # 14 hours ahead: it is tomorrow there
    site.track()
    assert site.get("/streak", userId="ann", days=1)["today"] == "2026-03-03"
    site.track("bob", timezone="Pacific/Kiritimati")  # the event's own zone, without a profile
    state = site.get("/streak", userId="bob", days=1)
    assert (state["today"], state["doneToday"]) == ("2026-03-03", True)


def test_the_calendar_has_as_many_days_as_asked_for(site: Site) -> None:
    site.track()
    assert len(calendar(site)) == 28 and len(calendar(site, days=84)) == 84
    for wrong in (0, 85, "x"):
        assert site.ask("GET", "/streak", params={"userId": "ann", "days": wrong}).status_code == 422


def test_who_begins_today_has_missed_nothing(site: Site) -> None:
    site.track("new")
    assert site.get("/streak", userId="new")["missedDays"] == 0
    site.advance(days=3)
    assert site.get("/streak", userId="new")["missedDays"] == 2


@given(st.sets(st.integers(0, 391), min_size=1), st.integers(0, 2_000))
def test_missed_days_are_counted_over_the_whole_ring(done: set[int], first: int) -> None:
    today = MONDAY + first + 391
    record = new_records(1)[0]
    for day in done:
        bitmaps.set_day(record["qualifying_bits"], today - day)
    before = [day for day in done if day > 0]
    assert days.missed_before(record, today) == (min(before) - 1 if before else None)


def test_who_goes_west_lives_no_day_again(site: Site) -> None:
    site.profile("kir", timezone="Pacific/Kiritimati")
    site.track("kir")
    site.profile("kir", timezone="Pacific/Pago_Pago")
    site.track("kir")
    state = site.get("/streak", userId="kir")
    [line] = site.get("/leaderboard", period="daily")["entries"]
    assert (state["today"], state["doneToday"], line["xp"]) == ("2026-03-03", True, 50)


def test_a_login_sent_again_days_later_answers_as_it_did(site: Site) -> None:
    site.days(7, "ann")
    site.advance(days=1)  # one missed, bridged by the freeze of the milestone
    login = {"userId": "ann", "eventId": "my-login"}
    first = site.post("/streak", login)
    assert (first["missedDays"], first["freezesUsed"], first["consecutiveDay"]) == (1, 1, False)
    site.advance(days=1)
    second = site.post("/streak", {"userId": "ann", "eventId": "the-next"})
    assert (second["missedDays"], second["freezesUsed"], second["consecutiveDay"]) == (0, 0, True)
    for pause in (3, 20):
        site.advance(days=pause)
        again = site.post("/streak", login)
        known = {"freezesUsed": 1 if pause == 3 else None}  # its run has ended meanwhile, and the days are sealed
        assert again == {**first, **known, "status": "duplicate"}
        assert site.post("/streak", {"userId": "ann", "eventId": "the-next"}) == {**second, "status": "duplicate"}


def test_a_login_after_a_long_silence_tells_how_long(site: Site) -> None:
    site.track()
    site.advance(days=100)
    assert site.post("/streak", {"userId": "ann"})["missedDays"] == 99
    assert site.post("/streak", {"userId": "new"})["missedDays"] == 0
