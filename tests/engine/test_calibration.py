"""Calibration: a probability that is what happens to learners with a score, and an interval that says how surely."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import EngageError, InputError
from engine.risk.calibrate import calibrate
from engine.risk.calibration import Calibration
from engine.risk.rows import Rows

Numbers = NDArray[np.float64]
Truth = Callable[[Numbers], Numbers]

BINS = 50


def logistic(log_odds: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-log_odds)), np.float64)


TRUTHS: dict[str, Truth] = {
    "scores too cautious": lambda scores: logistic(1.5 * scores),
    "scores too extreme": lambda scores: logistic(0.5 * scores - 1),
    "hardly anybody drops off": lambda scores: logistic(scores - 4),
    "no logistic curve": lambda scores: 0.1 + 0.6 * logistic(4 * scores),
    "a step": lambda scores: np.where(scores > 0.3, 0.75, 0.15),
}
"""What becomes of simulated learners: the known probability of drop-off for each score."""


def learners(truth: Truth, count: int, seed: int) -> tuple[Numbers, NDArray[np.bool_]]:
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=count)
    return scores, draw.random(count) < truth(scores)


def by_bins(truth: Truth, count: int, seed: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Calibrate on learners; return of each bin of scores what is known, and what low, p and high say."""
    scores, dropped = learners(truth, count, seed)
    table = calibrate(scores, dropped, np.ones(count))
    bins = np.sort(scores).reshape(min(BINS, count), -1)
    low, p, high = (np.interp(bins, table.knots, each).mean(axis=1) for each in (table.low, table.p, table.high))
    return truth(bins).mean(axis=1), low, p, high


@pytest.mark.parametrize("truth", list(TRUTHS.values())[:4], ids=list(TRUTHS)[:4])
def test_the_probability_is_within_a_few_hundredths_of_the_known_one_in_every_bin(truth: Truth) -> None:
    worst = []
    for seed in range(10):
        known, _, p, _ = by_bins(truth, 20_000, seed)
        worst.append(np.abs(p - known).max())
    assert max(worst) < 0.06 and np.mean(worst) < 0.04


@pytest.mark.parametrize(
    ("name", "count", "share"),
    [
        *((name, count, 0.95) for name in list(TRUTHS)[:4] for count in (500, 2_000, 20_000)),
        *((name, 100, 0.95) for name in list(TRUTHS)[:2]),
        *((name, 40, 0.9) for name in ("scores too cautious", "no logistic curve")),
        *(("a step", count, 0.9) for count in (500, 2_000, 20_000)),  # between two knots a step is a slope
        ("a step", 100, 0.85),
        ("a step", 40, 0.8),
    ],
)
def test_the_interval_holds_the_known_probability_as_often_as_it_says(name: str, count: int, share: float) -> None:
    held = []
    for seed in range(10):
        known, low, _, high = by_bins(TRUTHS[name], count, seed)
        held.append(((low <= known) & (known <= high)).mean())
    assert np.mean(held) >= share


def test_a_higher_score_is_a_higher_risk_between_any_two_knots() -> None:
    for truth in TRUTHS.values():
        table = calibrate(*learners(truth, 2_000, 1), np.ones(2_000))
        assert (np.diff(table.knots) > 0).all() and (np.diff(table.p) > 0).all()


def test_fewer_witnesses_give_less_confidence() -> None:
    scores, dropped = learners(logistic, 2_000, 3)
    widths = []
    for weight in (1.0, 0.05, 0.02):
        table = calibrate(scores, dropped, np.full(2_000, weight))
        widths.append((table.high - table.low).mean())
    assert widths[1] > 1.5 * widths[0] and widths[2] > 0.4  # of forty witnesses


