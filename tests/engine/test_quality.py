"""Quality: measures of predictions, what an alert budget holds, and how far other learners would have moved them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from engine.risk import intervals
from engine.risk.intervals import Tally
from engine.risk.quality import BUDGETS, at_budgets, measures

Numbers = NDArray[np.float64]


def panel(learners: int, days: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.bool_], Numbers]:
    """Return days of learners who each have a probability of their own, which is also what is predicted."""
    draw = np.random.default_rng(seed)
    chance = np.repeat(draw.beta(1, 3, learners), days)
    return np.repeat(np.arange(learners), days), draw.random(len(chance)) < chance, chance


def area(dropped: NDArray[np.bool_], chance: Numbers, weights: Numbers) -> dict[str, float]:
    return {"auc": float(roc_auc_score(dropped, chance, sample_weight=weights))}


def test_measures_are_those_of_the_textbook() -> None:
    _, dropped, chance = panel(5_000, 1, 1)
    found = measures(dropped, chance, np.ones(len(dropped)))
    assert found["auc"] == pytest.approx(roc_auc_score(dropped, chance))
    assert found["average_precision"] == pytest.approx(average_precision_score(dropped, chance))
    assert found["brier"] == pytest.approx(brier_score_loss(dropped, chance))
    assert found["calibration_slope"] == pytest.approx(1, abs=0.15)
    extreme = 1 / (1 + np.exp(-2 * np.log(np.clip(chance, 1e-3, 0.999) / np.clip(1 - chance, 1e-3, 1))))
    assert measures(dropped, extreme, np.ones(len(dropped)))["calibration_slope"] == pytest.approx(0.5, abs=0.1)


def test_of_one_outcome_there_is_nothing_to_measure() -> None:
    found = measures(np.zeros(4, bool), np.linspace(0, 1, 4), np.ones(4))
    assert (found["auc"], found["brier"], found["base_rate"]) == (None, None, 0.0)
    assert measures(np.zeros(0, bool), np.zeros(0), np.ones(0))["base_rate"] is None


def test_a_budget_takes_the_highest_and_a_part_of_those_that_tie_at_its_edge() -> None:
    dropped = np.arange(100) >= 90
    whole = at_budgets(dropped, np.arange(100.0), np.ones(100))
    assert whole == pytest.approx({
        "recall_1%": 0.1, "precision_1%": 1.0, "recall_5%": 0.5, "precision_5%": 1.0, "recall_10%": 1.0,
        "precision_10%": 1.0,
    })  # fmt: skip
    tied = at_budgets(dropped, np.zeros(100), np.ones(100))
    assert [tied[f"precision_{budget:.0%}"] for budget in BUDGETS] == pytest.approx([0.1] * 3)
    assert [tied[f"recall_{budget:.0%}"] for budget in BUDGETS] == pytest.approx(BUDGETS)
    assert at_budgets(np.zeros(5, bool), np.zeros(5), np.ones(5))["recall_1%"] is None


@given(st.integers(0, 2**32))
def test_weights_say_the_same_as_copies(seed: int) -> None:
    draw = np.random.default_rng(seed)
    copies = draw.integers(1, 4, 60)
    dropped, chance = draw.random(60) < 0.4, draw.integers(0, 12, 60) / 12
    weighted = at_budgets(dropped, chance, copies.astype(float))
    assert weighted == pytest.approx(
        at_budgets(np.repeat(dropped, copies), np.repeat(chance, copies), np.ones(copies.sum()))
    )


def test_an_interval_by_learner_holds_the_truth_and_one_by_day_does_not() -> None:
    """A learner's days all have one outcome here: 40 days are one witness."""
    truth, held = 0.25, {"learner": 0, "day": 0}
    for seed in range(100):
        draw = np.random.default_rng(seed)
        learner = np.repeat(np.arange(150), 40)
        hit = (draw.random(150) < truth)[learner]
        for name, who in (("learner", learner), ("day", np.arange(len(learner)))):
            value, interval = intervals.share(who, hit, seed)
            assert interval is not None and value == hit.mean()
            held[name] += interval[0] <= truth <= interval[1]
    assert 88 <= held["learner"] <= 99  # 95 within the binomial's 99.9%
    assert held["day"] < 50


def test_intervals_of_measures_are_as_wide_as_redrawing_learners_makes_them() -> None:
    learner, dropped, chance = panel(400, 5, 2)
    tally = Tally(learner, dropped, chance)
    assert set(tally.intervals(measures, count=20)) == set(measures(dropped, chance, np.ones(len(dropped)))) - {
        "learner_days"
    }
    told = tally.intervals(area, count=2_000)
    draw = np.random.default_rng(3)
    drawn = []
    for _ in range(2_000):
        rows = (draw.integers(0, 400, 400)[:, None] * 5 + np.arange(5)).ravel()
        drawn.append(roc_auc_score(dropped[rows], chance[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert told["auc"] == pytest.approx((low, high), abs=0.003)


def test_draws_are_the_same_again_and_others_for_another_seed() -> None:
    tally = Tally(*panel(50, 3, 4))
    assert tally.replicates(1, 60).tobytes() == tally.replicates(1, 60).tobytes()
    assert tally.replicates(1, 60).tobytes() != tally.replicates(2, 60).tobytes()
    assert (tally.replicates(1, 60).sum(axis=1) == 150).all()


def test_thousands_of_levels_fall_into_bins_that_hardly_move_a_measure() -> None:
    learner, dropped, chance = panel(20_000, 1, 5)
    tally = Tally(learner, dropped, chance)
    once = tally.replicates(0, 1)[0]
    assert len(once) <= 2_000 and len(np.unique(chance)) == 20_000
    every = np.asarray(Tally(learner, dropped, chance)._counts.sum(axis=0)).ravel()  # everyone once
    there = every > 0
    binned = measures(tally.dropped[there], tally.predicted[there], every[there])
    whole = measures(dropped, chance, np.ones(len(dropped)))
    assert [binned[name] for name in ("auc", "brier")] == pytest.approx(
        [whole[name] for name in ("auc", "brier")], abs=2e-5
    )


def test_no_flags_have_no_share() -> None:
    assert intervals.share(np.zeros(0, np.int64), np.zeros(0, bool)) == (None, None)


def test_a_comparison_is_of_the_same_learners_and_so_much_narrower_than_both() -> None:
    learner, dropped, chance = panel(1_000, 2, 6)
    other = np.clip(chance + np.random.default_rng(7).normal(0, 0.1, len(chance)), 0, 1)
    found = intervals.compared(learner, dropped, chance, other, measures)
    difference, (low, high) = found["auc"]
    alone = Tally(learner, dropped, chance).intervals(measures)["auc"]
    assert 0 < low < difference < high and high - low < (alone[1] - alone[0]) / 1.5
    assert difference == pytest.approx(roc_auc_score(dropped, chance) - roc_auc_score(dropped, other))
    assert set(intervals.compared(learner, dropped, chance, chance, measures).values()) == {(0.0, (0.0, 0.0))}
