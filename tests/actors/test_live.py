"""Live learners: messages resolved once and folded alike ever after, growth, local days, history, erasure, state."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.answers import Answer
from actors.erasure import without
from actors.intake import EventIn, Intake
from actors.live import LiveLearners
from actors.register import UnknownLearnerError
from engine.arrival import VERDICTS
from engine.errors import InputError
from engine.outcomes import KINDS
from engine.record import NEVER, check
from engine.risk.dropoff import STANDINGS
from tests.actors.homes import DAY_MS, HOUR_MS, MONDAY, RULES, Home, event, instant, same

NOT_STARTED = len(RULES.bands) + STANDINGS.index("not_started")


def told(home: Home, *events: EventIn) -> list[str]:
    return [VERDICTS[code] for code in home.send(*events).receipts["verdict"]]


def snapshot(home: Home) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in home.learners.state().items()}


@pytest.mark.parametrize("bits", [0, 1])
def test_to_resolve_changes_nothing(bits: int) -> None:
    home, now_ms = Home(), instant(MONDAY + 5, 19)
    for day in range(5):
        home.acts("ann", instant(MONDAY + day))
    if bits:
        home.settle(now_ms)
    before = snapshot(home)
    new = Intake.of([event("new", now_ms, 1, zone="Asia/Tokyo"), event("ann", now_ms, 2)])
    calls: list[tuple[Any, ...]] = [("events", new), ("import", "school", 0, Intake.of([event("dan", now_ms, 3)]))]
    calls += [("profile", "eve", {"timezone": "Asia/Tokyo"}, now_ms), ("erase", "ann", "hash", now_ms)]
    for call in [*calls, ("close", now_ms + DAY_MS), ("daily", now_ms), ("decide", now_ms), ("send", now_ms)]:
        home.learners.resolve(*call)
    with pytest.raises(UnknownLearnerError):
        home.learners.resolve("erase", "eve", "hash", now_ms)
    with pytest.raises(InputError, match="Asia/Tokyo"):
        home.learners.resolve("profile", "ann", {"timezone": "Asia/Toyko"}, now_ms)
    with pytest.raises(InputError):
        home.learners.resolve("events", Intake.of([event("ann", now_ms, 2, zone="Mars/Utopia")]))
    assert snapshot(home) == before


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_whatever_happened_happens_alike_again(seed: int) -> None:
    luck = random.Random(seed)
    home = Home("Europe/Berlin")
    names = [f"u{number}" for number in range(5)]
    zones = [None, None, "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"]
    now_ms, sent = instant(MONDAY), list[EventIn]()
    for key in range(40):
        now_ms += luck.choice([HOUR_MS, 7 * HOUR_MS, DAY_MS, 4 * DAY_MS])
        kind = luck.choice(["events"] * 5 + ["again", "profile", "erase", "settle", "settle"])
        if kind in {"events", "again"}:
            at_ms = now_ms - luck.choice([0, HOUR_MS, 3 * DAY_MS, 12 * DAY_MS])
            fresh = event(
                luck.choice(names), at_ms, key, luck.choice(["lesson_complete", "page_view"]), arrived_ms=now_ms
            )
            chosen = [fresh._replace(zone=luck.choice(zones))]
            chosen += [one._replace(arrived_ms=now_ms) for one in luck.sample(sent, min(len(sent), 2))]
            sent += chosen[:1]
            home.send(*chosen)
        elif kind == "profile":
            home.do("profile", luck.choice(names), {"timezone": luck.choice(zones)}, now_ms)
        elif kind == "erase" and home.learners.register.rows:
            home.do("erase", luck.choice(sorted(home.learners.register.rows)), "hash", now_ms)
        elif kind == "settle":
            home.settle(now_ms)
            assert home.settle(now_ms) == []
        if len(home.learners.register):
            check(home.learners.loop.records)
    same(home.learners, home.replayed())
    same(home.learners, home.restored())


def test_a_message_is_resolved_against_the_moment_and_never_again() -> None:
    home, noon = Home(), instant(MONDAY, 20)
    home.do("profile", "ann", {"timezone": "Asia/Tokyo"}, 0)
    home.acts("ann", noon)
    home.do("profile", "ann", {"timezone": "America/New_York"}, 0)
    assert home.record("ann")["as_of"] == MONDAY + 1
    assert home.replayed().loop.records["as_of"][0] == MONDAY + 1


@pytest.mark.parametrize("sizes", [[1, 1, 1], [63, 1, 1], [64, 1], [65, 200], [1, 500, 1]])
def test_learners_move_in_without_disturbing_anyone(sizes: list[int]) -> None:
    home, now_ms, count = Home(), instant(MONDAY), 0
    for size in sizes:
        before = home.learners.loop.records.copy()
        rows = [event(f"u{number}", now_ms, number) for number in range(count, count + size)]
        assert set(told(home, *rows)) == {"full"}
        after = home.learners.loop.records
        assert np.array_equal(after[: len(before)]["view"], before["view"])
        count += size
        assert len(after) == count and after["learner"].tolist() == list(range(count))
        assert (after["view"]["xp"] == 10).all()
    home.do("profile", "last", {"displayName": "Last"}, now_ms)
    check(home.learners.loop.records)
    same(home.learners, home.replayed())


def test_who_has_only_a_profile_is_in_no_band_and_nothing_is_due() -> None:
    home, now_ms = Home(), instant(MONDAY, 19)
    home.do("profile", "ann", {"displayName": "Ann"}, now_ms)
    assert home.record("ann")["standing"] == NOT_STARTED and np.isnan(home.record("ann")["risk"])
    assert home.settle(now_ms + 5 * DAY_MS) == []
    assert home.record("ann")["as_of"] == NEVER


@pytest.mark.parametrize(
    ("consents", "bits"),
    [({}, 15), ({"email": False}, 14), ({"email": False, "sms": False, "push": True}, 6), ({"in_app": False}, 11)],
)
def test_consents_are_the_records_bits(consents: dict[str, bool], bits: int) -> None:
    home = Home()
    home.do("profile", "ann", {"consents": consents}, 0)
    assert home.record("ann")["consent"] == bits
    home.do("profile", "ann", {"displayName": "Ann"}, 0)
    assert home.record("ann")["consent"] == bits, "another change leaves them"


def test_days_end_by_each_learners_own_clock() -> None:
    home, zones = Home("Europe/Berlin"), ["Pacific/Kiritimati", "America/New_York"]
    for zone in zones:
        home.do("profile", zone, {"timezone": zone}, 0)
    for name in ("home", *zones):
        home.acts(name, instant(19_812, 12, "UTC"))
    spring = 19_813  # Berlin's day of 23 hours
    ends = {"home": instant(spring, 0, "Europe/Berlin"), zones[1]: instant(spring, 0, zones[1])}
    assert home.record(zones[0])["as_of"] == spring, "it was tomorrow there already"
    for name, end_ms in ends.items():
        assert home.settle(end_ms - 1).count("close") == 0
        assert home.settle(end_ms)[0] == "close"
        assert home.record(name)["as_of"] == spring
    assert home.settle(instant(spring + 1, 0, "Europe/Berlin") - 1).count("close") == 1, "only Kiritimati's day ended"
    assert [int(home.record(name)["as_of"]) - spring for name in ("home", *zones)] == [0, 1, 0]
    assert instant(spring + 1, 0, "Europe/Berlin") - ends["home"] == 23 * HOUR_MS


def test_a_move_to_the_west_takes_no_day_back() -> None:
    home, noon = Home("Pacific/Kiritimati"), instant(MONDAY, 20)
    home.acts("ann", noon)
    assert home.record("ann")["as_of"] == MONDAY + 1
    home.do("profile", "ann", {"timezone": "Pacific/Pago_Pago"}, noon)
    assert home.learners.today("ann", noon) == MONDAY
    assert home.settle(noon).count("close") == 0
    assert home.record("ann")["as_of"] == MONDAY + 1
    assert home.settle(instant(MONDAY + 2, 0, "Pacific/Pago_Pago"))[0] == "close"


def test_a_missed_day_ends_a_streak_when_its_day_is_closed() -> None:
    home = Home()
    for day in range(3):
        home.acts("ann", instant(MONDAY + day))
    home.settle(instant(MONDAY + 3))
    assert home.record("ann")["view"]["streak"] == 3
    home.settle(instant(MONDAY + 4))
    assert home.record("ann")["view"]["streak"] == 0
    last = [KINDS[kind] for entry in home.entries[-4:] for kind in Answer.of(entry.answer).outcomes["kind"]]
    assert last == ["streak_ended"]


def history(learner: str, count: int = 3, start: int = 0) -> Intake:
    at = [instant(MONDAY - 300 + start + number) for number in range(count)]
    return Intake.of([event(learner, at_ms, 1_000 + start + number) for number, at_ms in enumerate(at)])


def unfit(learners: LiveLearners, source: str, ids: list[str]) -> str | None:
    """Return who of these has events from elsewhere than a history, as the refusal names them."""
    try:
        learners.must_fit(source, ids)
    except InputError as error:
        return next(learner for learner in ids if repr(learner) in str(error))
    return None


def test_history_comes_part_by_part_before_going_live_and_once() -> None:
    home = Home()
    assert home.learners.parts_of("school") == 0
    assert set(home.do("import", "school", 0, history("ann")).receipts["verdict"]) == {0}
    for wrong in (0, 2):
        with pytest.raises(InputError, match="history school"):
            home.learners.resolve("import", "school", wrong, history("ann", start=3))
    home.do("import", "school", 1, history("ann", start=3))
    assert home.learners.parts_of("school") == 2
    assert home.record("ann")["view"]["streak"] == 6
    again = home.do("import", "school", 2, history("ann"))
    assert [VERDICTS[code] for code in again.receipts["verdict"]] == ["duplicate"] * 3
    assert unfit(home.learners, "other", ["bob", "ann"]) == "ann", "of one learner one history"
    home.do("import", "other", 0, history("bob"))
    assert unfit(home.learners, "school", ["bob"]) == "bob"
    same(home.learners, home.replayed())
    same(home.learners, home.restored())


def test_history_is_refused_once_a_learner_is_live() -> None:
    home, now_ms = Home(), instant(MONDAY)
    home.do("import", "school", 0, history("ann"))
    home.do("profile", "bob", {"displayName": "Bob"}, now_ms)
    assert unfit(home.learners, "school", ["ann", "bob", "new"]) is None, "a profile is no event"
    home.acts("ann", now_ms)
    for learners in (home.learners, home.replayed(), home.restored()):
        assert unfit(learners, "school", ["bob", "ann"]) == "ann"
        with pytest.raises(InputError, match="'ann'"):
            learners.resolve("import", "school", 1, history("ann", start=3))
    home.do("erase", "ann", "hash", now_ms)
    assert unfit(home.learners, "school", ["ann"]) is None, "who comes back is new"


def test_an_erased_learner_leaves_an_empty_row_and_comes_back_as_another() -> None:
    home, now_ms = Home(), instant(MONDAY + 9, 19)
    for day in range(8):
        home.acts("ann", instant(MONDAY + day))
        home.acts("bob", instant(MONDAY + day))
    home.do("profile", "ann", {"timezone": "Asia/Tokyo", "consents": {"email": False}}, now_ms)
    home.settle(now_ms)
    home.do("erase", "ann", "hash", now_ms)
    fresh = Home()
    fresh.do("profile", "someone", {}, 0)
    assert home.learners.canonical(0, [0]) == fresh.learners.canonical(0, [0])
    assert home.learners.ids(0) == [None, "bob"] and home.learners.profiles([0]) == [{}]
    with pytest.raises(UnknownLearnerError):
        home.learners.learner("ann", now_ms)
    home.settle(now_ms + DAY_MS)
    assert home.learners.canonical(0, [0]) == fresh.learners.canonical(0, [0]), "no clock wakes it"
    assert told(home, event("ann", now_ms, 1)) == ["full"], "its old ids are forgotten with it"
    assert home.learners.register.row("ann") == 2
    change = without(0, "")  # the name stands for the new one
    assert any(change(entry) for entry in home.entries)
    home.entries = [change(entry) or entry for entry in home.entries]
    again = home._new()
    for entry in home.entries:
        again.fold(entry.sequence, entry.message)
    rows = np.arange(3)
    while home.learners.rescore()[1] or again.rescore()[1]:
        pass
    assert again.canonical(0, rows) == home.learners.canonical(0, rows)


def test_a_restored_home_goes_on_as_the_first_would_have() -> None:
    home, now_ms = Home(), instant(MONDAY + 40, 19)
    for day in range(40):
        for number in range(3 + day):
            home.send(event(f"u{number}", instant(MONDAY + day), day))
    home.settle(now_ms)
    again = home.restored()
    same(home.learners, again)
    for learners in (home.learners, again):
        learners.fold(9_999, learners.resolve("events", Intake.of([event(f"n{k}", now_ms, k) for k in range(200)])))
        learners.fold(10_000, learners.resolve("close", now_ms + 3 * DAY_MS))
    same(home.learners, again)


def test_columns_and_views_are_copies_that_say_what_is() -> None:
    home, now_ms = Home("Europe/Berlin"), instant(MONDAY, 12)
    home.acts("ann", now_ms, "lesson_complete")
    columns = home.learners.columns(["view.xp", "consent"], now_ms)
    assert columns["view.xp"].tolist() == [50] and columns["today"].tolist() == [MONDAY]
    columns["view.xp"][:] = 0
    view = home.learners.learner("ann", now_ms)
    assert (view.day, view.minute, int(view.record["view"]["xp"][0])) == (MONDAY, 13 * 60, 50)
    view.record["view"]["xp"][:] = 0
    assert home.record("ann")["view"]["xp"] == 50
