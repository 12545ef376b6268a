"""Streak reminders: in the learner's own evening, once, and only to those who may and want to be reminded."""

from __future__ import annotations

from typing import Any

import pytest

from actors.reminders import TYPE
from engine.notifications.catalogue import EVENING_MINUTE, catalogue
from tests.actors.homes import HOUR_MS, MONDAY, Home, instant, same

EVENING = EVENING_MINUTE / 60
NEEDED = catalogue().types[TYPE].from_streak


def with_streak(days: int = NEEDED, zone: str | None = None, **profile: Any) -> Home:
    """Return the home of a learner with a streak that ended yesterday, on day 0 of the story."""
    home = Home()
    home.do("profile", "ann", {"timezone": zone, **profile}, 0)
    for day in range(-days, 0):
        home.acts("ann", instant(MONDAY + day, 12, zone or "UTC"))
        home.settle(instant(MONDAY + day, 13, zone or "UTC"))
    return home


def sent(home: Home, day: int, hour: float, zone: str = "UTC") -> int:
    """Let the clock show an hour of a day of the story; return how many reminders are sent then."""
    before = len(home.sends())
    home.settle(instant(MONDAY + day, hour, zone))
    return len(home.sends()) - before


def test_a_reminder_comes_when_the_evening_does_and_once() -> None:
    home = with_streak()
    hours = [8, 12, EVENING - 1 / 60, EVENING, EVENING + 0.5, 23.5]
    assert [sent(home, 0, hour) for hour in hours] == [0, 0, 0, 1, 0, 0]
    send = home.sends()[0]
    assert send["id"] == f"ann/{TYPE}/{MONDAY}" and send["learner"] == "ann" and send["type"] == TYPE
    assert send["day"] == MONDAY and set(send["channels"]) <= {"email", "push", "in_app", "sms"} and send["channels"]
    record = home.record("ann")
    assert record["sent_day"] == MONDAY and record["sent_counts"][catalogue().code(TYPE)] == 1
    same(home.learners, home.replayed())


def test_a_service_that_was_away_at_six_reminds_later_that_evening_or_not_at_all() -> None:
    late, too_late = with_streak(), with_streak()
    assert sent(late, 0, 23.9) == 1
    assert sent(too_late, 1, 1) == 0, "the day is over, and with it the streak"
    assert too_late.record("ann")["view"]["streak"] == 0


def test_after_a_restart_nobody_is_reminded_twice() -> None:
    home = with_streak()
    assert sent(home, 0, 19) == 1
    for again in (home.replayed(), home.restored()):
        while again.rescore()[1]:
            pass
        assert again.due(instant(MONDAY, 20)) == []


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Pacific/Kiritimati", "Australia/Lord_Howe"])
def test_the_evening_is_the_learners_own(zone: str) -> None:
    home = with_streak(zone=zone)
    assert sent(home, 0, EVENING - 0.1, zone) == 0
    assert sent(home, 0, EVENING, zone) == 1
    assert home.sends()[0]["day"] == MONDAY


def test_who_was_active_today_is_left_alone() -> None:
    home = with_streak()
    home.acts("ann", instant(MONDAY, 17))
    assert sent(home, 0, 19) == 0
    assert home.said("remind") == []


def test_who_comes_in_the_evening_after_all_has_been_reminded_and_is_not_again() -> None:
    home = with_streak()
    assert sent(home, 0, 19) == 1
    home.acts("ann", instant(MONDAY, 20))
    assert sent(home, 0, 21) == 0
    assert sent(home, 1, 19) == 1, "tomorrow is another evening"


@pytest.mark.parametrize(("days", "expected"), [(1, 0), (NEEDED - 1, 0), (NEEDED, 1), (NEEDED + 4, 1)])
def test_a_streak_has_to_be_worth_it(days: int, expected: int) -> None:
    home = with_streak(days)
    assert sent(home, 0, 19) == expected
    assert len(home.said("remind")) == 1, "either way the evening has been looked at"


@pytest.mark.parametrize(
    ("consents", "channels"),
    [
        ({}, {"in_app"}),
        ({"email": False, "push": False}, {"in_app"}),
        ({"email": False, "push": False, "in_app": False, "sms": False}, None),
    ],
)
def test_only_channels_that_are_allowed(consents: dict[str, bool], channels: set[str] | None) -> None:
    home = with_streak(consents=consents)
    assert sent(home, 0, 19) == (channels is not None)
    if channels:
        assert channels <= set(home.sends()[0]["channels"])
        assert not {name for name, allowed in consents.items() if not allowed} & set(home.sends()[0]["channels"])


def test_no_more_than_the_cap_in_a_week() -> None:
    """Reminded on evenings, and active afterwards so that the streak goes on."""
    home, most = with_streak(), catalogue().limits.per_week
    reminded = []
    for day in range(9):
        reminded.append(sent(home, day, 19))
        home.acts("ann", instant(MONDAY + day, 20))
        home.settle(instant(MONDAY + day, 21))
    assert reminded[:7] == [1] * most + [0] * (7 - most)
    assert reminded[7] == 1, "a week after the first there is room again"
    assert len({send["id"] for send in home.sends()}) == len(home.sends())


@pytest.mark.parametrize(
    ("hours", "at_once", "later"),
    [
        (("22:00", "07:00"), 1, 0),
        (("17:00", "07:00"), 0, 0),
        (("12:00", "19:00"), 0, 1),
        (("18:00", "18:01"), 0, 1),
        (("18:01", "07:00"), 1, 0),
    ],
)
def test_quiet_hours_are_waited_for(hours: tuple[str, str], at_once: int, later: int) -> None:
    home = with_streak(quietHours={"from": hours[0], "to": hours[1]})
    assert sent(home, 0, EVENING) == at_once
    assert sent(home, 0, 23) == later
    assert sent(home, 0, 23.5) == 0


def test_an_evening_over_a_clock_change() -> None:
    """Berlin's clocks are put back in the night before: 18:00 comes an hour later in UTC than the day before."""
    home, zone = Home("Europe/Berlin"), "Europe/Berlin"
    for day in range(20_020, 20_023):
        home.acts("ann", instant(day, 12, zone))
        home.settle(instant(day, 13, zone))
    six_ms = instant(20_022, 18, zone) + 25 * HOUR_MS
    home.settle(six_ms - 1)
    assert home.sends() == []
    home.settle(six_ms)
    assert [send["day"] for send in home.sends()] == [20_023]


def test_an_erased_learner_is_not_reminded_though_it_was_resolved() -> None:
    home = with_streak()
    home.settle(instant(MONDAY, 1))
    message = home.learners.resolve("remind", instant(MONDAY, 19))
    assert message.body["sends"]
    home.do("erase", "ann", "hash", instant(MONDAY, 18))
    answer = home.learners.fold(99, message)
    assert answer.body == {"receipts": 0}
