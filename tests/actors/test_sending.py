"""Sending: at the learner's own best hour, once, within all limits, and only to those who still may and want it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.sending import OPERATOR
from engine.experiments.campaigns import Campaign, standard
from engine.notifications.catalogue import EVENING_MINUTE, catalogue
from tests.actors.homes import MONDAY, Home, instant, same

TYPE = "streak_warning"
NEEDED = catalogue().types[TYPE].from_streak
EVENING = EVENING_MINUTE / 60
BEST = 21.0
"""The hour of the evening that suits who has always come at noon and whom others' habits say to come late."""


def campaign(name: str, policy: str, priority: int = 10, **entries: Any) -> Campaign:
    """Return a campaign of one arm."""
    return Campaign.model_validate(
        {"id": name, "priority": priority, "arms": [{"id": "all", "policy": policy, "share": 1.0}], **entries}
    )


def blast(name: str, kind: str, priority: int = 10, **entries: Any) -> Campaign:
    """Return a campaign that wants to send everybody one type."""
    arms = [{"id": "all", "policy": "blast", "params": {"kinds": [kind]}, "share": 1.0}]
    return campaign(name, "blast", priority, arms=arms, **entries)


def with_streak(
    days: int = NEEDED, zone: str | None = None, campaigns: tuple[Campaign, ...] = standard("none"), **profile: Any
) -> Home:
    """Return the home of a learner with a streak that ended yesterday, on day 0 of the story."""
    home = Home(campaigns=campaigns)
    home.do("profile", "ann", {"timezone": zone, **profile}, 0)
    for day in range(-days, 0):
        home.settle(instant(MONDAY + day, 0.1, zone or "UTC"))
        home.acts("ann", instant(MONDAY + day, 12, zone or "UTC"))
        home.settle(instant(MONDAY + day, 13, zone or "UTC"))
    return home


def sent(home: Home, day: int, hour: float, zone: str = "UTC") -> int:
    """Let the clock show an hour of a day of the story; return how much is sent then."""
    before = len(home.sends())
    home.settle(instant(MONDAY + day, hour, zone))
    return len(home.sends()) - before


def withheld(home: Home) -> list[str]:
    """Return why sends were withheld so far."""
    return [row[-1] for message in home.said("send") for row in message.body["withheld"]]


def test_a_warning_comes_at_the_best_hour_of_the_evening_and_once() -> None:
    home = with_streak()
    hours = [1, 8, 12, EVENING, BEST - 1 / 60, BEST, BEST + 0.5, 23.5]
    assert [sent(home, 0, hour) for hour in hours] == [0, 0, 0, 0, 0, 1, 0, 0]
    send = home.sends()[0]
    assert send["id"] == f"ann/{TYPE}/{MONDAY}" and send["learner"] == "ann" and send["type"] == TYPE
    assert (send["campaign"], send["arm"], send["day"]) == ("streaks", "all", MONDAY)
    assert set(send["channels"]) <= {"email", "push", "in_app", "sms"} and send["channels"]
    assert send["expires_ms"] == instant(MONDAY + 1, 0)
    record = home.record("ann")
    assert record["sent_day"] == MONDAY and record["sent_counts"][catalogue().code(TYPE)] == 1
    same(home.learners, home.replayed())
    same(home.learners, home.restored())


def test_a_service_that_was_away_finds_another_moment_that_evening_or_none() -> None:
    late, too_late = with_streak(), with_streak()
    assert sent(late, 0, 1) == sent(too_late, 0, 1) == 0
    assert sent(late, 0, 23.9) == 1
    assert sent(too_late, 1, 1) == 0, "the day is over, and with it the streak"
    assert too_late.record("ann")["view"]["streak"] == 0
    assert withheld(too_late) == ["not eligible any more"] or withheld(too_late) == ["too late"]


def test_after_a_restart_nobody_is_sent_anything_twice() -> None:
    home = with_streak()
    assert sent(home, 0, 1) == 0 and sent(home, 0, BEST) == 1
    for again in (home.replayed(), home.restored()):
        while again.rescore()[1]:
            pass
        assert again.due(instant(MONDAY, 21)) == []


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Pacific/Kiritimati", "Australia/Lord_Howe"])
def test_the_evening_is_the_learners_own(zone: str) -> None:
    home = with_streak(zone=zone)
    assert [sent(home, 0, hour, zone) for hour in (1, BEST - 0.1, BEST)] == [0, 0, 1]
    assert home.sends()[0]["day"] == MONDAY


