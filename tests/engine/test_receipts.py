"""Receipts: folded one by one, learners end as folded at once, and each event knows what it brought."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import arrival, calendar, events, outcomes, receipts
from engine.outcomes import KINDS, OUTCOME, XP
from engine.receipts import NOBODY, RECEIPT
from tests.engine.histories import (
    GRACE_MS,
    HORIZON_MS,
    MONDAY,
    ZONES,
    Act,
    Habit,
    Life,
    act,
    batches,
    daily,
    delayed,
    habits,
    happened,
    repeated,
    rows_of,
)
from tests.oracle import DAY_MS

LEARNERS = 3


class Single(Life):
    """Learners whose events are folded one by one, in any order, each with a receipt."""

    here = 1 << receipts.PLACE_BITS

    def receive(self, rows: events.Events) -> Any:
        """Fold events in the order given; return their receipts."""
        self.seen.reserve(len(rows), int(rows["arrived_ms"].min()) - HORIZON_MS)
        got = np.zeros(len(rows), RECEIPT)
        self._run(
            lambda start: receipts.fold_each(
                self.records, rows, start, self.rules.record, self.seen.table, self.here, got, self._before,
                self._buffer, 0,
            ),
            len(rows),
        )  # fmt: skip
        self.here += 1 << receipts.PLACE_BITS
        return got


def of(*acts: Act) -> Any:
    return rows_of(acts)


@pytest.mark.parametrize("rows", [RECEIPT, OUTCOME, events.EVENT], ids=["receipt", "outcome", "event"])
def test_equal_rows_are_equal_bytes(rows: np.dtype[Any]) -> None:
    """What a copy leaves in the padding of a row is whatever lay in memory, and would end in a journal."""
    assert rows.itemsize == sum(rows[name].itemsize for name in rows.names or ())


@settings(max_examples=120)
@given(st.lists(habits(ZONES), min_size=LEARNERS, max_size=LEARNERS), st.integers(0, 9_999))
def test_one_by_one_learners_end_as_they_do_at_once(lives: list[list[Habit]], seed: int) -> None:
    luck = random.Random(seed)
    acts = [one for learner, life in enumerate(lives) for one in happened(MONDAY, life, learner)]
    acts = repeated(delayed(acts, luck, luck.choice([0, DAY_MS, GRACE_MS, 2 * GRACE_MS])), luck, share=0.2)
    at_once, one_by_one = Life(LEARNERS), Single(LEARNERS)
    awarded = np.zeros(LEARNERS, np.int64)
    told: list[str] = []
    for part in batches(acts, luck):
        expected = at_once.fold(*part)
        rows = rows_of(part)
        if len({(one.learner, one.event_id) for one in part}) == len(part):  # of two alike the first to arrive counts
            order = sorted(range(len(rows)), key=lambda at: rows["arrived_ms"][at] + luck.randrange(DAY_MS))
            rows, expected = rows[order], [expected[place] for place in order]
        start = len(one_by_one.outcomes)
        got = one_by_one.receive(rows)
        told += [arrival.VERDICTS[code] for code in got["verdict"]]
        assert told[-len(rows) :] == expected
        np.add.at(awarded, rows["learner"], got["xp_awarded"])
        brought = one_by_one.outcomes[start:]
        assert got["outcomes"].sum() == len(brought)
        assert np.repeat(rows["learner"], got["outcomes"]).tolist() == brought["learner"].tolist()
        if luck.random() < 0.5:
            now_ms = part[-1].arrived_ms
            newest = max((one for one in acts if one.at_ms <= now_ms), key=lambda one: one.at_ms, default=part[-1])
            today, _ = calendar.local(np.array([now_ms]), calendar.zone(newest.zone))
            day, start = int(today[0]), len(one_by_one.outcomes)
            assert at_once.close(day) == one_by_one.close(day)
            for row in one_by_one.outcomes[start:]:
                sign = {XP: 1, XP + 1: -1}.get(int(row["kind"]), 0)
                awarded[row["learner"]] += sign * row["amount"]
        one_by_one.is_same_as(at_once)
    assert awarded.tolist() == one_by_one.records["view"]["xp"].tolist()
    assert one_by_one.records["late_events"].sum() == told.count("late")


@settings(max_examples=60)
@given(habits(["UTC"]), st.integers(0, 999))
def test_each_receipt_says_what_there_is_after_its_event(stretches: list[Habit], seed: int) -> None:
    luck = random.Random(seed)
    life = Single()
    xp = 0
    for one in sorted(repeated(happened(MONDAY, stretches), luck, 0.3), key=lambda each: each.arrived_ms):
        start = len(life.outcomes)
        (got,) = life.receive(of(one))
        life.has(xp=got["xp"], level=got["level"], streak=got["streak"], freezes=got["freezes"])
        assert got["xp_awarded"] == got["xp"] - xp
        gains = life.outcomes[start:]
        assert got["outcomes"] == len(gains)
        assert (
            got["xp_awarded"] == gains["amount"][gains["kind"] == XP].sum() - gains["amount"][gains["kind"] == 1].sum()
        )
        xp = int(got["xp"])


def test_a_duplicate_tells_where_its_event_counted_and_changes_nothing() -> None:
    life = Single(2)
    one, other = act(0, "lesson_complete"), act(0, "forum_post")
    first = life.receive(of(one, other))
    before = life.records.copy()
    again = life.receive(of(other._replace(age_ms=60), act(0, "note"), one._replace(age_ms=60))[::-1])
    assert first["first"].tolist() == [1 << 16, (1 << 16) + 1]
    assert {arrival.VERDICTS[code] for code in again["verdict"]} == {"duplicate", "full"}
    for place, code in enumerate(again["verdict"]):
        if arrival.VERDICTS[code] == "duplicate":
            assert again["first"][place] in first["first"] and again["xp_awarded"][place] == 0
        else:
            assert again["first"][place] == (2 << 16) + place
    assert life.records["totals"].sum() == before["totals"].sum() + 1


def test_twice_in_one_message_counts_once() -> None:
    life = Single()
    one = act(0, "lesson_complete")
    got = life.receive(of(one, one, one))
    assert [arrival.VERDICTS[code] for code in got["verdict"]] == ["full", "duplicate", "duplicate"]
    assert got["first"].tolist() == [1 << 16] * 3
    assert got["xp_awarded"].tolist() == [50, 0, 0] and got["xp"].tolist() == [50] * 3


def test_what_is_too_old_or_from_the_future_is_told_so_and_may_come_in_time_later() -> None:
    life = Single()
    future = act(0, age_ms=-3_600_000)
    got = life.receive(of(act(0, age_ms=HORIZON_MS + 1), future))
    assert sorted(arrival.VERDICTS[code] for code in got["verdict"]) == ["future", "too_old"]
    assert got["xp"].tolist() == [0, 0] and got["level"].tolist() == [1, 1]
    (again,) = life.receive(of(future._replace(age_ms=0)))
    assert arrival.VERDICTS[again["verdict"]] == "full"


def test_a_late_event_that_joins_two_runs_may_cost_xp() -> None:
    """Runs of 30 and 7 days have three milestones and one; joined, the 2nd week is withdrawn."""
    life = Single()
    life.receive(rows_of([*daily(*range(30), action="bookmark"), *daily(*range(33, 40), action="bookmark")]))
    (got,) = life.receive(of(act(32, "bookmark", age_ms=7 * DAY_MS)))
    assert got["xp_awarded"] < 0 and got["xp"] == life.now("xp")
    names = [KINDS[kind] for kind in life.outcomes["kind"][-got["outcomes"] :]]
    assert "xp_withdrawn" in names and "milestone_withdrawn" in names


def test_an_event_of_nobody_keeps_its_place_and_does_nothing() -> None:
    life, other = Single(), Single()
    rows = of(act(0, "lesson_complete"), act(0, "forum_post", hour=13), act(0, "note", hour=14))
    rows["learner"][1] = NOBODY
    got = life.receive(rows)
    other.receive(rows[[0, 2]])
    assert got[1].tobytes() == bytes(RECEIPT.itemsize)
    assert got["first"].tolist() == [1 << 16, 0, (1 << 16) + 2]
    assert life.records.tobytes() == other.records.tobytes()


def test_a_long_message_goes_on_where_the_buffer_was_full() -> None:
    many = [act(day, "lesson_complete", hour=hour) for day in range(9) for hour in range(24)]
    short, long = Single(rows=outcomes.MARGIN + 1), Single(rows=4 * outcomes.MARGIN)
    rows = rows_of(many)
    assert short.receive(rows).tobytes() == long.receive(rows).tobytes()
    assert np.array_equal(short.outcomes, long.outcomes) and len(short.outcomes) > 100
