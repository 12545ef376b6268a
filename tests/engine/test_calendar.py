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
MILLISECOND = timedelta(milliseconds=1)
END_MS = (datetime(2100, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
INSTANTS = st.integers(0, END_MS - 1)


@cache
def _rules(name: str) -> ZoneInfo:
    with importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _at(name: str, ms: int) -> datetime:
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(_rules(name))


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
    offsets = [_at(name, int(ms)).utcoffset() for ms in grid]
    changes = [int(ms) for ms, (a, b) in zip(grid[1:], itertools.pairwise(offsets), strict=True) if a != b]
    assert len(changes) == len(table.starts_ms) - 1
    assert all(0 <= change - start < step_ms for change, start in zip(changes, table.starts_ms[1:], strict=True))
    assert np.diff(table.starts_ms[1:]).min() >= 6.9 * calendar.MS_PER_DAY


@given(st.sampled_from(ZONES), st.integers(1, 47_480), st.integers(0, 1439))
@example("Europe/Berlin", day_number(date(2026, 3, 29)), 150)
@example("Europe/Berlin", day_number(date(2026, 10, 25)), 150)
@example("Europe/Berlin", day_number(date(2026, 10, 25)), 180)  # the first minute after the repeated hour
@example("Pacific/Apia", day_number(date(2011, 12, 30)), 600)  # a day that did not exist
@example("Australia/Lord_Howe", day_number(date(2026, 10, 4)), 135)
@example("America/Sao_Paulo", day_number(date(2018, 11, 4)), 0)
def test_to_utc_against_zoneinfo(name: str, day: int, minute: int) -> None:
    when = date_of(day)
    wall = datetime(when.year, when.month, when.day, minute // 60, minute % 60, tzinfo=_rules(name))  # fold = 0
    expected = (wall.astimezone(UTC) - EPOCH) // MILLISECOND
    assert to_utc_ms(np.array([day]), np.array([minute]), zone(name)).tolist() == [expected]


@given(st.sampled_from(ZONES), INSTANTS)
def test_round_trip(name: str, ms: int) -> None:
    table = zone(name)
    day, minute = local(np.array([ms]), table)
    back = to_utc_ms(day, minute, table)
    assert [part.tolist() for part in local(back, table)] == [day.tolist(), minute.tolist()]
    assert back[0] <= ms  # the first occurrence, and the beginning of the minute
    assert _at(name, ms).fold == 1 or ms - back[0] < calendar.MS_PER_MINUTE


_SHOWN = """
Europe/Berlin        2026-03-29 00:59  2026-03-29 01:59   clocks put forward
Europe/Berlin        2026-03-29 01:00  2026-03-29 03:00
Europe/Berlin        2026-10-25 00:59  2026-10-25 02:59   clocks put back
Europe/Berlin        2026-10-25 01:00  2026-10-25 02:00
America/New_York     2026-03-08 06:59  2026-03-08 01:59
America/New_York     2026-03-08 07:00  2026-03-08 03:00
America/New_York     2026-11-01 06:00  2026-11-01 01:00
Australia/Lord_Howe  2026-04-04 14:59  2026-04-05 01:59   by half an hour
Australia/Lord_Howe  2026-04-04 15:00  2026-04-05 01:30
Australia/Lord_Howe  2026-10-03 15:29  2026-10-04 01:59
Australia/Lord_Howe  2026-10-03 15:30  2026-10-04 02:30
America/Sao_Paulo    2018-11-04 03:00  2018-11-04 01:00   a day without midnight
Pacific/Apia         2011-12-30 09:59  2011-12-29 23:59   a day left out
Pacific/Apia         2011-12-30 10:00  2011-12-31 00:00
Pacific/Kiritimati   2026-01-01 10:30  2026-01-02 00:30   two sides of the date line
Pacific/Pago_Pago    2026-01-01 10:30  2025-12-31 23:30
Africa/Casablanca    2025-02-01 12:00  2025-02-01 13:00
Africa/Casablanca    2025-03-10 12:00  2025-03-10 12:00   Ramadan 2025: 1 to 29 March
Europe/Berlin        2025-12-31 22:59  2025-12-31 23:59   year boundary
Europe/Berlin        2025-12-31 23:00  2026-01-01 00:00
America/New_York     2028-03-01 04:59  2028-02-29 23:59   leap day
Asia/Kolkata         1969-12-31 20:00  1970-01-01 01:30   before the table: its first offset
Asia/Kolkata         2150-06-01 20:00  2150-06-02 01:30   after it: its last
"""


@pytest.mark.parametrize("line", _SHOWN.strip().splitlines())
def test_what_clocks_show(line: str) -> None:
    name, utc_day, utc_time, local_day, local_time = line.split()[:5]
    utc = datetime.fromisoformat(f"{utc_day} {utc_time}+00:00")
    day, minute = local(np.array([(utc - EPOCH) // MILLISECOND]), zone(name))
    assert (str(date_of(day[0])), f"{minute[0] // 60:02}:{minute[0] % 60:02}") == (local_day, local_time)


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
@example(date(1970, 1, 1))
def test_days_weekdays_and_weeks(when: date) -> None:
    day = day_number(when)
    assert date_of(day) == when and day == (when - date(1970, 1, 1)).days
    assert calendar.weekday(day) == when.weekday()
    monday = date_of(calendar.week_start(day))
    assert monday.isocalendar() == (*when.isocalendar()[:2], 1)
    assert calendar.week_starts(np.array([day])).tolist() == [calendar.week_start(day)]


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


CHANGES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30), st.integers(0, 9)), max_size=25)
ASKED = st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 31), st.integers(NO_ZONE, 9)), max_size=40)


@given(CHANGES, CHANGES, ASKED)
def test_zone_history_against_reading_the_changes(
    early: list[tuple[int, int, int]], more: list[tuple[int, int, int]], asked: list[tuple[int, int, int]]
) -> None:
    def columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        first, second, third = np.array(rows, np.int64).reshape(-1, 3).T
        return first, second, third

    def expected(learner: int, at: int, own: int) -> int:
        mine = sorted((change for change in early + more if change[0] == learner), key=lambda change: change[1])
        in_force = [code for _, since, code in mine if since <= at] or [code for _, _, code in mine[:1]]
        return own if own != NO_ZONE else (in_force[-1] if in_force else 77)

    history = ZoneHistory(*columns(early), 77).changed(*columns(more))
    assert history.codes_at(*columns(asked)).tolist() == [expected(*row) for row in asked]


def test_travel_takes_effect_from_its_instant_on() -> None:
    moved = 1_778_414_400_000
    history = ZoneHistory(np.array([4]), np.array([0]), np.array([1]), default=0)
    history = history.changed(np.array([4]), np.array([moved]), np.array([2]))
    instants, none = np.array([moved - 1, moved, moved]), np.array([NO_ZONE, NO_ZONE, 3])
    assert history.codes_at(np.array([4, 4, 4]), instants, none).tolist() == [1, 2, 3]
