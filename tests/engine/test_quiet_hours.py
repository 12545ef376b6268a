"""Quiet hours: they may go over midnight, and equal times are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.notifications.quiet_hours import MINUTES, is_quiet, quiet_minutes

TIMES = st.integers(0, MINUTES - 1)


def told(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@pytest.mark.parametrize(
    ("hours", "minutes", "expected"),
    [
        (None, [0, 720, 1439], []),
        (("22:00", "07:00"), [0, 419, 420, 1319, 1320, 1439], [0, 419, 1320, 1439]),
        (("12:30", "14:00"), [749, 750, 839, 840], [750, 839]),
        (("00:00", "06:00"), [0, 359, 360, 1439], [0, 359]),
        (("18:00", "00:00"), [0, 1079, 1080, 1439], [1080, 1439]),
        (("00:00", "23:59"), [0, 1438, 1439], [0, 1438]),
        (("09:00", "09:00"), [0, 539, 540, 541], []),
    ],
)
def test_the_minutes_of_quiet_hours(hours: tuple[str, str] | None, minutes: list[int], expected: list[int]) -> None:
    profile = {"from": hours[0], "to": hours[1]} if hours else None
    quiet = quiet_minutes(profile)
    assert quiet.shape == (MINUTES,) and [minute for minute in minutes if quiet[minute]] == expected
    assert [minute for minute in minutes if is_quiet(profile, minute)] == expected


@given(TIMES, TIMES)
def test_they_run_from_the_first_time_to_the_second_whatever_midnight_is(begin: int, end: int) -> None:
    expected, minute = np.zeros(MINUTES, np.bool_), begin
    while minute != end:
        expected[minute] = True
        minute = (minute + 1) % MINUTES
    assert np.array_equal(quiet_minutes({"from": told(begin), "to": told(end)}), expected)


@given(TIMES, TIMES)
def test_swapped_times_are_the_rest_of_the_day(begin: int, end: int) -> None:
    one = quiet_minutes({"from": told(begin), "to": told(end)})
    other = quiet_minutes({"from": told(end), "to": told(begin)})
    assert not (one & other).any() and (begin == end or (one | other).all())


@pytest.mark.parametrize(
    ("hours", "name"),
    [
        ({"from": "24:00", "to": "07:00"}, "from"),
        ({"from": "22:00", "to": "7:00"}, "to"),
        ({"from": "22:00"}, "to"),
        ({"from": "22:00\n", "to": "07:00"}, "from"),
        ({"from": "22:00", "to": "\u06607:00"}, "to"),
    ],
)
def test_what_is_no_time_is_refused_by_name(hours: dict[str, str], name: str) -> None:
    with pytest.raises(InputError, match=f"quiet hours: {name}.*HH:MM"):
        quiet_minutes(hours)
