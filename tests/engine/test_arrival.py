"""Arrival: what an event's age means, and the memory that lets nothing count twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import arrival
from engine.arrival import DUPLICATE, FULL, FUTURE, LATE, TOO_OLD, VERDICTS, SeenIds
from tests.engine.histories import FUTURE_MS, GRACE_MS, HORIZON_MS, RULES, Life, act, lived
from tests.oracle import DAY_MS

IDS = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("age_ms", "verdict"),
    [
        (-FUTURE_MS - 1, FUTURE),
        (-FUTURE_MS, FULL),
        (0, FULL),
        (GRACE_MS, FULL),
        (GRACE_MS + 1, LATE),
        (HORIZON_MS, LATE),
        (HORIZON_MS + 1, TOO_OLD),
    ],
)
def test_the_edges_of_age(age_ms: int, verdict: int) -> None:
    occurred_ms = 1_700_000_000_000
    assert arrival.age_verdict(occurred_ms, occurred_ms + age_ms, RULES.record) == verdict
    life = Life()
    assert life.fold(act(0, "lesson_complete", age_ms=age_ms)) == [VERDICTS[verdict]]
    life.has(xp=50 if verdict == FULL else 0, late_events=int(verdict == LATE))
    assert life.records["totals"].sum() == (verdict <= LATE)


def test_a_refused_event_leaves_no_trace_and_its_id_may_come_again() -> None:
    life = Life()
    ahead = act(0, age_ms=-FUTURE_MS - 1)
    assert life.fold(ahead) == ["future"]
    life.is_same_as(Life())
    assert life.fold(ahead._replace(age_ms=0)) == ["full"]
    assert life.fold(ahead._replace(age_ms=DAY_MS)) == ["duplicate"]
    life.has(xp=10)


def test_an_id_counts_once_for_each_learner() -> None:
    life = Life(2)
    same = [act(0, event_id=7, learner=learner) for learner in (0, 1, 0)]
    assert life.fold(*same) == ["full", "duplicate", "full"]  # in the order of the fold, by learner
    assert life.records["view"]["xp"].tolist() == [10, 10]


def test_an_id_of_an_event_that_was_late_is_remembered_too() -> None:
    life = lived([act(0)], 20)
    late = act(1, age_ms=GRACE_MS + 1)
    assert life.fold(late) == ["late"]
    assert life.fold(late._replace(age_ms=HORIZON_MS)) == [VERDICTS[DUPLICATE]]
    life.has(late_events=1)


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(IDS, st.integers(0, 5))), max_size=200))
def test_remembering_is_as_a_set_does(pairs: list[tuple[int, int]]) -> None:
    seen, plain = SeenIds(), set[tuple[int, int]]()
    for learner, event_id in pairs:
        assert seen.remember(learner, event_id, 0) == ((learner, event_id) not in plain)
        plain.add((learner, event_id))
    assert np.count_nonzero(seen.table["key"]) == len(plain)


def test_the_table_grows_and_forgets_nothing_within_the_horizon() -> None:
    seen = SeenIds()
    first = len(seen.table)
    for event_id in range(20_000):
        assert seen.remember(1, event_id, event_id)
    assert len(seen.table) > 4 * first
    assert np.count_nonzero(seen.table["key"]) == 20_000 <= len(seen.table) / 2
    assert not any(seen.remember(1, event_id, event_id) for event_id in range(20_000))
    assert len(seen.table) & (len(seen.table) - 1) == 0  # a power of two, as probing needs


def test_what_is_older_than_the_horizon_is_forgotten_when_room_is_made() -> None:
    seen = SeenIds()
    for event_id in range(2_000):
        seen.remember(1, event_id, event_id)
    seen.reserve(3_000, oldest_ms=1_500)
    kept = {event_id for event_id in range(2_000) if not seen.remember(1, event_id, event_id)}
    assert kept == set(range(1_500, 2_000))


def test_a_steady_stream_needs_no_more_room_than_its_horizon() -> None:
    """A thousand ids a day for a year, 30 days remembered: the table stays within four times of what lives in it."""
    seen = SeenIds()
    sizes = []
    for day in range(365):
        seen.reserve(1_000, (day - 30) * DAY_MS)
        for k in range(1_000):
            event_id = np.uint64(day * 1_000 + k)
            assert arrival.first_place(seen.table, 1, event_id, day * DAY_MS, 0) < 0
        sizes.append(len(seen.table))
    assert max(sizes) == sizes[-1] <= 4 * 2 * 31_000
    assert not seen.remember(1, 364_999, 0)


def test_a_table_taken_from_a_snapshot_goes_on_as_before() -> None:
    seen = SeenIds()
    for event_id in range(3_000):
        seen.remember(event_id % 3, event_id, 5)
    again = SeenIds()
    again.take(seen.table.copy())
    assert not any(again.remember(event_id % 3, event_id, 5) for event_id in range(3_000))
    assert all(again.remember(event_id % 3 + 1, event_id, 5) for event_id in range(3_000))
    assert np.count_nonzero(again.table["key"]) <= len(again.table) / 2


def test_nothing_counts_twice_over_weeks_of_batches_and_growth() -> None:
    """More acts than the first table holds, each sent again 20 days later."""
    acts = [act(day, "lesson_start", hour=k / 3) for day in range(70) for k in range(40)]
    life = Life()
    for start in range(0, len(acts), 400):
        assert set(life.fold(*acts[start : start + 400])) == {"full"}
        again = [one._replace(age_ms=20 * DAY_MS) for one in acts[max(0, start - 400) : start]]
        assert set(life.fold(*again)) <= {"duplicate"}
    assert life.records["totals"].sum() == len(acts)
