"""Local days against zoneinfo on the same pinned data, and the days on which clocks do odd things."""

from __future__ import annotations

import importlib.resources
import itertools
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import calendar
from engine.calendar import NO_ZONE, ZoneHistory, date_of, day_number, local, local_days, to_utc_ms, zone
from engine.errors import InputError

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Apia",
    "Africa/Casablanca", "Asia/Kolkata", "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Monrovia", "Asia/Gaza",
    "America/Noronha", "Pacific/Chatham", "Europe/Dublin", "Antarctica/Troll", "America/Argentina/Tucuman",
]  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_MS = int((datetime(2100, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 1000
INSTANTS = st.integers(0, END_MS - 1)


@cache
def _rules(name: str) -> ZoneInfo:
    path = importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _at(name: str, ms: int) -> datetime:
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(_rules(name))


def _ms(*utc: int) -> int:
    return int((datetime(*utc, tzinfo=UTC) - EPOCH).total_seconds()) * 1000  # type: ignore[misc, arg-type]  # a date's parts


def _local(name: str, *utc: int) -> tuple[date, int]:
    day, minute = local(np.array([_ms(*utc)]), zone(name))
    return date_of(day[0]), int(minute[0])


@given(st.sampled_from(ZONES), st.lists(INSTANTS, min_size=1, max_size=50))
def test_local_against_zoneinfo(name: str, instants: list[int]) -> None:
    days, minutes = local(np.array(instants), zone(name))
    assert days.dtype == np.int32 and minutes.dtype == np.int16
    for ms, day, minute in zip(instants, days, minutes, strict=True):
        there = _at(name, ms)
        assert (date_of(day), minute) == (there.date(), there.hour * 60 + there.minute)


@pytest.mark.parametrize("name", ZONES)
def test_local_at_every_transition_and_the_second_before(name: str) -> None:
    table = zone(name)
    assert np.all(np.diff(table.starts_ms) > 0)
    assert np.all(np.diff(table.offsets_ms) != 0)
    for ms in [int(start) + edge for start in table.starts_ms[1:] for edge in (-1, 0)]:
        days, minutes = local(np.array([ms]), table)
        there = _at(name, ms)
        assert (date_of(days[0]), minutes[0]) == (there.date(), there.hour * 60 + there.minute)


@pytest.mark.parametrize("name", ["America/Noronha", "Asia/Gaza", "America/Argentina/Tucuman", "Africa/Casablanca"])
def test_no_short_stay_is_overlooked(name: str) -> None:
    """The zones with the shortest stays at an offset, looked at every six hours."""
    table, step_ms = zone(name), 6 * 3_600_000
    grid = np.arange(0, END_MS, step_ms)
    offsets = [int(_at(name, int(ms)).utcoffset().total_seconds()) * 1000 for ms in grid]  # type: ignore[union-attr]  # aware
    changes = [int(ms) for ms, (a, b) in zip(grid[1:], itertools.pairwise(offsets), strict=True) if a != b]
    assert len(changes) == len(table.starts_ms) - 1
    assert all(0 <= change - start < step_ms for change, start in zip(changes, table.starts_ms[1:], strict=True))
    assert np.diff(table.starts_ms[1:]).min() >= 6.9 * calendar.MS_PER_DAY


def test_the_first_and_last_offset_hold_beyond_the_table() -> None:
    assert _local("Asia/Kolkata", 1969, 12, 31, 20, 0) == (date(1970, 1, 1), 90)
    assert _local("Asia/Kolkata", 2150, 6, 1, 20, 0) == (date(2150, 6, 2), 90)


@given(st.sampled_from(ZONES), st.integers(1, 47_480), st.integers(0, 1439))
@example("Europe/Berlin", day_number(date(2026, 3, 29)), 150)
@example("Europe/Berlin", day_number(date(2026, 10, 25)), 150)
@example("Pacific/Apia", day_number(date(2011, 12, 30)), 600)
@example("Australia/Lord_Howe", day_number(date(2026, 10, 4)), 135)
def test_to_utc_against_zoneinfo(name: str, day: int, minute: int) -> None:
    when = date_of(day)
    wall = datetime(when.year, when.month, when.day, minute // 60, minute % 60, tzinfo=_rules(name))  # fold = 0
    expected = int((wall.astimezone(UTC) - EPOCH).total_seconds()) * 1000
    assert to_utc_ms(np.array([day]), np.array([minute]), zone(name)).tolist() == [expected]


@given(st.sampled_from(ZONES), INSTANTS)
def test_round_trip(name: str, ms: int) -> None:
    table = zone(name)
    day, minute = local(np.array([ms]), table)
    back = to_utc_ms(day, minute, table)
    assert [part.tolist() for part in local(back, table)] == [day.tolist(), minute.tolist()]
    assert back[0] <= ms  # the first occurrence, and the beginning of the minute
    repeated = _at(name, ms).fold == 1
    assert repeated or ms - back[0] < calendar.MS_PER_MINUTE


@pytest.mark.parametrize(
    ("name", "before", "after", "minutes"),
    [
        ("Europe/Berlin", (2026, 3, 29, 0, 59), (2026, 3, 29, 1, 0), (119, 180)),
        ("Europe/Berlin", (2026, 10, 25, 0, 59), (2026, 10, 25, 1, 0), (179, 120)),
        ("America/New_York", (2026, 3, 8, 6, 59), (2026, 3, 8, 7, 0), (119, 180)),
        ("America/New_York", (2026, 11, 1, 5, 59), (2026, 11, 1, 6, 0), (119, 60)),
        ("Australia/Lord_Howe", (2026, 4, 4, 14, 59), (2026, 4, 4, 15, 0), (119, 90)),  # half an hour
        ("Australia/Lord_Howe", (2026, 10, 3, 15, 29), (2026, 10, 3, 15, 30), (119, 150)),
    ],
)
def test_clocks_put_forward_and_back(
    name: str, before: tuple[int, ...], after: tuple[int, ...], minutes: tuple[int, int]
) -> None:
    (day_before, minute_before), (day_after, minute_after) = _local(name, *before), _local(name, *after)
    assert (minute_before, minute_after) == minutes
    assert day_before == day_after  # the change falls inside one local day


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23.0),
        ("Europe/Berlin", date(2026, 10, 25), 25.0),
        ("America/New_York", date(2026, 3, 8), 23.0),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Europe/Berlin", date(2028, 2, 29), 24.0),
        ("Pacific/Apia", date(2011, 12, 29), 24.0),
    ],
)
def test_length_of_a_local_day(name: str, day: date, hours: float) -> None:
    number = day_number(day)
    start, end = to_utc_ms(np.array([number, number + 1]), np.zeros(2), zone(name))
    assert (end - start) / 3_600_000 == hours


def test_a_midnight_that_does_not_exist_begins_at_one() -> None:
    day = day_number(date(2018, 11, 4))  # Sao Paulo put its clocks forward at midnight
    start = to_utc_ms(np.array([day]), np.array([0]), zone("America/Sao_Paulo"))
    assert start.tolist() == [_ms(2018, 11, 4, 3, 0)]
    assert _local("America/Sao_Paulo", 2018, 11, 4, 3, 0) == (date(2018, 11, 4), 60)


def test_apia_left_out_a_day() -> None:
    assert _local("Pacific/Apia", 2011, 12, 30, 9, 59) == (date(2011, 12, 29), 1439)
    assert _local("Pacific/Apia", 2011, 12, 30, 10, 0) == (date(2011, 12, 31), 0)
    missing = to_utc_ms(np.array([day_number(date(2011, 12, 30))]), np.array([600]), zone("Pacific/Apia"))
    assert [part[0] for part in local(missing, zone("Pacific/Apia"))] == [day_number(date(2011, 12, 31)), 600]


def test_kiritimati_and_pago_pago_are_a_day_apart() -> None:
    assert _local("Pacific/Kiritimati", 2026, 1, 1, 10, 30) == (date(2026, 1, 2), 30)
    assert _local("Pacific/Pago_Pago", 2026, 1, 1, 10, 30) == (date(2025, 12, 31), 1410)


def test_casablanca_goes_back_for_ramadan() -> None:
    assert _local("Africa/Casablanca", 2025, 2, 1, 12, 0)[1] == 13 * 60
    assert _local("Africa/Casablanca", 2025, 3, 10, 12, 0)[1] == 12 * 60  # Ramadan 2025: 1 to 29 March
    assert _local("Africa/Casablanca", 2025, 5, 1, 12, 0)[1] == 13 * 60


def test_year_boundary_and_leap_day() -> None:
    assert _local("Europe/Berlin", 2025, 12, 31, 22, 59) == (date(2025, 12, 31), 1439)
    assert _local("Europe/Berlin", 2025, 12, 31, 23, 0) == (date(2026, 1, 1), 0)
    assert _local("America/New_York", 2028, 3, 1, 4, 59) == (date(2028, 2, 29), 1439)
    assert day_number(date(2028, 3, 1)) - day_number(date(2028, 2, 28)) == 2


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_days_weekdays_and_weeks(when: date) -> None:
    day = day_number(when)
    assert date_of(day) == when and day == (when - date(1970, 1, 1)).days
    assert calendar.weekday(day) == when.weekday()
    monday = date_of(calendar.week_start(day))
    assert monday.isocalendar() == (*when.isocalendar()[:2], 1)
    assert calendar.week_starts(np.array([day])).tolist() == [calendar.week_start(day)]


def test_the_epoch_was_a_thursday() -> None:
    assert day_number(date(1970, 1, 1)) == 0 and calendar.weekday(0) == 3


@given(st.lists(st.tuples(INSTANTS, st.integers(0, len(ZONES) - 1)), max_size=60))
def test_a_batch_of_mixed_zones(rows: list[tuple[int, int]]) -> None:
    instants, codes = np.array(rows, np.int64).reshape(-1, 2).T
    days, minutes = local_days(instants, codes, [zone(name) for name in ZONES])
    for ms, code, day, minute in zip(instants, codes, days, minutes, strict=True):
        there = _at(ZONES[code], int(ms))
        assert (date_of(day), minute) == (there.date(), there.hour * 60 + there.minute)


@pytest.mark.parametrize("code", [-1, 2])
def test_a_code_without_a_table_is_refused(code: int) -> None:
    with pytest.raises(InputError, match=f"got {code}"):
        local_days(np.array([0]), np.array([code]), [zone("UTC"), zone("Asia/Kolkata")])


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Europe/Berln", "Did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "Did you mean 'Europe/Berlin'?"),
        ("", "Use a name such as 'Europe/Berlin' or 'UTC'."),
        ("../../etc/passwd", "Use a name such as"),
    ],
)
def test_an_unknown_zone_is_named_with_a_remedy(name: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        zone(name)
    assert repr(name) in str(caught.value) and remedy in str(caught.value)


def test_zones_are_the_pinned_ones_and_built_once() -> None:
    assert zone("Europe/Berlin") is zone("Europe/Berlin")
    assert len(calendar.zone_names()) > 500
    assert calendar.TZDATA_VERSION[:2] == "20"


CHANGES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30), st.integers(0, 9)), max_size=25)
ASKED = st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 31), st.integers(NO_ZONE, 9)), max_size=40)


