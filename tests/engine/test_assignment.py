"""Assignment: who gets which arm is fair, permanent and independent of every other experiment."""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine import chance
from engine.errors import InputError
from engine.experiments.assignment import HOLDOUT, Experiment, exposed, read
from engine.policies import Context, make

TINY_P = 1e-4  # every test here is deterministic; a p-value below this would be a defect and not bad luck
LEARNERS = [f"u-{number}" for number in range(100_000)]

TOML = """
id = "reminders"
holdout = 0.1
start = 2026-03-02
metrics = ["active_3", "active_7"]

[[arms]]
id = "as_before"
policy = "none"
share = 0.5

[[arms]]
id = "now_and_then"
policy = "random"
params = { rate = 0.3 }
share = 0.3

[[arms]]
id = "often"
policy = "random"
params = { rate = 0.6 }
share = 0.2
"""


def content(**changes: Any) -> dict[str, Any]:
    return {**tomllib.loads(TOML), **changes}


def experiment(**changes: Any) -> Experiment:
    return read("reminders.toml", content(**changes), Experiment)


def arms(*shares: float) -> list[dict[str, Any]]:
    return [{"id": f"arm_{place}", "policy": "none", "share": share} for place, share in enumerate(shares)]


def counts(of: Experiment, learners: list[str] = LEARNERS) -> Counter[str]:
    return Counter(of.arm_of(learner) for learner in learners)


def test_an_experiment_is_read_from_a_file() -> None:
    read_ = experiment()
    assert (read_.first_day, read_.metrics) == (20_514, ("active_3", "active_7"))
    assert read_.policies() == {
        "as_before": make("none"),
        "now_and_then": make("random", {"rate": 0.3}),
        "often": make("random", {"rate": 0.6}),
        HOLDOUT: make("none"),
    }


def test_an_experiment_survives_json() -> None:
    assert read("request", experiment().model_dump(mode="json"), Experiment) == experiment()


def test_fixed_learners_keep_their_arms_for_ever() -> None:
    learners = ["u-1", "u-17", "ada", "学习者", "", "0"]
    assert [experiment().arm_of(learner) for learner in learners] == [
        "often",
        HOLDOUT,
        "now_and_then",
        "as_before",
        "now_and_then",
        "now_and_then",
    ]
    assert [experiment(id="streaks").arm_of(learner) for learner in learners] == [
        "now_and_then",
        HOLDOUT,
        "often",
        "as_before",
        "often",
        "now_and_then",
    ]


def test_learners_spread_over_arms_by_their_shares() -> None:
    found = counts(experiment())
    expected = {HOLDOUT: 0.1, "as_before": 0.45, "now_and_then": 0.27, "often": 0.18}
    observed = [found[arm] for arm in expected]
    assert stats.chisquare(observed, len(LEARNERS) * np.array(list(expected.values()))).pvalue > TINY_P


def test_learners_spread_evenly_over_a_hundred_arms() -> None:
    found = counts(experiment(arms=arms(*[0.01] * 100), holdout=0.0))
    assert len(found) == 100
    assert stats.chisquare(list(found.values())).pvalue > TINY_P


@pytest.mark.parametrize("ids", [("reminders", "streaks"), ("a", "b"), ("test_1", "test_2")])
def test_two_experiments_divide_learners_independently(ids: tuple[str, str]) -> None:
    one, two = (experiment(id=each, holdout=0.0) for each in ids)
    both = Counter((one.arm_of(learner), two.arm_of(learner)) for learner in LEARNERS)
    names = [arm.id for arm in one.arms]
    table = [[both[a, b] for b in names] for a in names]
    assert stats.chi2_contingency(table).pvalue > TINY_P


def test_a_learner_of_the_holdout_is_in_it_in_every_experiment() -> None:
    one, two = experiment(), experiment(id="streaks", arms=arms(0.5, 0.5))
    assert {learner for learner in LEARNERS if one.arm_of(learner) == HOLDOUT} == {
        learner for learner in LEARNERS if two.arm_of(learner) == HOLDOUT
    }


def test_a_greater_holdout_keeps_who_was_in_it_and_the_arms_of_all_who_stay_out() -> None:
    small, great = experiment(holdout=0.05), experiment(holdout=0.2)
    for learner in LEARNERS[:10_000]:
        assert great.arm_of(learner) in (HOLDOUT, small.arm_of(learner))


