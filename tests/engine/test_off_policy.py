"""Off-policy evaluation: against the exact truth of a small world, and where a log must not be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from engine.errors import InputError
from engine.experiments.off_policy import Estimate, Evaluation, Log, Refusal, cross_fit, evaluate

Numbers = NDArray[np.float64]

LOGS = 200
LEARNERS = 200
# A world of four situations and three actions, the last of which is nothing; in situation 3 action 1 is not to be had.
REWARDS = np.array([[0.30, 0.55, 0.25], [0.45, 0.40, 0.50], [0.70, 0.60, 0.65], [0.50, 0.00, 0.35]])
LOGGING = np.array([[0.30, 0.20, 0.50], [0.20, 0.30, 0.50], [0.40, 0.30, 0.30], [0.40, 0.00, 0.60]])
TARGET = np.array([[0.10, 0.70, 0.20], [0.05, 0.05, 0.90], [0.90, 0.05, 0.05], [0.80, 0.00, 0.20]])
HOME = np.array([0.4, 0.3, 0.2, 0.1])
AT_HOME = 0.7  # share of a learner's decisions that are in the learner's own situation
# Learners differ by what no feature shows: the keen have a greater chance of every reward, and more decisions.
KEEN = np.array([-0.25, 0.25])
DECISIONS = np.array([6, 18])


def truth(chances: Numbers) -> float:
    """Return the exact mean reward a decision; situations are met as often by the keen as by the others."""
    of_situation = (chances * REWARDS).sum(axis=1) + np.average(KEEN, weights=DECISIONS)
    return float(HOME @ of_situation)


@dataclass(frozen=True)
class World:
    """A log with all that made it."""

    log: Log
    situation: NDArray[np.int64]
    action: NDArray[np.int64]
    target: Numbers

    def modelled(self) -> Log:
        """Return the log with a model that knows a situation by its number."""
        features = np.eye(len(HOME))[self.situation]
        features[:, 0] = 1.0
        logged, expected = cross_fit(
            self.log.learner, features, self.action, self.log.reward, self.target[self.situation]
        )
        return replace(self.log, expected_logged=logged, expected_target=expected)

    def mistaken(self) -> Log:
        """Return the log with a model that has everything upside down."""
        wrong = 1.0 - REWARDS
        expected = (self.target * wrong).sum(axis=1)[self.situation]
        return replace(self.log, expected_logged=wrong[self.situation, self.action], expected_target=expected)


def world(seed: int, logging: Numbers = LOGGING, target: Numbers = TARGET, learners: int = LEARNERS) -> World:
    draw = np.random.default_rng(seed)
    keen = draw.integers(2, size=learners)
    home = draw.choice(len(HOME), p=HOME, size=learners)
    learner = np.repeat(np.arange(learners), DECISIONS[keen])
    elsewhere = draw.choice(len(HOME), p=HOME, size=len(learner))
    situation = np.where(draw.random(len(learner)) < AT_HOME, home[learner], elsewhere)
    action = (draw.random(len(learner))[:, None] > logging.cumsum(axis=1)[situation]).sum(axis=1)
    chance = REWARDS[situation, action] + KEEN[keen[learner]]
    reward = (draw.random(len(learner)) < chance).astype(float)
    unsupported = (target * (logging == 0)).sum(axis=1)[situation]
    log = Log(learner, logging[situation, action], target[situation, action], reward, unsupported)
    return World(log, situation, action, target)


def evaluated(log: Log) -> Evaluation:
    found = evaluate(log)
    assert isinstance(found, Evaluation), found
    return found


def refused(log: Log) -> str:
    found = evaluate(log)
    assert isinstance(found, Refusal)
    return "; ".join(found.reasons)


@cache
def trials() -> dict[str, list[Estimate]]:
    """Return each estimator's answer to many logs."""
    told: dict[str, list[Estimate]] = {name: [] for name in ("ips", "snips", "dr", "mistaken dr", "careless ips")}
    for seed in range(LOGS):
        made = world(seed)
        found = evaluated(made.modelled())
        wrong = evaluated(made.mistaken()).dr
        careless = evaluated(replace(made.log, learner=np.arange(len(made.log.learner))))
        assert found.dr and wrong
        for name, estimate in zip(told, (found.ips, found.snips, found.dr, wrong, careless.ips), strict=True):
            told[name].append(estimate)
    return told


def covered(name: str) -> int:
    return sum(each.low <= truth(TARGET) <= each.high for each in trials()[name])


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "mistaken dr"])
def test_estimates_are_right_on_average_and_intervals_hold_the_truth_19_times_in_20(name: str) -> None:
    values = np.array([each.value for each in trials()[name]])
    spread = values.std(ddof=1)
    assert abs(values.mean() - truth(TARGET)) < 3 * spread / np.sqrt(LOGS)
    told = np.mean([each.standard_error for each in trials()[name]])
    assert told == pytest.approx(spread, rel=0.15)  # a spread of 200 numbers errs by 5%
    least, most = stats.binom.interval(0.99, LOGS, 0.95)
    assert least <= covered(name) <= most