def test_who_was_active_today_is_left_alone() -> None:
    home = with_streak()
    sent(home, 0, 1)
    home.acts("ann", instant(MONDAY, 17))
    assert sent(home, 0, BEST) == 0
    assert withheld(home)[-1] == "active today"


def test_who_comes_in_the_evening_after_all_has_been_warned_and_is_not_again() -> None:
    home = with_streak()
    sent(home, 0, 1)
    assert sent(home, 0, BEST) == 1
    home.acts("ann", instant(MONDAY, BEST + 0.5))
    assert sent(home, 0, 22) == 0
    assert sent(home, 1, 1) == 0 and sent(home, 1, 23) == 1, "tomorrow is another evening"


@pytest.mark.parametrize(("days", "expected"), [(1, 0), (NEEDED - 1, 0), (NEEDED, 1), (NEEDED + 4, 1)])
def test_a_streak_has_to_be_worth_it(days: int, expected: int) -> None:
    home = with_streak(days)
    sent(home, 0, 1)
    assert sent(home, 0, 23.5) == expected


NOBODY = {"email": False, "push": False, "in_app": False, "sms": False}


@pytest.mark.parametrize("consents", [{"email": False, "push": False}, NOBODY])
def test_only_channels_that_are_allowed(consents: dict[str, bool]) -> None:
    home = with_streak(consents=consents)
    sent(home, 0, 1)
    assert sent(home, 0, 23) == (consents != NOBODY)
    for send in home.sends():
        assert not {name for name, allowed in consents.items() if not allowed} & set(send["channels"])


def test_consent_that_is_withdrawn_between_decision_and_sending_counts() -> None:
    home = with_streak()
    assert sent(home, 0, 1) == 0
    home.do("profile", "ann", {"consents": NOBODY}, instant(MONDAY, 15))
    assert sent(home, 0, BEST) == 0
    assert withheld(home)[-1] == "no channel consent"


def test_no_more_than_the_cap_in_a_week() -> None:
    """Warned on evenings, and active afterwards so that the streak goes on."""
    home, most = with_streak(), catalogue().limits.per_week
    warned = []
    for day in range(9):
        sent(home, day, 1)
        warned.append(sent(home, day, 22))
        home.acts("ann", instant(MONDAY + day, 22.5))
    assert warned[:7] == [1] * most + [0] * (7 - most)
    assert warned[7] == 1, "a week after the first there is room again"
    assert len({send["id"] for send in home.sends()}) == len(home.sends())


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (("22:00", "07:00"), [0, 0, 1, 0, 0]),
        (("21:00", "07:00"), [0, 1, 0, 0, 0]),
        (("17:00", "07:00"), [0, 0, 0, 0, 0]),
        (("19:00", "22:00"), [0, 0, 0, 1, 0]),
        (("18:00", "23:00"), [0, 0, 0, 0, 1]),
        (("18:01", "07:00"), [1, 0, 0, 0, 0]),
    ],
)
def test_quiet_hours_are_kept(hours: tuple[str, str], expected: list[int]) -> None:
    home = with_streak(quietHours={"from": hours[0], "to": hours[1]})
    sent(home, 0, 1)
    found = [sent(home, 0, hour) for hour in (EVENING, 20, BEST, 22, 23)]
    assert found == expected


def test_quiet_hours_that_are_set_after_the_decision_move_it() -> None:
    home = with_streak()
    sent(home, 0, 1)
    home.do("profile", "ann", {"quietHours": {"from": "19:30", "to": "21:30"}}, instant(MONDAY, 15))
    assert [sent(home, 0, hour) for hour in (BEST, 21.4, 21.5)] == [0, 0, 1]


def test_an_evening_over_a_clock_change() -> None:
    """Berlin's clocks are put back in the night before: the evening comes an hour later in UTC than the day before."""
    home, zone = Home("Europe/Berlin"), "Europe/Berlin"
    for day in range(20_386, 20_389):
        home.acts("ann", instant(day, 12, zone))
        home.settle(instant(day, 13, zone))
    home.settle(instant(20_389, 1, zone))
    home.settle(instant(20_389, BEST, zone) - 1)
    assert home.sends() == []
    home.settle(instant(20_389, BEST, zone))
    assert [send["day"] for send in home.sends()] == [20_389]