@given(CHANGES, CHANGES, ASKED)
def test_zone_history_against_reading_the_changes(
    early: list[tuple[int, int, int]], more: list[tuple[int, int, int]], asked: list[tuple[int, int, int]]
) -> None:
    def columns(rows: list[tuple[int, int, int]]) -> np.ndarray:
        return np.array(rows, np.int64).reshape(-1, 3).T

    def expected(learner: int, at: int, own: int) -> int:
        mine = sorted((change for change in early + more if change[0] == learner), key=lambda change: change[1])
        in_force = [code for _, since, code in mine if since <= at] or [code for _, _, code in mine[:1]]
        return own if own != NO_ZONE else (in_force[-1] if in_force else 77)

    history = ZoneHistory(*columns(early), default=77).changed(*columns(more))
    assert history.codes_at(*columns(asked)).tolist() == [expected(*row) for row in asked]


def test_travel_takes_effect_from_its_instant_on() -> None:
    moved = _ms(2026, 5, 10, 12, 0)
    history = ZoneHistory(np.array([4]), np.array([0]), np.array([1]), default=0)
    history = history.changed(np.array([4]), np.array([moved]), np.array([2]))
    instants, none = np.array([moved - 1, moved, moved]), np.array([NO_ZONE, NO_ZONE, 3])
    assert history.codes_at(np.array([4, 4, 4]), instants, none).tolist() == [1, 2, 3]