def test_intervals_that_take_decisions_for_independent_are_too_short() -> None:
    assert covered("careless ips") < stats.binom.ppf(0.005, LOGS, 0.95)


def test_a_model_and_normalised_weights_make_intervals_narrower() -> None:
    width = {name: np.mean([each.high - each.low for each in found]) for name, found in trials().items()}
    assert width["dr"] < width["snips"] < width["ips"]


def test_a_policy_that_is_the_logs_own_earned_what_the_log_earned() -> None:
    made = world(1, target=LOGGING)
    found = evaluated(made.modelled())
    mean = made.log.reward.mean()
    assert found.ips.value == mean and found.snips.value == pytest.approx(mean, rel=1e-12)
    assert (found.diagnostics.mean_weight, found.diagnostics.mean_weight_z) == (1.0, 0.0)
    assert found.diagnostics.effective_size == pytest.approx(len(made.log.reward))


def test_with_one_decision_a_learner_the_interval_is_that_of_a_mean() -> None:
    reward = np.random.default_rng(3).random(80)
    ones = np.ones(80)
    found = evaluated(Log(np.arange(80), ones, ones, reward)).ips
    low, high = stats.t.interval(0.95, 79, reward.mean(), stats.sem(reward))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_diagnostics_are_those_of_a_log_done_by_hand() -> None:
    # Weights 2 for 60 decisions and 0 for 60: half of the log counts.
    learner = np.repeat(np.arange(60), 2)
    target = np.tile([1.0, 0.0], 60)
    reward = np.tile([1.0, 0.0, 0.0, 0.0], 30)
    found = evaluated(Log(learner, np.full(120, 0.5), target, reward)).diagnostics
    assert (found.decisions, found.learners, found.effective_size, found.greatest_weight) == (120, 60, 60.0, 2.0)
    assert (found.mean_weight, found.mean_weight_z) == (1.0, 0.0)
    assert found.top_share == pytest.approx(2 * 2 / 120)  # two of 120 are the heaviest 1%, rounded up
    assert found.unsupported_mass is None and found.unsupported_decisions is None


def test_mass_beyond_the_log_is_expected_to_be_missing_from_the_weights() -> None:
    learner, ones = np.repeat(np.arange(60), 2), np.ones(120)
    beyond = np.tile([0.01, 0.0], 60)
    missing = evaluate(Log(learner, ones, 1 - beyond, ones, beyond)).diagnostics
    assert missing and (missing.unsupported_mass, missing.unsupported_decisions) == pytest.approx((0.005, 0.5))
    assert (missing.mean_weight, missing.mean_weight_z) == (pytest.approx(0.995), 0.0)
    unexplained = evaluate(Log(learner, ones, 1 - beyond, ones)).diagnostics
    assert unexplained and unexplained.mean_weight_z < -4


def test_a_log_without_propensities_is_refused() -> None:
    log = world(1).log
    for missing in (0.0, np.nan, -0.5, 1.5):
        logged = log.logged.copy()
        logged[[3, 5]] = missing
        assert refused(replace(log, logged=logged)).startswith(f"2 of {len(logged)} decisions without a propensity")
    none = np.zeros(0)
    assert refused(Log(none, none, none, none)) == "no decisions"


def test_a_deterministic_log_tells_of_no_other_policy() -> None:
    always = np.tile([1.0, 0.0, 0.0], (4, 1))
    assert "every logged propensity is 1" in refused(world(1, always, TARGET).log)
    assert evaluated(world(1, always, always).log).ips.value == world(1, always, always).log.reward.mean()


def test_a_log_of_few_learners_is_refused() -> None:
    assert "30 learners, fewer than 50" in refused(world(1, learners=30).log)


def test_a_log_in_which_few_decisions_would_have_been_the_same_is_refused() -> None:
    rarely = np.tile([0.005, 0.0, 0.995], (4, 1))
    reasons = refused(world(1, rarely, np.tile([1.0, 0.0, 0.0], (4, 1))).log)
    assert "fewer than 50" in reasons and "less than 1%" in reasons


def test_a_log_that_never_did_what_the_target_does_is_refused() -> None:
    never = LOGGING.copy()
    never[2] = [0.0, 0.5, 0.5]
    made = world(1, never)
    met = 0.9 * (made.situation == 2).mean()
    assert f"{met:.2%} of what the target does the log could not have done" in refused(made.log)
    # Without being told, it shows in the mean weight.
    reasons = refused(replace(made.log, target_unsupported=None))
    assert f"the mean weight is {(made.log.target / made.log.logged).mean():.3f}" in reasons


