"""Daily scorings: what was known of each learner when a local day began, once a day, kept for ever."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from actors import daily
from actors.ports import Message
from engine.signals import compute, names
from tests.actors.homes import DAY_MS, HOUR_MS, MONDAY, Home, instant, same

ZONES = {"here": None, "kiribati": "Pacific/Kiritimati", "samoa": "Pacific/Pago_Pago", "howe": "Australia/Lord_Howe"}


def scored(home: Home) -> Counter[tuple[int, int]]:
    """Return how often each learner was scored for each day."""
    tables = [daily.table_of(message) for message in home.said("daily")]
    return Counter((int(row["learner"]), int(row["day"])) for table in tables for row in table)


def moved_in() -> Home:
    """Return a home with a learner in each zone, all active on one day."""
    home = Home("Europe/Berlin")
    for name, zone in ZONES.items():
        home.do("profile", name, {"timezone": zone}, 0)
        home.acts(name, instant(19_812, 12, "UTC"))
    return home


def test_each_learner_is_scored_once_each_local_day_as_it_begins() -> None:
    home, start_ms = moved_in(), instant(19_812, 13, "UTC")
    for hour in range(5 * 24):  # over the night in which Berlin's clocks are put forward
        now_ms = start_ms + hour * HOUR_MS
        days, _ = home.learners.register.now(now_ms)
        before = scored(home)
        home.settle(now_ms)
        for learner, day in scored(home) - before:
            assert day == days[learner]
    times = scored(home)
    assert set(times.values()) == {1}
    for learner in range(len(ZONES)):
        seen = sorted(day for row, day in times if row == learner)
        assert seen == list(range(seen[0], seen[0] + len(seen))) and len(seen) >= 5
    same(home.learners, home.replayed())


def test_a_scoring_keeps_signals_and_risk_as_they_stood() -> None:
    home = moved_in()
    home.settle(instant(19_813, 20, "UTC"))
    message = home.said("daily")[-1]
    assert message.body["signals"] == list(names())
    table = daily.table_of(message)
    assert len(table) > 0 and not np.isnan(table["risk"]).any()
    rows = table["learner"].astype(np.int64)
    matrix = compute(home.learners.loop.records, rows)
    for place, name in enumerate(names()):
        assert table[name].tolist() == matrix[:, place].tolist()
    for name in ("risk", "confidence", "standing"):
        assert table[name].tolist() == home.learners.loop.records[name][rows].tolist()
    home.acts("here", instant(19_813, 21, "UTC"), "lesson_complete")
    assert daily.table_of(message)["risk"].tolist() == table["risk"].tolist()


def test_who_waits_for_a_score_is_not_scored_for_the_day_before_it_has_come() -> None:
    home, now_ms = moved_in(), instant(19_813, 20, "UTC")
    home.scorer.held = True
    home.settle(now_ms)
    assert home.said("daily") == []
    home.scorer.held = False
    home.settle(now_ms)
    assert set(scored(home).values()) == {1} and len(scored(home)) == len(ZONES)


def test_one_message_has_so_many_rows_and_the_next_one_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "MOST_ROWS", 3)
    home, now_ms = moved_in(), instant(19_813, 20, "UTC")
    assert home.settle(now_ms).count("daily") == 2
    assert [len(daily.table_of(message)) for message in home.said("daily")] == [3, 1]
    assert set(scored(home).values()) == {1}


def test_who_fell_silent_long_ago_is_no_longer_scored() -> None:
    home = Home()
    home.acts("ann", instant(MONDAY))
    for day in range(20):
        home.settle(instant(MONDAY + day, 20))
    assert sorted(day - MONDAY for _, day in scored(home)) == list(range(15))
    assert np.isnan(home.record("ann")["risk"])
    home.acts("ann", instant(MONDAY + 20))
    home.settle(instant(MONDAY + 20, 20))
    assert max(scored(home)) == (0, MONDAY + 20)


def test_days_on_which_nothing_ran_are_not_scored_afterwards() -> None:
    home = Home()
    home.acts("ann", instant(MONDAY))
    home.settle(instant(MONDAY, 20))
    home.settle(instant(MONDAY + 5, 20))
    assert sorted(day - MONDAY for _, day in scored(home)) == [0, 5]


def test_a_table_of_other_signals_is_read_by_its_own_names() -> None:
    """Signals come and go with versions and plug-ins; what was kept says what it holds."""
    rows = daily.dtype(["old_signal", "streak_then"])
    assert rows.itemsize == sum(rows[name].itemsize for name in rows.names or ()), "no padding: equal rows, equal bytes"
    table = np.zeros(2, rows)
    table["learner"], table["old_signal"] = [0, 3], [1.5, 2.5]
    message = Message("daily", {"now_ms": 0, "signals": ["old_signal", "streak_then"]}, table.tobytes())
    assert daily.table_of(message)["old_signal"].tolist() == [1.5, 2.5]


def test_a_scoring_of_rows_that_are_gone_or_still_to_come_is_no_trouble() -> None:
    home = Home()
    home.acts("ann", instant(MONDAY))
    table = np.zeros(2, daily.dtype([]))
    table["learner"], table["risk"], table["day"] = [0, 7], [33.0, 44.0], MONDAY + 1
    home.learners.fold(9, Message("daily", {"now_ms": 0, "signals": []}, table.tobytes()))
    assert home.record("ann")["risk"] == 33.0
    assert home.learners.agenda.scored_day.tolist() == [MONDAY + 1]


def test_a_kept_scoring_is_what_a_replay_knows_even_if_scores_are_others_by_now() -> None:
    home = moved_in()
    home.settle(instant(19_813, 20, "UTC"))
    first = home.said("daily")[0]
    again = home.replayed()
    table = daily.table_of(first)
    assert again.loop.records["risk"][table["learner"]].tolist() == table["risk"].tolist()
    while again.rescore()[1]:
        pass
    assert again.due(instant(19_813, 20, "UTC")) == [], "and is not due again"
    assert again.due(instant(19_813, 20, "UTC") + DAY_MS) == ["close"]