def test_arms_are_independent_of_the_holdout() -> None:
    free, held = experiment(holdout=0.0), experiment(holdout=0.5)
    both = Counter((held.arm_of(learner) == HOLDOUT, free.arm_of(learner)) for learner in LEARNERS)
    table = [[both[out, arm.id] for arm in free.arms] for out in (False, True)]
    assert stats.chi2_contingency(table).pvalue > TINY_P


@given(st.text())
def test_every_learner_has_the_same_arm_at_every_call(learner: str) -> None:
    first = experiment().arm_of(learner)
    assert first in {"as_before", "now_and_then", "often", HOLDOUT}
    assert experiment().arm_of(learner) == first


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_other_shares_of_two_arms_move_learners_one_way_only(before: float, after: float) -> None:
    old, new = (experiment(arms=arms(share, 1 - share), holdout=0.0) for share in (before, after))
    moves = {(old.arm_of(learner), new.arm_of(learner)) for learner in LEARNERS[:500]}
    grown, shrunk = ("arm_0", "arm_1") if after > before else ("arm_1", "arm_0")
    assert (grown, shrunk) not in moves


def test_shares_that_round_are_taken_for_their_sum() -> None:
    assert set(counts(experiment(arms=arms(*[1 / 3] * 3)), LEARNERS[:1000])) == {"arm_0", "arm_1", "arm_2", HOLDOUT}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"arms": arms(0.5, 0.4)},
            ["'reminders': shares of the arms; got 0.5 (arm_0) + 0.4 (arm_1) = 0.9; expected a sum of 1"],
        ),
        ({"arms": arms(0.5, 0.5001)}, ["= 1.0001"]),
        ({"arms": arms(1.0), "holdout": 0.0}, ["'arm_0' alone and no holdout", "a second arm"]),
        ({"arms": [*arms(0.5), *arms(0.5)]}, ["arms", "'arm_0' more than once"]),
        ({"arms": [{**arms(1.0)[0], "id": HOLDOUT}]}, ["'holdout' more than once", "'holdout' is the holdout's"]),
        ({"arms": [{**arms(1.0)[0], "policy": "randm"}]}, ["arm 'arm_0'", "'randm'", "Did you mean 'random'?"]),
        (
            {"arms": [{**arms(1.0)[0], "policy": "random", "params": {"rate": 2.0}}]},
            ["arm 'arm_0'", "policy 'random': rate", "2.0"],
        ),
        ({"arms": [{**arms(1.0)[0], "shre": 1.0}]}, ["arms.0.shre", "unknown key", "Did you mean 'share'?"]),
        ({"arms": arms(1.5)}, ["arms.0.share", "1.5"]),
        ({"arms": [{**arms(1.0)[0], "share": "1"}]}, ["arms.0.share", "'1'"]),
        ({"arms": []}, ["arms", "at least 1"]),
        ({"metrics": ["active_3", "active_3"]}, ["metrics", "'active_3' more than once"]),
        ({"metrics": []}, ["metrics", "at least 1"]),
        ({"metrics": ["clicks"]}, ["metrics", "'active_1', 'active_3' or 'active_7'"]),
        ({"hold_out": 0.1}, ["hold_out", "Did you mean 'holdout'?"]),
        ({"holdout": 1.0}, ["holdout", "1.0"]),
        ({"holdout": True}, ["holdout", "True"]),
        ({"id": "Reminders"}, ["id", "'Reminders'"]),
        ({"start": "soon"}, ["start", "'soon'"]),
    ],
)
def test_what_is_wrong_with_an_experiment_is_named(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        experiment(**changes)
    assert [word for word in ["reminders.toml: ", *words] if word not in str(caught.value)] == []


def test_a_missing_entry_is_named() -> None:
    lacking = content()
    del lacking["start"]
    with pytest.raises(InputError, match=r"reminders\.toml: start; got nothing"):
        read("reminders.toml", lacking, Experiment)


def test_learners_are_exposed_where_some_arm_might_have_treated_them_otherwise() -> None:
    context = Context(
        day=20_514,
        learners=np.arange(2),
        risk=np.array([90.0, 90.0]),
        standing=np.zeros(2, np.uint8),
        eligible=np.array([0, 1], np.uint16),
        stream=chance.stream(1, 0),
    )
    chances = {arm: policy.chances(context) for arm, policy in experiment().policies().items()}
    assert exposed(list(chances.values())).tolist() == [False, True]
    assert exposed([chances["as_before"], chances[HOLDOUT]]).tolist() == [False, False]
    assert exposed([chances["now_and_then"], chances["often"]]).tolist() == [False, True]
