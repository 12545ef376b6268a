"""The best hour: profiles on a clock that goes round, and what everybody's habits say of the new."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.errors import InputError
from engine.notifications.best_hour import HOURS, PEAK_HOUR, PRIOR, PRIOR_EVENTS, best_hours, hour_scores
from engine.record import new_records

COUNTS = arrays.arrays(np.uint16, st.tuples(st.integers(1, 8), st.just(HOURS)), elements=st.integers(0, 65_535))
HOUR = st.integers(0, HOURS - 1)
A_DAY = 11  # events, the median of active days
MUCH = 60_000  # events, against which the prior counts for nothing


def did(**events: int) -> NDArray[np.uint16]:
    """Return one learner's events by hour: ``at_23=5``."""
    counts = np.zeros((1, HOURS), np.uint16)
    for hour, count in events.items():
        counts[0, int(hour.removeprefix("at_")) % HOURS] = count
    return counts


def best(counts: NDArray[np.uint16]) -> int:
    return int(best_hours(hour_scores(counts))[0])


def circular_mean(counts: NDArray[np.uint16]) -> float:
    """Return the hour in which the mean direction of the events lies."""
    resultant = sum(int(count) * cmath.rect(1, math.tau * hour / HOURS) for hour, count in enumerate(counts))
    return cmath.phase(resultant) * HOURS / math.tau % HOURS


def apart(one: float, other: float) -> float:
    """Return the distance of two hours on the clock."""
    return min((one - other) % HOURS, (other - one) % HOURS)


def test_late_evenings_and_early_nights_meet_at_midnight() -> None:
    assert best(did(at_23=MUCH, at_1=MUCH)) == 0


def test_mornings_and_evenings_do_not_meet_at_noon() -> None:
    assert best(did(at_8=MUCH, at_19=MUCH - 1_000)) == 8
    assert best(did(at_8=MUCH - 1_000, at_19=MUCH)) == 19


def test_a_new_learner_has_everybodys_best_hour() -> None:
    assert best_hours(hour_scores(new_records(3)["hours"])).tolist() == [PEAK_HOUR] * 3


def test_one_day_does_not_outvote_everybody_and_two_do() -> None:
    assert best(did(at_8=A_DAY)) == PEAK_HOUR
    assert best(did(at_8=2 * A_DAY)) == 8


def test_the_prior_weighs_what_it_says() -> None:
    assert PRIOR.sum() == pytest.approx(PRIOR_EVENTS)
    assert (PRIOR > 0).all() and int(PRIOR.argmax()) == PEAK_HOUR
    assert np.allclose(PRIOR, np.roll(PRIOR[::-1], 2 * PEAK_HOUR + 1))  # as much before the peak as after it


@given(HOUR, st.integers(0, 1), st.integers(1_000, 60_000))
def test_equal_activity_on_both_sides_of_an_hour_has_it_in_the_middle(hour: int, distance: int, count: int) -> None:
    counts = np.zeros((1, HOURS), np.uint16)
    counts[0, [(hour - distance) % HOURS, (hour + distance) % HOURS]] = count
    assert best(counts) == hour


@given(HOUR, st.lists(st.integers(1_000, 20_000), min_size=3, max_size=3))
def test_of_three_hours_in_a_row_the_best_is_next_to_their_mean(first: int, events: list[int]) -> None:
    counts = np.zeros((1, HOURS), np.uint16)
    counts[0, [first, (first + 1) % HOURS, (first + 2) % HOURS]] = events
    assert apart(best(counts), circular_mean(counts[0])) <= 0.75  # rounding to a whole hour is up to half of one


@given(COUNTS, st.integers(-30, 30))
def test_another_clock_moves_the_hours_and_changes_no_bit(counts: NDArray[np.uint16], turn: int) -> None:
    scores = hour_scores(counts)
    turned = hour_scores(np.roll(counts, turn, axis=1), np.roll(PRIOR, turn))
    assert np.array_equal(turned, np.roll(scores, turn, axis=1))
    one = np.take_along_axis(scores, best_hours(scores)[:, None], 1)
    other = np.take_along_axis(turned, best_hours(turned)[:, None], 1)
    assert np.array_equal(one, other)


@given(COUNTS)
def test_no_row_depends_on_its_batch_and_each_sums_to_1(counts: NDArray[np.uint16]) -> None:
    scores = hour_scores(counts)
    assert scores.shape == counts.shape and (scores > 0).all()
    assert np.allclose(scores.sum(axis=1), 1.0)
    for row in range(len(counts)):
        assert np.array_equal(hour_scores(counts[row : row + 1])[0], scores[row])
    assert np.array_equal(hour_scores(np.asfortranarray(counts[::-1]))[::-1], scores)


@given(COUNTS, HOUR)
def test_more_activity_in_an_hour_raises_its_score(counts: NDArray[np.uint16], hour: int) -> None:
    more = counts.astype(np.uint32)
    more[:, hour] += 10
    before, after = hour_scores(counts)[:, hour], hour_scores(more)[:, hour]
    assert (after > before).all()


def test_counts_that_are_full_do_not_overflow() -> None:
    full = np.full((1, HOURS), 65_535, np.uint16)
    assert np.allclose(hour_scores(full), 1 / HOURS, rtol=1e-3)


def test_no_learners_have_no_scores() -> None:
    assert best_hours(hour_scores(new_records(0)["hours"])).tolist() == []


@pytest.mark.parametrize(("counts", "prior"), [((24,), (24,)), ((2, 23), (24,)), ((2, 24), (23,))])
def test_another_shape_is_refused(counts: tuple[int, ...], prior: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="events by hour"):
        hour_scores(np.zeros(counts, np.uint16), np.ones(prior))
