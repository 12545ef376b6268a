"""One digest: whatever the layout, the runtime, the batch size, and whoever is killed meanwhile."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from pathlib import Path

import pytest

import actors.ray_runtime
from actors.directory import in_blocks
from actors.local import LocalRuntime
from actors.ray_runtime import RayRuntime
from engine.risk import model as risk_model
from simulation import harness
from simulation.harness import Simulation
from tests.faults import crashes, scene
from tests.faults.scene import DAYS, NEVER_S, PLAN, REPLICATIONS, assert_same, lines, specs, when_applied
from tests.runtimes import Open

ALL_DAYS = {(replication, PLAN.first_day + day) for replication in range(REPLICATIONS) for day in range(DAYS)}
VICTIM = 1


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return scene.on_one_actor(PLAN, tmp_path_factory.mktemp("expected"))[0]


def test_the_digest_sees_seed_length_and_number(expected: Simulation, tmp_path: Path) -> None:
    """What is equal below is not equal because nothing is looked at."""
    others = [PLAN.with_overrides(seed=1), PLAN.with_overrides(days=DAYS + 1), PLAN.with_overrides(learners=399)]
    digests = [scene.on_one_actor(plan, tmp_path / str(place))[0].digest for place, plan in enumerate(others)]
    assert len({expected.digest, *digests}) == 4
    assert len(expected.decisions[scene.TREATED]) > 50


@pytest.mark.parametrize("number", [1, 2, 4, 8])
def test_any_number_of_actors(open_runtime: Open, expected: Simulation, tmp_path: Path, number: int) -> None:
    layout = in_blocks(PLAN.learners, actors=number)
    with open_runtime(specs(layout), tmp_path) as runtime:
        assert len(runtime.actors()) == number
        assert_same(harness.simulate(PLAN, layout, runtime), expected)


@pytest.mark.parametrize("ahead", [1, 64])
def test_any_number_of_messages_ahead(expected: Simulation, tmp_path: Path, ahead: int) -> None:
    layout = in_blocks(PLAN.learners, actors=3)
    runtime = LocalRuntime(specs(layout, snapshot_s=0), risk_model.load(), tmp_path)
    runtime.each = functools.partial(runtime.each, ahead=ahead)  # type: ignore[method-assign]  # another default
    assert_same(harness.simulate(PLAN, layout, runtime), expected)


@pytest.mark.usefixtures("cluster")
def test_any_batch_of_messages_and_of_scores(
    expected: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages one by one, and rows scored a few at a time by three scorers in turn, one of whom is killed."""
    monkeypatch.setattr(actors.ray_runtime, "ScoringPool", crashes.SmallBlocks)
    layout, log = in_blocks(PLAN.learners, actors=2), tmp_path / "days"
    runtime = RayRuntime(specs(layout, log=log), risk_model.load(), tmp_path, scorers=3)
    runtime.each = functools.partial(runtime.each, ahead=1)  # type: ignore[method-assign]  # another default
    try:
        before = runtime.scorers()
        kill = when_applied(log, VICTIM, [DAYS // 2], lambda _: os.kill(before[0], signal.SIGKILL))
        assert_same(harness.simulate(PLAN, layout, runtime, kill), expected)
        after = runtime.scorers()
    finally:
        runtime.stop()
    assert len({*before, *after}) == 4, "one scorer was replaced"


def test_one_actor_for_each_learner(open_runtime: Open, tmp_path: Path) -> None:
    """Literally: on Ray, forty learners are forty processes."""
    plan = PLAN.with_overrides(learners=40, days=5, replications=1)
    layout = in_blocks(plan.learners, learners_per_actor=1)
    expected, _ = scene.on_one_actor(plan, tmp_path / "expected")
    with open_runtime(specs(layout, plan), tmp_path) as runtime:
        processes = {actor.process_id for actor in runtime.actors()}
        assert_same(harness.simulate(plan, layout, runtime), expected)
        in_this_process = isinstance(runtime, LocalRuntime)
    assert processes == {os.getpid()} if in_this_process else len(processes - {os.getpid()}) == 40


@pytest.mark.parametrize("snapshot_s", [0.0, NEVER_S], ids=["a snapshot a message", "no snapshot"])
def test_a_learner_actor_killed_amid_its_days(
    open_runtime: Open, expected: Simulation, tmp_path: Path, snapshot_s: float
) -> None:
    """Killed in the first replication and again in the second, at work and with messages outstanding."""
    layout, log = in_blocks(PLAN.learners, actors=2), tmp_path / "days"
    killed: list[int] = []
    with open_runtime(specs(layout, log=log, snapshot_s=snapshot_s), tmp_path) as runtime:

        def strike(newest: dict[str, int]) -> None:
            killed.append(newest["process"])
            if newest["process"] == os.getpid():
                runtime.kill(VICTIM)
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(newest["process"], signal.SIGKILL)

        # Without a snapshot, what came before is applied again: the log grows by that, too.
        second = DAYS + 4 if snapshot_s == 0 else 2 * DAYS + 4
        got = harness.simulate(PLAN, layout, runtime, when_applied(log, VICTIM, [4, second], strike))
        survivor = runtime.actors()[VICTIM].process_id

    assert_same(got, expected)
    assert len(killed) == 2
    mine = [line for line in lines(log) if line["actor"] == VICTIM]
    if survivor != os.getpid():
        assert len({*killed, survivor}) == 3, "each was another process"
        first = [line for line in mine if line["process"] == killed[0]]
        assert 0 < len(first) < len(ALL_DAYS), "killed after some and before all of its days"
        last = [line for line in mine if line["process"] == survivor]
        assert 0 < len(last) < len(ALL_DAYS) or snapshot_s == NEVER_S
    assert {(line["replication"], line["day"]) for line in mine} == ALL_DAYS
    again = len(mine) - len(ALL_DAYS)
    assert again >= DAYS // 2 if snapshot_s == NEVER_S else again <= 8, "a snapshot saves repeating the days before it"


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("point", crashes.CRASH_POINTS)
def test_an_actor_that_dies_while_it_saves(
    expected: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """The process dies at each point of writing a snapshot: the message before it has no answer yet."""
    files = functools.partial(crashes.CrashingFiles, point=point, sequence=7)
    monkeypatch.setattr(actors.ray_runtime, "SnapshotFiles", files)
    layout = in_blocks(PLAN.learners, actors=1)
    runtime = RayRuntime(specs(layout, snapshot_s=0), risk_model.load(), tmp_path)
    try:
        before = runtime.actors()[0].process_id
        assert_same(harness.simulate(PLAN, layout, runtime), expected)
        assert runtime.actors()[0].process_id != before
    finally:
        runtime.stop()
    assert (tmp_path / "actor000" / "died").exists()
