"""Placing as a learner meets it: best hours, nights, streaks about to be lost, and days on which clocks are changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pytest

from engine.calendar import MS_PER_MINUTE, day_number, to_utc_ms, zone
from engine.errors import InputError
from engine.notifications.catalogue import EVENING_MINUTE, catalogue
from engine.notifications.placing import (
    Attention,
    Candidate,
    Dropped,
    Fate,
    Placed,
    place,
    sends_by_hour,
)
from engine.notifications.quiet_hours import MINUTES, quiet_minutes
from engine.record import NOTIFICATION_TYPES

APIA_LEAVES_OUT = day_number(date(2011, 12, 30))
SPRING, AUTUMN = day_number(date(2026, 3, 29)), day_number(date(2026, 10, 25))  # in Berlin
DAY = day_number(date(2026, 6, 3))
LONG_AGO = -(10**15)
NIGHT = {"from": "22:00", "to": "07:00"}


def at(hour: float) -> int:
    return round(hour * 60)


def attention(
    best: int = 10, quiet: dict[str, str] | None = None, today: int = 1, week: int = 3, **other: Any
) -> Attention:
    """Return a learner whose scores fall with the distance from a best hour."""
    scores = np.roll([-float(min(hour, 24 - hour)) for hour in range(24)], best)
    rested = np.full(NOTIFICATION_TYPES, 255, np.uint8)
    for name, days in other.pop("rested", {}).items():
        rested[catalogue().code(name)] = days
    return Attention(scores, quiet_minutes(quiet), other.pop("consent", 15), rested, today, week)


def wish(name: str, kind: str = "gentle_reminder", priority: int = 0, **other: int) -> Candidate:
    return Candidate(name, kind, priority, other.pop("channels", 15), **other)


def told(fates: Sequence[Fate]) -> dict[str, int | str]:
    """Return the minute or the reason, by id."""
    return {each.candidate.id: each.minute if isinstance(each, Placed) else each.reason for each in fates}


def placed(
    *wishes: Candidate, to: Attention, day: int = DAY, name: str = "Europe/Berlin", now: int = LONG_AGO
) -> dict[str, int | str]:
    return told(place(wishes, to, day, zone(name), now))


def test_the_best_hour_is_taken_and_the_next_best_where_it_is_quiet() -> None:
    assert placed(wish("a"), to=attention(best=10)) == {"a": at(10)}
    assert placed(wish("a"), to=attention(best=23, quiet=NIGHT)) == {"a": at(21)}
    assert placed(wish("a"), to=attention(best=3, quiet=NIGHT)) == {"a": at(7)}
    assert placed(wish("a"), to=attention(best=22, quiet={"from": "21:30", "to": "22:30"})) == {"a": at(22.5)}


def test_minutes_that_have_gone_are_not_used() -> None:
    now = int(to_utc_ms(np.array([DAY]), np.array([at(10.5)]), zone("Europe/Berlin"))[0])
    assert placed(wish("a"), to=attention(best=10), now=now) == {"a": at(10.5)}
    assert placed(wish("a"), to=attention(best=10), now=now + 1) == {"a": at(10.5) + 1}
    assert placed(wish("a", latest_minute=at(10.5)), to=attention(), now=now + 1) == {"a": "too late"}
    assert placed(wish("a", "streak_warning"), to=attention(), now=now) == {"a": EVENING_MINUTE}


def test_nothing_is_carried_over_to_another_day() -> None:
    last = int(to_utc_ms(np.array([DAY]), np.array([MINUTES - 1]), zone("Europe/Berlin"))[0])
    assert placed(wish("a"), to=attention(), now=last) == {"a": MINUTES - 1}
    assert placed(wish("a"), to=attention(), now=last + 1) == {"a": "too late"}


def test_a_streak_warning_waits_for_the_evening_and_makes_room_where_it_has_none() -> None:
    both = wish("w", "streak_warning", 2), wish("g", "gentle_reminder", 1)
    assert placed(*both, to=attention(best=10)) == {"w": EVENING_MINUTE, "g": "daily cap"}
    assert placed(*both, to=attention(best=21)) == {"w": at(21), "g": "daily cap"}
    from_tea_on = {"from": "17:00", "to": "07:00"}
    assert placed(*both, to=attention(best=20, quiet=from_tea_on)) == {"w": "quiet hours", "g": at(16)}
    early = wish("w", "streak_warning", 2, latest_minute=at(12))
    assert placed(early, both[1], to=attention(best=10)) == {"w": "no such time", "g": at(10)}


def test_reasons() -> None:
    def why(one: Candidate, **other: Any) -> int | str:
        return placed(one, to=attention(**other))["a"]

    assert why(wish("a", channels=8), consent=7) == "no channel consent"
    assert why(wish("a"), rested={"gentle_reminder": 1}) == "cool-down"
    assert why(wish("a"), rested={"gentle_reminder": 2}) == at(10)
    assert why(wish("a"), today=0) == "daily cap"
    assert why(wish("a"), today=0, week=0) == "weekly cap"
    assert why(wish("a", latest_minute=at(6)), quiet=NIGHT, today=0, week=0) == "quiet hours"
    twice = wish("a", priority=1), wish("b")
    assert placed(*twice, to=attention(today=2)) == {"a": at(10), "b": "cool-down"}


def test_equal_priorities_go_by_id() -> None:
    one, other = wish("a", "peer_comparison"), wish("b", "discount_offer")
    assert placed(other, one, to=attention()) == {"a": at(10), "b": "daily cap"}


def test_a_minute_that_the_clock_skips_is_no_time() -> None:
    half_past_two = wish("a", earliest_minute=at(2), latest_minute=at(3) - 1)
    assert placed(half_past_two, to=attention(best=2), day=SPRING) == {"a": "no such time"}
    assert placed(half_past_two, to=attention(best=2), day=SPRING - 1) == {"a": at(2)}
    until_three = wish("a", earliest_minute=at(2), latest_minute=at(3))
    assert placed(until_three, to=attention(best=2), day=SPRING) == {"a": at(3)}


def test_an_hour_that_the_clock_shows_twice_is_used_twice() -> None:
    berlin, half_past_two = zone("Europe/Berlin"), wish("a", earliest_minute=at(2.5), latest_minute=at(2.5))
    first = int(to_utc_ms(np.array([AUTUMN]), np.array([at(2.5)]), berlin)[0])
    for now, expected in [(LONG_AGO, first), (first, first), (first + 1, first + 60 * MS_PER_MINUTE)]:
        assert place([half_past_two], attention(), AUTUMN, berlin, now) == [Placed(half_past_two, at(2.5), expected)]
    late = first + 60 * MS_PER_MINUTE + 1
    assert place([half_past_two], attention(), AUTUMN, berlin, late) == [Dropped(half_past_two, "too late")]


def test_a_day_that_a_zone_left_out_has_no_sends() -> None:
    for day, expected in [
        (APIA_LEAVES_OUT - 1, at(10)),
        (APIA_LEAVES_OUT, "no such time"),
        (APIA_LEAVES_OUT + 1, at(10)),
    ]:
        assert placed(wish("a"), to=attention(), day=day, name="Pacific/Apia") == {"a": expected}


def test_a_send_is_at_the_beginning_of_its_minute_where_offsets_have_seconds() -> None:
    monrovia, one = zone("Africa/Monrovia"), wish("a")  # 44 minutes and 30 seconds behind UTC until 1972
    begins = int(to_utc_ms(np.array([700]), np.array([at(10)]), monrovia)[0])
    for now, late_minutes in [(LONG_AGO, 0), (begins, 0), (begins + 1, 1)]:
        expected = Placed(one, at(10) + late_minutes, begins + late_minutes * MS_PER_MINUTE)
        assert place([one], attention(), 700, monrovia, now) == [expected]


def test_a_day_may_come_from_a_record() -> None:
    day: Any = np.int32(DAY + 77)  # asked for by no other test: clocks are kept
    assert placed(wish("a"), to=attention(), day=day) == {"a": at(10)}


def test_a_preview_counts_sends_by_type_and_hour() -> None:
    fates = place([wish("a"), wish("w", "streak_warning"), wish("b")], attention(today=3), DAY, zone("UTC"), LONG_AGO)
    counts = sends_by_hour(fates)
    assert tuple(counts) == catalogue().names
    assert counts["gentle_reminder"][10] == counts["streak_warning"][18] == 1
    assert sum(map(sum, counts.values())) == 2


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="'a' twice"):
        placed(wish("a"), wish("a", "peer_comparison"), to=attention())
    with pytest.raises(InputError, match="Did you mean 'gentle_reminder'"):
        wish("a", "gentle_remindr")
    for window in [(-1, 5), (5, 4), (0, MINUTES)]:
        with pytest.raises(InputError, match="candidate 'a'"):
            wish("a", earliest_minute=window[0], latest_minute=window[1])
    rested, hours, quiet = np.zeros(16, np.uint8), np.zeros(24), quiet_minutes(None)
    for arguments in [
        (np.zeros(23), quiet, 15, rested, 1, 1),
        (np.full(24, np.nan), quiet, 15, rested, 1, 1),
        (hours, quiet[1:], 15, rested, 1, 1),
        (hours, quiet, 15, rested[:7], 1, 1),
        (hours, quiet, 15, rested, -1, 1),
        (hours, quiet, 15, rested, 1, -1),
    ]:
        with pytest.raises(InputError):
            Attention(*arguments)