def test_of_three_campaigns_the_first_is_sent_and_the_cap_holds() -> None:
    three = (
        blast("news", "personalised_content", 5),
        blast("peers", "peer_comparison", 50),
        blast("offers", "discount_offer", 90),
    )
    home = with_streak(campaigns=three)
    for day in range(7):
        for hour in (0.1, 12, 23.9):
            sent(home, day, hour)
    days = [send["day"] for send in home.sends()]
    assert len(days) == len(set(days)) == catalogue().limits.per_week
    assert home.sends()[0]["campaign"] == "peers", "nobody is silent for long enough to be offered a discount"
    same(home.learners, home.replayed())


def test_a_celebration_says_what_is_celebrated() -> None:
    home = with_streak(7, campaigns=standard("none"))
    sent(home, 0, 0.5)
    sent(home, 0, 23)
    send = next(send for send in home.sends() if send["campaign"] == "celebrations")
    assert send["type"] in {"achievement_unlocked", "milestone_celebration"}
    assert send["facts"]["milestone_days"] == 7 and send["facts"]["achievement"] >= 0


def test_a_campaigns_facts_travel_with_it() -> None:
    offer = blast("offers", "discount_offer", facts={"price": "8 EUR", "discount_percent": 20})
    home = with_streak(campaigns=(offer,))
    for day in range(4):
        for hour in (1, 23):
            sent(home, day, hour)
    assert home.sends()[0]["facts"].items() >= {"price": "8 EUR", "discount_percent": 20}.items()


def test_outreach_goes_to_people() -> None:
    home = with_streak(campaigns=(blast("calls", "human_outreach"),))
    for day in range(2):
        for hour in (1, 23):
            sent(home, day, hour)
    assert [send["channels"] for send in home.sends()] == [[OPERATOR]]


@pytest.mark.parametrize(
    ("before", "after", "said", "reached"),
    [(60, 85, True, True), (60, 85, None, False), (60, 85, False, False), (70, 85, True, False), (40, 79, True, False)],
)
def test_sms_is_for_emergencies_of_who_said_yes(before: float, after: float, said: bool | None, reached: bool) -> None:
    """Critical, up by 20 points within a day, and a consent that was given and not merely not withdrawn."""
    consents = {} if said is None else {"sms": said}
    home = with_streak(campaigns=(blast("news", "personalised_content"),), consents=consents)
    home.scorer.risk = before
    home.do("profile", "ann", {"displayName": "Ann"}, instant(MONDAY - 1, 14))  # scores anew
    sent(home, 0, 0.1)
    home.scorer.risk = after
    sent(home, 1, 0.1)
    sent(home, 1, 23)
    (today,) = (send for send in home.sends() if send["day"] == MONDAY + 1)
    assert ("sms" in today["channels"]) == reached
    assert ("email" in today["channels"]) == (after >= 80)


def test_who_moves_east_is_sent_on_the_new_clock() -> None:
    home = with_streak()
    sent(home, 0, 1)
    home.do("profile", "ann", {"timezone": "Asia/Tokyo"}, instant(MONDAY, 2))  # where it is 11:00
    assert sent(home, 0, BEST) == 0, "05:00 of the next day there"


def test_an_erased_learner_is_sent_nothing_though_it_was_resolved() -> None:
    home = with_streak()
    home.settle(instant(MONDAY, 1))
    message = home.learners.resolve("send", instant(MONDAY, BEST))
    assert message.body["sends"]
    home.do("erase", "ann", "hash", instant(MONDAY, 18))
    answer = home.learners.fold(99, message)
    assert answer.body == {"receipts": 0}
    assert not len(home.learners.agenda.placed)


@pytest.mark.parametrize(("away_days", "told"), [(0, [7]), (1, []), (9, [])])
def test_what_happened_while_the_service_was_away_is_not_celebrated_later(away_days: int, told: list[int]) -> None:
    home = with_streak(7)
    before = len(home.sends())
    for hour in (0.5, 12, BEST):
        home.settle(instant(MONDAY + away_days, hour))
    found = home.sends()[before:]
    assert [send["facts"]["milestone_days"] for send in found if "milestone_days" in send["facts"]] == told
    assert "milestone_celebration" not in {send["type"] for send in found[1:]}
