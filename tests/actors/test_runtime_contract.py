"""The contract of every runtime: the same frames in, the same state out, whatever dies meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import actors.local
from actors.runtime import Runtime
from actors.spec import ActorSpec
from engine import rules as engine_rules
from engine.events import EVENT, empty, from_frame, to_frame
from engine.record import check
from engine.risk import model as risk_model
from tests.runtimes import Open

DAY_MS = 86_400_000
FIRST_DAY = 20_000
LEARNERS = 12

RULES = engine_rules.load()
Expected = tuple[list[Any], bytes]


def frame(day: int, seed: int) -> bytes:
    """Events of some learners on one day; every third learner does nothing."""
    chance = np.random.default_rng(seed)  # test data, not the product's chance
    events = empty(40)
    events["learner"] = chance.choice([k for k in range(LEARNERS) if k % 3 != day % 3], 40)
    events["day"] = FIRST_DAY + day
    events["minute"] = np.sort(chance.integers(0, 1440, 40))
    events["occurred_ms"] = events["day"].astype(np.int64) * DAY_MS + events["minute"].astype(np.int64) * 60_000
    events["arrived_ms"] = events["occurred_ms"]
    events["action"] = chance.integers(0, 30, 40)
    events["event_id"] = chance.integers(1, 2**62, 40)
    return to_frame(events)


def story() -> list[tuple[str, tuple[Any, ...]]]:
    """Three weeks of messages: a frame a day, one of them twice, a day closed now and then."""
    messages: list[tuple[str, tuple[Any, ...]]] = []
    for day in range(21):
        messages.append(("ingest", (frame(day, day),)))
        if day == 9:
            messages.append(("ingest", (frame(day, day),)))
        if day % 5 == 4:
            messages.append(("close", (FIRST_DAY + day + 1,)))
    return messages


def spec(number: int = 0, snapshot_s: float = 0.0) -> ActorSpec:
    return ActorSpec(number, 0, LEARNERS, RULES, snapshot_s=snapshot_s)


def play(runtime: Runtime, before: Callable[[int], None] = lambda place: None) -> Expected:
    """Send the story; return the answers and the final state."""
    answers = []
    for place, (method, args) in enumerate(story()):
        before(place)
        answers.append(runtime.result(0, runtime.send(0, method, *args)))
    return answers, runtime.ask(0, "canonical", 0, np.arange(LEARNERS))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    runtime = actors.local.LocalRuntime([spec()], risk_model.load(), tmp_path_factory.mktemp("expected"))
    return play(runtime)


def test_frames_come_back_as_sent() -> None:
    events = from_frame(frame(0, 1))
    assert events.dtype == EVENT
    assert to_frame(events) == frame(0, 1)


def test_same_state_and_answers(open_runtime: Open, expected: Expected, tmp_path: Path) -> None:
    with open_runtime([spec()], tmp_path) as runtime:
        answers, state = play(runtime)
        check(runtime.ask(0, "records", 0))
    assert state == expected[1]
    for got, wanted in zip(answers, expected[0], strict=True):
        np.testing.assert_equal(got, wanted)


def test_a_repeated_frame_counts_nothing(open_runtime: Open, tmp_path: Path) -> None:
    with open_runtime([spec()], tmp_path) as runtime:
        runtime.result(0, runtime.send(0, "ingest", frame(0, 1)))
        once = runtime.ask(0, "canonical", 0, np.arange(LEARNERS))
        verdicts, outcomes = runtime.result(0, runtime.send(0, "ingest", frame(0, 1)))
        assert set(verdicts) == {2}
        assert len(outcomes) == 0
        assert runtime.ask(0, "canonical", 0, np.arange(LEARNERS)) == once


@pytest.mark.parametrize("snapshot_s", [0.0, 1e9], ids=["snapshots", "no snapshot"])
def test_a_killed_actor_comes_back_to_its_state(
    open_runtime: Open, expected: Expected, tmp_path: Path, snapshot_s: float
) -> None:
    """Killed three times between messages, with a snapshot after every message and with none at all."""
    with open_runtime([spec(snapshot_s=snapshot_s)], tmp_path) as runtime:
        before = runtime.actors()[0].process_id

        def kill(place: int) -> None:
            if place in (3, 10, 17):
                runtime.kill(0)

        answers, state = play(runtime, kill)
        after = runtime.actors()[0].process_id
    assert state == expected[1]
    np.testing.assert_equal(answers[-1], expected[0][-1])
    assert before == os.getpid() or before != after  # a process of its own was really killed


def test_killed_with_messages_outstanding(open_runtime: Open, expected: Expected, tmp_path: Path) -> None:
    with open_runtime([spec()], tmp_path) as runtime:
        sent = []
        for place, (method, args) in enumerate(story()):
            if place == 8:
                runtime.kill(0)
            sent.append(runtime.send(0, method, *args))
        for message in sent:
            runtime.result(0, message)
        state = runtime.ask(0, "canonical", 0, np.arange(LEARNERS))
    assert state == expected[1]


def test_killed_when_snapshots_have_run_ahead_of_the_answers(
    open_runtime: Open, expected: Expected, tmp_path: Path
) -> None:
    """All is sent and saved before the first answer is taken: none of the answers may be lost with the actor."""
    with open_runtime([spec()], tmp_path) as runtime:
        sent = [runtime.send(0, method, *args) for method, args in story()]
        runtime.actors()  # comes after all of them
        runtime.kill(0)
        answers = [runtime.result(0, message) for message in sent]
        state = runtime.ask(0, "canonical", 0, np.arange(LEARNERS))
    assert state == expected[1]
    for got, wanted in zip(answers, expected[0], strict=True):
        np.testing.assert_equal(got, wanted)


def test_a_damaged_snapshot_is_passed_over(open_runtime: Open, expected: Expected, tmp_path: Path) -> None:
    """The newest snapshot is torn: the generation before it and the messages since give the same state."""
    with open_runtime([spec()], tmp_path) as runtime:

        def tear(place: int) -> None:
            if place == 12:
                newest = max(tmp_path.rglob("*.npz"))
                newest.write_bytes(newest.read_bytes()[:1000])
                runtime.kill(0)

        _, state = play(runtime, tear)
    assert state == expected[1]


def test_each_keeps_the_order_of_answers(open_runtime: Open, tmp_path: Path) -> None:
    with open_runtime([spec(0), spec(1)], tmp_path) as runtime:
        calls = [(place % 2, "ingest", (frame(place // 2, place // 2),)) for place in range(12)]
        places = [place for place, _ in runtime.each(calls)]
        first, second = (runtime.ask(actor, "canonical", 0, np.arange(LEARNERS)) for actor in (0, 1))
    assert places == list(range(12))
    assert first == second


def test_an_error_of_the_work_reaches_the_sender(open_runtime: Open, tmp_path: Path) -> None:
    from engine.errors import EngageError  # named beside its use

    with open_runtime([spec()], tmp_path) as runtime, pytest.raises(EngageError, match="event frame"):
        runtime.result(0, runtime.send(0, "ingest", b"\x09rubbish"))
