"""The effect of sending: found where chance decided, with intervals that hold, and refused where it did not."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import InputError
from engine.experiments.sending_effect import Effect, by_assignment, by_chance

SEEDS = 200


def decisions(seed: int, learners: int = 300, gain: float = 0.1) -> tuple[np.ndarray, ...]:  # type: ignore[type-arg]  # of several kinds
    """Return decisions of a policy that sends the keen more often; a send raises anybody's chance by the gain."""
    chance = np.random.default_rng(seed)
    learner = np.repeat(np.arange(learners), chance.integers(1, 9, learners))
    keen = np.repeat(chance.uniform(0.1, 0.8, learners), np.bincount(learner))
    nothing = np.clip(1.0 - keen, 0.15, 0.95)
    treated = chance.random(len(learner)) > nothing
    outcome = (chance.random(len(learner)) < keen + gain * treated).astype(float)
    return learner, treated, nothing, outcome


def found(seed: int, gain: float) -> Effect:
    effect = by_chance(*decisions(seed, gain=gain))
    assert isinstance(effect, Effect)
    return effect


@pytest.mark.parametrize("gain", [0.0, 0.1])
def test_its_intervals_hold_the_truth_as_often_as_they_say(gain: float) -> None:
    effects = [found(seed, gain) for seed in range(SEEDS)]
    held = sum(each.difference.low <= gain <= each.difference.high for each in effects)
    assert 181 <= held <= 197, "the 99% binomial band of 95% of 200"
    bias = np.mean([each.difference.value for each in effects]) - gain
    spread = np.std([each.difference.value for each in effects])
    assert abs(bias) < 3 * spread / np.sqrt(SEEDS)
    if gain == 0:
        rejected = sum(each.difference.p_value < 0.05 for each in effects)
        assert 3 <= rejected <= 19


def test_to_compare_as_they_come_would_be_wrong() -> None:
    learner, treated, nothing, outcome = decisions(1, learners=3_000, gain=0.0)
    naive = outcome[treated].mean() - outcome[~treated].mean()
    effect = by_chance(learner, treated, nothing, outcome)
    assert isinstance(effect, Effect)
    assert naive > 0.1 and abs(effect.difference.value) < 0.03


def test_who_could_not_have_been_sent_anything_says_nothing() -> None:
    learner, treated, nothing, outcome = decisions(2)
    more = np.arange(1_000) + 10_000
    again = by_chance(
        np.concatenate([learner, more]), np.concatenate([treated, np.zeros(1_000, bool)]),
        np.concatenate([nothing, np.ones(1_000)]), np.concatenate([outcome, np.ones(1_000)]),
    )  # fmt: skip
    assert again == by_chance(learner, treated, nothing, outcome)


def test_it_is_refused_where_chance_did_not_decide() -> None:
    learner, treated, nothing, outcome = decisions(3)
    everybody = np.ones(len(learner), bool)
    assert by_chance(learner, everybody, nothing, outcome) == "nothing was left to chance"
    assert by_chance(learner, treated, np.where(treated, nothing, 1.0), outcome) == "nothing was left to chance"
    few = learner < 20
    told = by_chance(learner[few], treated[few], nothing[few], outcome[few])
    assert told == "20 learners, fewer than 50"
    assert "came out as nothing" in str(by_chance(learner, treated, np.where(learner == 0, nothing, 1.0), outcome))
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="chance of nothing"):
            by_chance(learner, treated, np.where(treated, nothing, wrong), outcome)


def test_without_any_spread_it_is_certain() -> None:
    learner, treated, nothing, outcome = decisions(4)
    effect = by_chance(learner, treated, nothing, np.ones_like(outcome))
    assert isinstance(effect, Effect)
    assert (effect.difference.value, effect.difference.p_value) == (0.0, 1.0)


def test_assignment_tells_by_learners() -> None:
    chance = np.random.default_rng(5)
    arm, holdout = ((chance.random(400) < share).astype(float) for share in (0.5, 0.4))
    effect = by_assignment(arm, holdout)
    assert isinstance(effect, Effect)
    assert (effect.outcome, effect.expected, effect.learners) == (arm.mean(), holdout.mean(), 800)
    assert effect.difference.low < 0.1 < effect.difference.high
    assert by_assignment(arm, holdout[:49]) == "49 exposed learners in one of both, fewer than 50"
