"""The negative control: where nothing responds to messages, no policy is found to work, by twins or by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actors.cohort import Cohort
from actors.directory import in_blocks
from actors.local import LocalRuntime
from actors.scoring import DirectScorer, ScoringActor
from engine import policies
from engine.errors import InputError
from engine.experiments import assignment
from engine.experiments.comparison import compare
from engine.policies import NO_MESSAGE
from engine.risk import model as risk_model
from simulation import harness, scenario
from simulation.metrics import METRICS
from simulation.scenario import Arm
from tests.faults.scene import FLAGSHIP, specs

OFF = FLAGSHIP.model_copy(update={"responses": "off", "claims": ()})
SEEDS = 200


def test_twins_differ_by_exactly_nothing_whatever_the_policy(tmp_path: Path) -> None:
    arms = tuple(
        Arm(id=arm.id, policy=arm.policy, params=arm.params, control=arm.control)
        for arm in scenario.load("policies").arms
    )
    assert {arm.policy for arm in arms} == set(policies.names())
    plan = OFF.model_copy(update={"arms": arms}).with_overrides(learners=200, days=25, replications=1)
    runtime = LocalRuntime(specs(in_blocks(200, actors=1), plan), risk_model.load(), tmp_path)
    counts = harness.simulate(plan, in_blocks(200, actors=1), runtime).counts[0]
    # Sends differ, and what follows from having been sent something: signals, so risk, so bands.
    lived = [place for place, name in enumerate(METRICS) if not name.startswith(("sent_", "standing_"))]
    for place in range(1, len(arms)):
        np.testing.assert_array_equal(counts[place][:, :, lived], counts[0][:, :, lived], arms[place].id)
    sent = [METRICS.index(name) for name in METRICS if name.startswith("sent_")]
    senders = {arm.id for place, arm in enumerate(arms) if counts[place][:, :, sent].sum() > 20}
    assert senders >= {arm.id for arm in arms} - {"control", "oracle", "outreach_capacity"}
    assert counts[[arm.id for arm in arms].index("oracle")][:, :, sent].sum() == 0  # it knows that nothing helps


def test_a_randomised_experiment_rejects_at_its_nominal_rate() -> None:
    """Over 200 seeds, two-sided tests at 5% reject 3 to 19 times: the 99% band of a binomial count."""
    plan = OFF.with_overrides(learners=150, days=15, replications=SEEDS)
    plan = plan.model_copy(update={"arms": (plan.arms[0], Arm(id="random", policy="random", params={"rate": 0.5}))})
    (spec,) = specs(in_blocks(150, actors=1), plan)
    cohort = Cohort(spec, DirectScorer(ScoringActor(risk_model.load())))
    rejected = treated_sends = 0
    for seed in range(SEEDS):
        content = {
            "id": f"trial_{seed}",
            "start": "2024-01-08",
            "metrics": ["active_7"],
            "arms": [
                {"id": "control", "policy": "none", "params": {}, "share": 0.5},
                {"id": "random", "policy": "random", "params": {"rate": 0.5}, "share": 0.5},
            ],
        }
        trial = assignment.read("trial", content, assignment.Experiment)
        cohort.begin(seed)
        for day in range(plan.first_day, plan.first_day + plan.days):
            cohort.day(day)
        assigned = np.array([trial.arm_of(f"learner-{k}") == "random" for k in range(150)])
        outcomes = [cohort.records(arm)["active_days"].astype(np.float64) for arm in (0, 1)]
        rejected += compare(outcomes[1][assigned], outcomes[0][~assigned]).p_value < 0.05
        treated_sends += int((cohort.records(1)["sent_day"][assigned] > NO_MESSAGE).sum())
    assert treated_sends > 50 * SEEDS
    assert 3 <= rejected <= 19, rejected


def test_arms_that_differ_are_told_apart_with_their_interval() -> None:
    draw = np.random.default_rng(1)
    found = compare(draw.normal(1.0, 1.0, 400), draw.normal(0.0, 2.0, 900))
    assert found.p_value < 1e-6 and found.low < 1.0 < found.high and found.low > 0.5
    equal = compare(np.ones(5), np.ones(7))
    assert equal.p_value == 1.0 and equal.value == equal.low == equal.high == 0.0
    assert compare(np.ones(5), np.zeros(7)).p_value == 0.0
    with pytest.raises(InputError, match="control arm; got 1 learners"):
        compare(np.ones(5), np.ones(1))
