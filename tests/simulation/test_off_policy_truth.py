"""Off-policy estimates against the truth, which the laboratory knows: the same learners under the other policy.

Learners live three weeks without messages. Then one day is decided at random and logged, and the same day is decided by
the policy that is asked about; nothing more is sent, and a week later both are known. Two hundred logs of some hundred
learners each give the bias and how often the intervals hold the truth.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from actors import simulated_day
from actors.loop import Loop
from actors.scoring import ScoringActor
from engine import chance
from engine.experiments.off_policy import Evaluation
from engine.policies import make
from engine.policies.decisions import MATURE_DAYS
from engine.risk import model as risk_model
from simulation import policy_evaluation
from simulation.policy_evaluation import Reward
from tests.simulation.worlds import MONDAY, RULES, make_world

LOGS, LEARNERS = 200, 600
COUNT = LOGS * LEARNERS
BEFORE = 20
REWARD: Reward = "active_7"
TARGETS = {
    "at_risk": {"from_risk": 20.0, "critical_from": 50.0, "critical": ["gentle_reminder", "personalised_content"]},
    "blast": {"kinds": ["personalised_content"]},
    "none": {},
}
ESTIMATORS = ("ips", "snips", "dr")


class Laboratory:
    """Learners on the morning of the day that is decided, to which they can be taken back."""

    def __init__(self) -> None:
        self.scorer = ScoringActor(risk_model.load())
        self.loop = Loop(RULES, make("none"), COUNT, MONDAY, stream=chance.stream(3, 0))
        self.world = make_world("paid_course", COUNT, mode="centre")
        for day in range(MONDAY, MONDAY + BEFORE):
            self._day(day)
        self._close(MONDAY + BEFORE)
        self._kept = {name: array.copy() for name, array in self.loop.state().items()}, self.world.state()

    def _close(self, day: int) -> None:
        self.loop.close(day)
        rows, matrix = self.loop.signals()
        self.loop.apply_scores(rows, self.scorer.score(matrix))

    def _day(self, day: int) -> None:
        self._close(day)
        simulated_day.run(self.loop, self.world, self.loop.context(day, {}), logged=False)

    def log(self, name: str, params: dict[str, Any]) -> Any:
        """Let a policy decide the day; return the decisions a week later."""
        self.loop.restore(self._kept[0])
        self.world.restore(self._kept[1])
        self.loop.policy = make(name, params)
        first = MONDAY + BEFORE
        simulated_day.run(self.loop, self.world, self.loop.context(first, {}))
        self.loop.policy = make("none")
        for day in range(first + 1, first + MATURE_DAYS):
            self._day(day)
        self._close(first + MATURE_DAYS)
        return self.loop.matured(first + MATURE_DAYS)

    def active_days(self) -> Any:
        """Return everybody's active days of the week that has just ended."""
        bits = [self.loop.records["active_bits"][:, (day // 56) % 7] >> (day % 56) & 1 for day in self._week()]
        return np.sum(bits, axis=0)

    def _week(self) -> range:
        return range(MONDAY + BEFORE, MONDAY + BEFORE + MATURE_DAYS)


@cache
def randomised() -> tuple[Laboratory, Any]:
    laboratory = Laboratory()
    return laboratory, laboratory.log("random", {"rate": 0.6})


@cache
def figures(name: str) -> dict[str, tuple[float, int, float]]:
    """Return of each estimator its bias in standard errors, how many intervals hold the truth, and its mean width."""
    laboratory, logged = randomised()
    policy = make(name, TARGETS[name])
    asked = logged["learner"].astype(np.int64)  # who could have been sent something
    laboratory.log(name, TARGETS[name])
    truth = float(laboratory.active_days()[asked].mean())
    found: dict[str, list[tuple[float, bool, float]]] = {estimator: [] for estimator in ESTIMATORS}
    for number in range(LOGS):
        answer = policy_evaluation.evaluate(logged[asked % LOGS == number], policy, REWARD)
        assert isinstance(answer, Evaluation), answer
        for estimator in ESTIMATORS:
            estimate = getattr(answer, estimator)
            held = estimate.low <= truth <= estimate.high
            found[estimator].append((estimate.value, held, estimate.high - estimate.low))
    told = {}
    for estimator, each in found.items():
        values, held, widths = (np.array(column) for column in zip(*each, strict=True))
        error = values.std() / np.sqrt(LOGS)
        told[estimator] = (float((values.mean() - truth) / error), int(held.sum()), float(widths.mean()))
    return told


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", TARGETS)
def test_estimates_are_unbiased_and_their_intervals_hold_the_truth(name: str, estimator: str) -> None:
    """Bias within 3.5 Monte-Carlo errors; of 200 intervals of 95%, 181 to 198 hold the truth (99% band)."""
    bias, held, _ = figures(name)[estimator]
    assert abs(bias) < 3.5
    assert 181 <= held <= 198


def test_a_model_of_rewards_makes_estimates_sharper() -> None:
    assert all(figures(name)["dr"][2] < 0.97 * figures(name)["ips"][2] for name in TARGETS)