def test_propensities_that_are_not_the_logs_own_are_noticed() -> None:
    # The chance of a message's type among messages, where the chance of any message was left out.
    made = world(1)
    any_message = np.where(made.action == 2, 1.0, 1.0 - LOGGING[made.situation, 2])
    assert "or propensities are wrong" in refused(replace(made.log, logged=made.log.logged / any_message))


def test_rewards_that_never_vary_give_no_interval() -> None:
    log = world(1).log
    assert "all had the same reward" in refused(replace(log, reward=np.zeros(len(log.reward))))


@given(st.integers(0, 2**32), st.floats(-5, 5), st.floats(0.1, 10))
def test_normalised_weights_do_not_mind_where_rewards_begin(seed: int, shift: float, scale: float) -> None:
    log = world(seed, learners=80).log
    assume(isinstance(evaluate(log), Evaluation))  # one honest log in thousands is refused by its mean weight
    plain, moved = (evaluated(replace(log, reward=reward)).snips for reward in (log.reward, shift + scale * log.reward))
    assert moved.value == pytest.approx(shift + scale * plain.value)
    assert moved.standard_error == pytest.approx(scale * plain.standard_error)
    assert 0 <= plain.value <= 1


@given(st.integers(0, 2**32))
def test_neither_the_order_of_rows_nor_the_names_of_learners_matter(seed: int) -> None:
    made = world(seed, learners=80)
    log = made.modelled()
    assume(isinstance(evaluate(log), Evaluation))  # one honest log in thousands is refused by its mean weight
    order = np.random.default_rng(seed).permutation(len(log.reward))
    columns: dict[str, Any] = {name: column[order] for name, column in vars(log).items() if column is not None}
    columns["learner"] = np.array([f"u-{number}" for number in columns["learner"]])
    one, two = evaluated(log), evaluated(Log(**columns))
    for name in ("ips", "snips", "dr"):
        assert vars(getattr(one, name)) == pytest.approx(vars(getattr(two, name)))


def test_a_model_of_nothing_leaves_ips() -> None:
    log = world(1).log
    nothing = np.zeros(len(log.reward))
    found = evaluated(replace(log, expected_logged=nothing, expected_target=nothing))
    assert found.dr == found.ips


def test_no_learners_rewards_predict_that_learner() -> None:
    made = world(1)
    features = np.eye(4)[made.situation] + 1.0
    chances = TARGET[made.situation]

    def expected(reward: Numbers) -> Numbers:
        return np.stack(cross_fit(made.log.learner, features, made.action, reward, chances))

    mine = made.log.learner == 17
    plain, other = expected(made.log.reward), expected(np.where(mine, 100.0, made.log.reward))
    assert (plain[:, mine] == other[:, mine]).all()
    assert (plain[:, ~mine] != other[:, ~mine]).mean() > 0.5


def test_the_model_finds_the_expected_rewards() -> None:
    made = world(1, learners=20_000)
    expected = made.modelled().expected_logged
    assert expected is not None
    for situation, action in np.argwhere(LOGGING):
        found = expected[(made.situation == situation) & (made.action == action)].mean()
        assert found == pytest.approx(REWARDS[situation, action] + np.average(KEEN, weights=DECISIONS), abs=0.02)


def test_an_action_never_logged_is_thought_to_do_what_the_others_do() -> None:
    learner = np.arange(1000)
    reward = (learner % 10 < 3).astype(float)
    never = np.tile([0.0, 1.0], (1000, 1))
    _, expected = cross_fit(learner, np.ones((1000, 1)), np.zeros(1000, np.int64), reward, never)
    assert expected == pytest.approx(np.full(1000, 0.3), abs=0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": np.array([0.5, 1.2])}, ["log: target: row 1", "1.2", "chances from 0 to 1"]),
        ({"reward": np.array([np.nan, 1.0])}, ["log: reward: row 0", "nan", "leave out what is not known yet"]),
        ({"reward": np.zeros(3)}, ["log: reward", "(3,)", "(2,)"]),
        ({"target_unsupported": np.array([-0.1, 0.0])}, ["log: target_unsupported: row 0", "-0.1"]),
        ({"expected_logged": np.zeros(2)}, ["expected_logged, expected_target", "one of them", "both or neither"]),
    ],
)
def test_columns_that_are_no_log_are_named(changes: dict[str, Any], words: list[str]) -> None:
    half = np.full(2, 0.5)
    with pytest.raises(InputError) as caught:
        Log(**{"learner": np.arange(2), "logged": half, "target": half, "reward": half, **changes})
    assert [word for word in words if word not in str(caught.value)] == []


def test_an_action_without_a_column_is_named() -> None:
    with pytest.raises(InputError, match=r"log: action: row 1; got -1; expected actions from 0 to 1"):
        cross_fit(np.arange(2), np.ones((2, 1)), np.array([0, -1]), np.ones(2), np.full((2, 2), 0.5))