def test_a_learner_who_is_told_of_on_ten_days_is_one_witness() -> None:
    scores, dropped = learners(logistic, 2_000, 4)
    witness = np.repeat(np.arange(2_000), 10)
    nothing, day = np.zeros(len(witness), np.int64), np.tile(np.arange(21, 31), 2_000)
    told = Rows((), np.empty((len(witness), 0)), dropped[witness], nothing, witness, day, nothing)
    assert told.witness_weights().sum() == pytest.approx(2_000)
    at = np.linspace(-2, 2, 401)
    once = calibrate(scores, dropped, np.ones(2_000)).scores(at)[:, 1]
    often = calibrate(scores[witness], told.dropped, told.witness_weights()).scores(at)[:, 1]
    counted_as_many = calibrate(scores[witness], told.dropped, told.weights()).scores(at)[:, 1]
    assert often.mean() == pytest.approx(once.mean(), abs=0.5)
    assert 100 - counted_as_many.mean() < 0.7 * (100 - once.mean())


@given(st.integers(2, 12), st.integers(0, 2**32))
def test_learners_with_equal_scores_have_one_risk_however_many_they_are(levels: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    values = np.cumsum(draw.uniform(0.3, 1, levels))
    values -= values.mean()
    scores = values[draw.integers(0, levels, 3_000)]
    dropped = draw.random(3_000) < logistic(3 * scores)
    table = calibrate(scores * (1 + 1e-15 * draw.integers(-3, 4, 3_000)), dropped, draw.random(3_000))
    assert len(table.knots) <= levels and (np.diff(table.p) > 0).all()


@pytest.mark.parametrize("turned", [0.0, -1.0], ids=["all the same", "the wrong way round"])
def test_scores_that_do_not_tell_learners_apart_are_refused(turned: float) -> None:
    scores, dropped = learners(lambda scores: logistic(3 * scores), 2_000, 5)
    with pytest.raises(EngageError, match="do not tell learners apart"):
        calibrate(turned * scores, dropped, np.ones(2_000))


@pytest.mark.parametrize("everybody", [True, False])
def test_learners_of_whom_everybody_or_nobody_drops_off_are_refused(everybody: bool) -> None:
    with pytest.raises(EngageError, match="200 of 200" if everybody else "0 of 200"):
        calibrate(np.linspace(-1, 1, 200), np.full(200, everybody), np.ones(200))


def test_scores_that_tell_learners_apart_without_an_error_are_calibrated_too() -> None:
    scores = np.linspace(-3, 3, 2_000)
    found = calibrate(scores, scores > 0, np.ones(2_000)).scores(np.array([-2.0, 2.0]))
    assert found[0, 0] < 5 and found[1, 0] > 95


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=2, max_size=9), st.integers(0, 2**32))
def test_scores_are_those_of_the_table_linear_between_knots_and_constant_beyond(
    table: list[tuple[float, float, float]], seed: int
) -> None:
    draw = np.random.default_rng(seed)
    knots = np.cumsum(draw.uniform(0.01, 2, len(table))) - 3
    low, p, high = np.sort(np.array(table), axis=1).T
    at = np.concatenate([knots, draw.uniform(-8, 20, 50)])
    found = Calibration(knots, low, p, high).scores(at)
    risk, width = 100 * np.interp(at, knots, p), 100 * np.interp(at, knots, high - low)
    np.testing.assert_allclose(found, np.stack([risk, 100 - width], axis=1), rtol=0, atol=1e-9)
    assert found.min() >= -1e-9 and found.max() <= 100 + 1e-9


@pytest.mark.parametrize(
    "table",
    [
        ([0.0], [0.1], [0.2], [0.3]),
        ([0.0, 0.0], [0.1, 0.1], [0.2, 0.2], [0.3, 0.3]),
        ([0.0, 1.0], [0.1, 0.3], [0.2, 0.2], [0.3, 0.3]),
        ([0.0, 1.0], [0.1, 0.1], [0.2, 0.2], [0.3, 1.1]),
        ([0.0, 1.0], [0.1, 0.1], [0.2, np.nan], [0.3, 0.3]),
        ([0.0, 1.0], [0.1, 0.1], [0.2, 0.2], [0.3]),
    ],
    ids=["one knot", "a knot twice", "low above p", "above 1", "no number", "one too few"],
)
def test_a_table_that_is_none_is_refused(table: tuple[list[float], ...]) -> None:
    with pytest.raises(InputError, match="do not fit together"):
        Calibration(*(np.array(each) for each in table))
