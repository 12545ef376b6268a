"""The decision log: what a simulation logs, its table and back, and what any policy can be asked about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from actors.directory import in_blocks
from engine import rules as engine_rules
from engine.errors import InputError
from engine.experiments.off_policy import Evaluation, Refusal
from engine.notifications.catalogue import catalogue
from engine.policies import NO_MESSAGE, knowledge, make
from engine.policies.decisions import DECISION, REWARD_DAYS, UNKNOWN
from engine.policies.features import ONE
from simulation import decision_log, harness, policy_evaluation, scenario
from simulation.scenario import Arm
from tests.faults.scene import on_one_actor, told, told_all

RULES = engine_rules.load()
DAYS = 20
ARMS = (
    Arm(id="control", policy="none", params={}, control=True),
    Arm(id="random", policy="random", params={"rate": 0.5}),
    Arm(id="at_risk", policy="at_risk", params={}),
    Arm(id="thompson", policy="thompson", params={}),
)
FLAGSHIP = scenario.load("retention_claims").with_overrides(learners=300, days=DAYS, replications=1)
PLAN = FLAGSHIP.model_copy(update={"arms": ARMS, "claims": ()})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return on_one_actor(PLAN, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def logs(run: Any) -> dict[str, Any]:
    return {arm.id: log for arm, log in zip(PLAN.arms, run[0].decisions, strict=True)}


def test_every_decision_is_logged_once_in_order(logs: dict[str, Any]) -> None:
    assert len(logs["control"]) == 0
    for name in ("random", "at_risk", "thompson"):
        keys = [(row["day"], row["learner"]) for row in logs[name]]
        assert keys == sorted(set(keys)) and len(keys) > 100
    assert (logs["at_risk"]["chosen"] != NO_MESSAGE).all()  # never of two minds: only what it sends
    assert (logs["random"]["chosen"] == NO_MESSAGE).mean() == pytest.approx(0.5, abs=0.05)


def test_rewards_are_the_days_that_the_learner_was_active(run: Any, logs: dict[str, Any]) -> None:
    """Told from the final records' bitmaps, for each decision of the last seven days; older ones matured on the way."""
    _, runtime = run
    end = PLAN.first_day + DAYS
    for place, arm in enumerate(PLAN.arms[1:], start=1):
        records, log = harness.records_of(runtime, in_blocks(PLAN.learners, actors=1), place), logs[arm.id]
        for days in REWARD_DAYS:
            for row in log[:: max(1, len(log) // 500)]:
                known = row["day"] + days <= end
                active = sum(_active(records[row["learner"]], int(row["day"]) + ahead) for ahead in range(days))
                assert row[f"active_{days}"] == (active if known else UNKNOWN)


def _active(record: Any, day: int) -> bool:
    return bool(int(record["active_bits"][(day // 56) % 7]) >> (day % 56) & 1)


def test_the_table_says_all_that_the_log_says(logs: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "decisions.parquet"
    table = decision_log.to_table(list(logs.values()), list(logs), RULES)
    assert dict(table.schema) == dict(pl.Schema(decision_log.schema()))
    table.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(file)
    for name in ("random", "at_risk", "thompson"):
        again = decision_log.read(file, name, RULES)
        rested = again["rested_days"][:, len(catalogue().names) :]
        assert (rested == 255).all()  # types that are not there have never been sent
        assert told(again) == told(logs[name])


def test_a_file_that_is_no_decision_log_is_refused(logs: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "decisions.parquet"
    table = decision_log.to_table(list(logs.values()), list(logs), RULES)
    wrong: list[tuple[Any, str | None, str]] = [
        (None, None, "decisions.parquet"),
        (table, None, "Name it with --arm"),
        (table, "randm", "Did you mean 'random'"),
        (table.drop("propensity"), "random", "no column 'propensity'"),
        (table.with_columns(pl.lit("reminder").alias("chosen")), "random", "decision log"),
        (table.with_columns(pl.lit("x").alias("risk")), "random", "decision log"),
    ]
    for content, arm, said in wrong:
        if content is not None:
            content.write_parquet(file)
        with pytest.raises(InputError, match=said):
            decision_log.read(file, arm, RULES)


def test_the_policy_that_decided_earned_what_the_log_says(logs: dict[str, Any]) -> None:
    """Estimators give the log's own mean for the very policy that logged; its chances are its propensities."""
    log, policy = logs["random"], make("random", {"rate": 0.5})
    chances = policy_evaluation.target_chances(log, policy)
    np.testing.assert_allclose(chances[np.arange(len(log)), log["chosen"]], log["propensity"])
    found = policy_evaluation.evaluate(log, policy, "active_3")
    assert isinstance(found, Evaluation) and found.dr is not None
    for estimate in (found.ips, found.snips):
        assert estimate.value == pytest.approx(policy_evaluation.on_policy(log, "active_3"))


def test_a_policy_that_learns_is_asked_with_what_the_log_had_taught_by_then(logs: dict[str, Any]) -> None:
    """For the first week it knows nothing; and asked about its own log, it finds its own chances again."""
    log, policy = logs["thompson"], make("thompson")
    chances = policy_evaluation.target_chances(log, policy)
    first = log["day"] < PLAN.first_day + 7
    nothing_known = policy_evaluation.target_chances(log[first], policy)
    np.testing.assert_array_equal(chances[first], nothing_known)
    ignorant = policy_evaluation.target_chances(log, make("thompson", {"frozen": True}))
    assert not np.array_equal(chances[~first], ignorant[~first])


def test_a_log_of_certain_decisions_cannot_tell_of_others(logs: dict[str, Any]) -> None:
    found = policy_evaluation.evaluate(logs["at_risk"], make("blast"), "active_3")
    assert isinstance(found, Refusal)
    assert any("propensity is 1" in reason for reason in found.reasons)
    assert any("could not have done" in reason for reason in found.reasons)


def test_a_log_without_any_known_reward_is_refused(logs: dict[str, Any]) -> None:
    log = logs["random"].copy()
    log["active_7"] = UNKNOWN
    with pytest.raises(InputError, match="known active_7"):
        policy_evaluation.evaluate(log, make("none"), "active_7")


def test_a_feature_is_what_its_signal_says_at_local_midnight(logs: dict[str, Any]) -> None:
    """The first feature is always 1, and the risk's is the logged risk."""
    for name in ("random", "at_risk", "thompson"):
        log = logs[name]
        assert log.dtype == DECISION and (log["features"][:, 0] == ONE).all()
        scored = ~np.isnan(log["risk"])
        np.testing.assert_array_equal(log["features"][:, 1] == ONE, scored)
        np.testing.assert_array_equal(log["features"][scored, 2], np.rint(ONE * log["risk"][scored] / 100.0))


def test_a_policy_is_evaluated_with_what_it_learned_elsewhere(run: Any, logs: dict[str, Any]) -> None:
    log, taught = logs["random"], run[0].knowledge[0][3]
    frozen = make("thompson", {"frozen": True})
    chances = [policy_evaluation.target_chances(log, frozen, known) for known in (None, taught)]
    assert not np.array_equal(*chances)
    own = make("thompson")
    last = log["day"] == log["day"].max()
    new, warm = (policy_evaluation.target_chances(log, own, known)[last] for known in (None, taught))
    assert not np.array_equal(new, warm) and np.allclose(warm.sum(axis=1), 1.0)


def test_an_arm_begins_with_what_it_is_given(run: Any, logs: dict[str, Any], tmp_path: Path) -> None:
    """What an arm has learned is written; another run begins with it, decides by it, and frozen adds nothing to it."""
    file = tmp_path / "knowledge_thompson.json"
    knowledge.write(file, make("thompson"), run[0].knowledge[0][3])
    arm = Arm(id="thompson", policy="thompson", params={"frozen": True}, knows=str(file))
    plan = PLAN.model_copy(update={"arms": (*ARMS[:3], arm)}).with_overrides(days=2)
    simulation, _ = on_one_actor(plan, tmp_path)
    assert told_all(simulation.knowledge[0][3]) == told_all(run[0].knowledge[0][3])
    first, before = (log[log["day"] == PLAN.first_day] for log in (simulation.decisions[3], logs["thompson"]))
    assert not np.array_equal(first["propensity"], before["propensity"])
    with pytest.raises(InputError, match=r"knowledge.*thompson"):
        knowledge.read(file, make("uplift"))
