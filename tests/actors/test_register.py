"""The register: who lives in an actor, and what their clocks show."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.register import Register, UnknownLearnerError
from engine import calendar
from engine.calendar import MS_PER_DAY, NO_ZONE, ZoneHistory
from engine.errors import InputError
from engine.record import NEVER
from tests.actors.homes import HOUR_MS, MONDAY, instant

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Australia/Lord_Howe"]
DEFAULT = ZONES[1]


def register(*learners: str, zone: str = "UTC") -> Register:
    found = Register(zone)
    found.add(list(learners))
    return found


def shown(of: Register, learner: str, at_ms: int, own: str | None = None) -> tuple[int, int]:
    """Return the local day and hour of an event of a learner."""
    rows, _ = of.place([learner])
    day, minute = of.local(rows, np.array([at_ms]), [own])
    return int(day[0]), int(minute[0]) // 60


def test_learners_get_rows_in_order_of_their_first_appearance() -> None:
    found = register("ann", "bob")
    rows, new = found.place(["cyd", "bob", "dan", "cyd"])
    assert (rows.tolist(), new) == ([2, 1, 3, 2], ["cyd", "dan"])
    assert len(found) == 2, "to look is not to move in"
    found.add(new)
    assert [found.row(name) for name in ("ann", "bob", "cyd", "dan")] == [0, 1, 2, 3]
    with pytest.raises(UnknownLearnerError, match="'eve'"):
        found.row("eve")


def test_an_erased_learners_row_is_never_given_again() -> None:
    found = register("ann", "bob")
    found.set_profile(1, {"timezone": "Asia/Tokyo", "displayName": "Bob"}, 0)
    found.remove(1)
    assert found.ids == ["ann", None]
    assert found.profiles == {}
    rows, new = found.place(["bob"])
    assert (rows.tolist(), new) == ([2], ["bob"])
    found.add(new)
    assert shown(found, "bob", instant(MONDAY, 12)) == (MONDAY, 12), "who comes back has no zone"
    found.remove(1)  # again
    assert found.row("bob") == 2


def test_an_events_own_zone_counts_before_the_profiles_and_that_before_the_services() -> None:
    found = register("ann", "bob", zone="Europe/Berlin")
    found.set_profile(0, {"timezone": "Asia/Tokyo"}, 0)
    noon = instant(MONDAY, 12)
    assert shown(found, "ann", noon) == (MONDAY, 21)
    assert shown(found, "ann", noon, "America/New_York") == (MONDAY, 7)
    assert shown(found, "bob", noon) == shown(found, "someone new", noon) == (MONDAY, 13)


def test_a_move_takes_effect_at_its_instant_and_not_for_what_was_before() -> None:
    found = register("ann")
    moves = [("Europe/Berlin", 0), ("Asia/Tokyo", 10), ("Europe/Berlin", 20), ("Europe/Berlin", 25)]
    for zone, day in moves:
        found.set_profile(0, {"timezone": zone}, instant(MONDAY + day))
    hours = [shown(found, "ann", instant(MONDAY + day, 12))[1] for day in (-5, 3, 10, 15, 20, 30)]
    assert hours == [13, 13, 21, 21, 13, 13]
    assert shown(found, "ann", instant(MONDAY + 10) - 1)[1] == 12
    assert len(found.profiles[0]["zones"]) == 3, "a zone that is set again is no move"


def test_a_zone_that_is_taken_out_gives_way_to_the_services_own() -> None:
    for moved in (["Asia/Tokyo"], ["Asia/Tokyo", "America/New_York"]):
        found = register("ann", zone="Europe/Berlin")
        for day, zone in enumerate(moved):
            found.set_profile(0, {"timezone": zone}, instant(MONDAY + day))
        found.set_profile(0, {"timezone": None}, instant(MONDAY + 10))
        now_ms = instant(MONDAY + 11, 12)
        assert shown(found, "ann", now_ms) == (MONDAY + 11, 13)
        assert found.now(now_ms)[1].tolist() == [13 * 60], "the clock and the events of a learner agree"
        assert shown(found, "ann", instant(MONDAY + 9, 12))[1] == (7 if len(moved) > 1 else 21)


def test_an_unknown_zone_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="Europe/Berlin"):
        register("ann").set_profile(0, {"timezone": "Europe/Berlni"}, 0)


def test_a_profile_is_changed_entry_by_entry() -> None:
    found = register("ann")
    found.set_profile(0, {"displayName": "Ann", "anonymous": True, "consents": {"email": False}}, 0)
    found.set_profile(0, {"displayName": None, "locale": "de", "consents": {"push": False}}, 1)
    expected = {"anonymous": True, "locale": "de", "consents": {"email": False, "push": False}}
    assert found.profiles[0] == expected
    found.set_profile(0, {"consents": {"email": True}}, 2)
    assert found.profiles[0]["consents"] == {"email": True, "push": False}


@pytest.mark.parametrize(
    ("day", "hours"),
    [(19_813, [1, 3, 4]), (20_023, [1, 2, 2])],  # 2024-03-31 has no 02:00 in Berlin, 2024-10-27 has two
    ids=["spring", "autumn"],
)
def test_hours_that_clocks_leave_out_or_show_twice(day: int, hours: list[int]) -> None:
    found = register("ann")
    found.set_profile(0, {"timezone": "Europe/Berlin"}, 0)
    first = instant(day, 1, "Europe/Berlin")
    assert [shown(found, "ann", first + hour * HOUR_MS) for hour in range(3)] == [(day, hour) for hour in hours]
    midnight = instant(day + 1, 0, "Europe/Berlin")
    assert found.now(midnight - 1)[0].tolist() == [day] and found.now(midnight)[0].tolist() == [day + 1]


def test_the_days_of_a_close_are_those_of_every_learners_clock() -> None:
    found = register("ann", "bob", "cyd", zone="Pacific/Pago_Pago")
    found.set_profile(0, {"timezone": "Pacific/Kiritimati"}, 0)
    found.set_profile(1, {"timezone": "Europe/Berlin"}, 0)
    now_ms = instant(MONDAY, 10.5)
    by_zone = found.days_at(now_ms)
    assert by_zone == {"": MONDAY - 1, "Pacific/Kiritimati": MONDAY + 1, "Europe/Berlin": MONDAY}
    assert found.days(by_zone).tolist() == [MONDAY + 1, MONDAY, MONDAY - 1]
    assert found.days({"": MONDAY}).tolist() == [NEVER, NEVER, MONDAY], "nobody's day ends by another's clock"


@st.composite
def moves(draw: st.DrawFn) -> list[tuple[int, str | None, int]]:
    """Draw changes of zone: (row, zone, day), in order of time."""
    days = sorted(draw(st.lists(st.integers(0, 400), max_size=10)))
    return [(draw(st.integers(0, 2)), draw(st.sampled_from([*ZONES, None])), day) for day in days]


@settings(max_examples=150)
@given(
    moves(),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 403 * 24), st.sampled_from([*ZONES, None])), min_size=1),
    st.booleans(),
)
def test_local_days_are_those_of_the_zone_history(
    moved: list[tuple[int, str | None, int]], events: list[tuple[int, int, str | None]], restart: bool
) -> None:
    found = register("ann", "bob", "cyd", zone=DEFAULT)
    tables = [calendar.zone(name) for name in ZONES]
    history = ZoneHistory(np.zeros(0, int), np.zeros(0, int), np.zeros(0, int), ZONES.index(DEFAULT))
    present: dict[int, str | None] = {}
    for row, zone, day in moved:
        at_ms = instant(MONDAY + day)
        found.set_profile(row, {"timezone": zone}, at_ms)
        if present.get(row) != zone:
            present[row] = zone
            code = ZONES.index(zone or DEFAULT)
            history = history.changed(np.array([row]), np.array([at_ms]), np.array([code]))
    if restart:
        found = restored(found)
    rows = np.array([row for row, _, _ in events])
    at = np.array([instant(MONDAY, 0) + hour * HOUR_MS for _, hour, _ in events])
    own = np.array([NO_ZONE if zone is None else ZONES.index(zone) for _, _, zone in events])
    expected = calendar.local_days(at, history.codes_at(rows, at, own), tables)
    got = found.local(rows, at, [zone for _, _, zone in events])
    assert [array.tolist() for array in got] == [array.tolist() for array in expected]
    now_ms = instant(MONDAY + 500)
    everyone = np.arange(3)
    later = found.local(everyone, np.full(3, now_ms), [None] * 3)
    assert [array.tolist() for array in found.now(now_ms)] == [array.tolist() for array in later]


def restored(of: Register) -> Register:
    state = of.state()
    assert {name: array.dtype for name, array in state.items()} == {"register": np.dtype("u1")}
    found = Register(DEFAULT)
    found.restore(state)
    assert json.loads(found.state()["register"].tobytes()) == json.loads(state["register"].tobytes())
    return found


def test_a_register_comes_back_as_it_was() -> None:
    names: list[Any] = [f"learner {number}" for number in range(200)]
    before = register(*names, zone=DEFAULT)
    for row in range(0, 200, 3):
        before.set_profile(row, {"timezone": ZONES[row % len(ZONES)], "displayName": f"Ünïcode {row}"}, MS_PER_DAY)
    before.remove(7)
    before.remove(6)
    after = restored(before)
    assert (after.ids, after.rows, after.profiles) == (before.ids, before.rows, before.profiles)
    for now_ms in (instant(MONDAY), instant(MONDAY, 10.5)):
        assert [array.tolist() for array in after.now(now_ms)] == [array.tolist() for array in before.now(now_ms)]
