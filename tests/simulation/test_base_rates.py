"""Base rates: what each population does with neither messages nor streak effects, against the data."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import record
from tests.simulation.worlds import MONDAY, inbox, make_world


@cache
def _days_active(name: str, count: int, days: int) -> NDArray[np.bool_]:
    world, records = make_world(name, count), record.new_records(count, MONDAY)
    active = np.zeros((count, days), bool)
    for k in range(days):
        active[:, k] = world.plan(MONDAY + k, records, inbox(count)) < 1440
        world.events(MONDAY + k, records, inbox(count))
    return active


def _next_day_after_runs(active: NDArray[np.bool_], lengths: tuple[int, ...]) -> list[float]:
    run, asked, came = np.zeros(len(active), int), dict.fromkeys(lengths, 0), dict.fromkeys(lengths, 0)
    for today, tomorrow in zip(active.T[:-1], active.T[1:], strict=True):
        run = np.where(today, run + 1, 0)
        for length in lengths:
            asked[length] += int(np.sum(run == length))
            came[length] += int(np.sum(tomorrow[run == length]))
    return [came[length] / asked[length] for length in lengths]


@pytest.mark.parametrize(
    ("name", "days", "published"),
    [("free_mooc", 30, (0.21, 0.36, 0.46, 0.57, 0.70)), ("paid_course", 200, (0.40, 0.53, 0.60, 0.67, 0.78))],
)
def test_negative_control_without_a_streak_effect_longer_runs_still_go_on_more_often(
    name: str, days: int, published: tuple[float, ...]
) -> None:
    """Measured: on platforms without streaks the gradient is selection and habit."""
    gradient = _next_day_after_runs(_days_active(name, 20_000, days), (1, 2, 3, 5, 7))
    assert all(later > earlier for earlier, later in pairwise(gradient))
    assert gradient == pytest.approx(published, abs=0.06)


def test_app_returns_as_on_the_365_platform() -> None:
    active = _days_active("app", 60_000, 31)
    shares = active.mean(axis=0)
    assert shares[0] == pytest.approx(0.393, abs=0.006)
    assert shares[1] == pytest.approx(0.0965, rel=0.12)
    assert shares[7] == pytest.approx(0.0295, rel=0.12)
    assert shares[30] == pytest.approx(0.0117, rel=0.15)
    gradient = _next_day_after_runs(active, (1, 2, 3))
    assert all(later > earlier for earlier, later in pairwise(gradient))


def test_courses_return_as_in_kdd_and_oulad() -> None:
    mooc = _days_active("free_mooc", 20_000, 30)
    assert _after_first(mooc, 1) == pytest.approx(
        0.154, abs=0.015
    )  # of those whose day can be seen; over all of the data .181
    assert _after_first(mooc, 7) == pytest.approx(0.0885, abs=0.012)
    course = _days_active("paid_course", 20_000, 200)
    assert _after_first(course, 14) == pytest.approx(0.45, abs=0.04)
    assert 1.0 - np.mean(course.any(axis=1)) == pytest.approx(0.109, abs=0.01)
    before, after = course[:, :-1], course[:, 1:]
    assert np.mean(after[before]) == pytest.approx(0.554, abs=0.03)


def _after_first(active: NDArray[np.bool_], days: int) -> float:
    first = active.argmax(axis=1)
    seen = active.any(axis=1) & (first + days < active.shape[1])
    return float(np.mean(active[seen, first[seen] + days]))


def test_an_active_day_has_a_median_of_eleven_actions_and_begins_in_the_evening() -> None:
    world, records = make_world("free_mooc", 20_000), record.new_records(20_000, MONDAY)
    minutes = world.plan(MONDAY, records, inbox(20_000))
    counts = np.bincount(world.events(MONDAY, records, inbox(20_000))["learner"])
    assert np.median(counts[counts > 0]) == pytest.approx(11, abs=2)
    hours = np.bincount(minutes[minutes < 1440] // 60, minlength=24)
    assert 18 <= hours.argmax() <= 21
