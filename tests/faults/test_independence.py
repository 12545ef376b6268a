"""What must not depend on what: learners on other learners, twins on their arms, scores on latent state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.directory import in_blocks
from actors.learner import LearnerActor
from actors.local import LocalRuntime
from actors.ports import World
from actors.scoring import DirectScorer, ScoringActor
from actors.storage.snapshots import SnapshotFiles
from engine.record import PARTS
from engine.risk import model as risk_model
from simulation import harness
from simulation.world import SyntheticWorld
from tests.faults import scene
from tests.faults.scene import CONTROL, PLAN, TREATED, specs, told

OF_MESSAGES = {name for name in PARTS["messages"] if name.startswith("sent_")}


def test_the_first_learners_of_a_larger_population_are_the_same(tmp_path: Path) -> None:
    few, some = PLAN.with_overrides(learners=100), PLAN.with_overrides(learners=250)
    layout = in_blocks(some.learners, actors=7)
    _, alone = scene.on_one_actor(few, tmp_path / "few")
    among = LocalRuntime(specs(layout, some), risk_model.load(), tmp_path / "some")
    harness.simulate(some, layout, among)
    for arm in (CONTROL, TREATED):
        records, expected = harness.records_of(among, layout, arm)[: few.learners], alone.ask(0, "records", arm)
        for name in records.dtype.names or ():
            if name != "learner":  # the row in its actor
                np.testing.assert_array_equal(records[name], expected[name], err_msg=f"{name} in arm {arm}")


class Recording:
    """Makes worlds whose events are kept, by arm."""

    def __init__(self, plan: scene.Scenario) -> None:
        self._worlds = scene.worlds(plan)
        self.told: list[list[bytes]] = [[] for _ in PLAN.arms]

    def __call__(self, replication: int, arm: int, first_learner: int, count: int) -> World:
        world: Any = self._worlds(replication, arm, first_learner, count)
        events = world.events

        def kept(*args: Any) -> Any:
            found = events(*args)
            self.told[arm].append(found.tobytes())
            return found

        world.events = kept
        return world


@pytest.mark.parametrize(("responses", "alike"), [("off", True), ("centre", False)])
def test_twins_live_alike_until_messages_work(tmp_path: Path, responses: str, alike: bool) -> None:
    """Where nothing responds to messages, both arms' events are the same bytes, although one arm sends and one not."""
    plan = PLAN.model_copy(update={"responses": responses}).with_overrides(days=30, replications=1)
    worlds, layout = Recording(plan), in_blocks(plan.learners, actors=2)
    runtime = LocalRuntime(specs(layout, plan, maker=worlds), risk_model.load(), tmp_path)
    result = harness.simulate(plan, layout, runtime)
    assert len(result.decisions[CONTROL]) == 0
    assert (result.decisions[TREATED]["sent"] >= 0).sum() > 100
    assert len(worlds.told[CONTROL]) == 2 * plan.days
    assert (worlds.told[CONTROL] == worlds.told[TREATED]) == alike
    twins = [harness.records_of(runtime, layout, arm) for arm in (CONTROL, TREATED)]
    differing = {name for name in twins[0].dtype.names if told(twins[0][name]) != told(twins[1][name])}
    assert differing == OF_MESSAGES if alike else differing > OF_MESSAGES


def test_no_score_and_no_decision_sees_latent_state(tmp_path: Path) -> None:
    """Learners swap all that is latent among themselves: scores and decisions stay, and only the future changes."""
    spec = specs(in_blocks(PLAN.learners, actors=1))[0]
    pair = []
    for name in ("as they are", "swapped"):
        actor = LearnerActor(spec, DirectScorer(ScoringActor(risk_model.load())), SnapshotFiles(tmp_path / name))
        for sequence in range(1, 11):
            actor.apply(sequence, "day", PLAN.first_day + sequence - 1)
        pair.append(actor)
    for world in pair[1].tenant._worlds:
        assert isinstance(world, SyntheticWorld)
        before = world.latent.copy()
        world.latent[:] = before[np.random.default_rng(3).permutation(len(before))]
        assert (world.latent != before).mean() > 0.9

    today = PLAN.first_day + 10
    everyone = np.arange(PLAN.learners)
    for actor in pair:
        actor.apply(11, "close", today)
    for arm in (CONTROL, TREATED):
        assert pair[0].tenant.canonical(arm, everyone) == pair[1].tenant.canonical(arm, everyone)
        assert np.isfinite(pair[0].tenant.records(arm)["risk"]).sum() > 50
        signals = [actor.tenant.loops[arm].signals()[1].tobytes() for actor in pair]
        assert signals[0] == signals[1]
    for actor in pair:
        actor.apply(12, "day", today)
    logs = [actor.tenant.undecided(TREATED, today + 1) for actor in pair]
    decided = [log[log["day"] == today] for log in logs]
    for name in ("learner", "risk", "eligible", "chosen", "propensity"):
        np.testing.assert_array_equal(decided[0][name], decided[1][name])
    assert len(decided[0]) > 10
    for arm in (CONTROL, TREATED):
        assert pair[0].tenant.canonical(arm, everyone) != pair[1].tenant.canonical(arm, everyone)
