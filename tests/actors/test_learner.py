"""The envelope of a live actor: what is refused, what is in doubt, who holds the log, and what an erasure leaves.

Chance finds the rest: see ``tests/faults/test_fault_simulation.py``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from actors.answers import Answer
from actors.intake import Intake
from actors.learner import LearnerActor, MessageGapError
from actors.ports import FencedError, JournalError
from actors.register import UnknownLearnerError
from actors.spec import ActorSpec
from engine.record import NEVER
from tests.actors.homes import MONDAY, RULES, HeldScorer, event, instant
from tests.faults.faulty_disk import (
    DIES,
    DIES_AFTER,
    FAILS,
    FAILS_AFTER,
    LATE,
    SLEEPS,
    TORN,
    Disk,
    DiskJournal,
    DiskStore,
    Luck,
)
from tests.faults.faulty_network import FaultyRuntime

NOON = instant(MONDAY)


class Script(Luck):
    """Nothing is left to chance: what befalls the next steps of a kind is written down."""

    def __init__(self) -> None:
        super().__init__(0)
        self.armed = False
        self.next: defaultdict[str, list[str]] = defaultdict(list)

    def fate(self, step: str, fates: tuple[str, ...], rate: float | None = None) -> str:
        return self.next[step].pop(0) if self.next[step] else ""


class Stage:
    """A disk, and services on it whose steps go as written."""

    def __init__(self) -> None:
        self.script = Script()
        self.disk = Disk(self.script)
        self.one = self.service()
        self._key = 0

    def service(self) -> FaultyRuntime:
        holder = self.disk.claim()

        def make() -> LearnerActor:
            spec = ActorSpec(0, 0, 0, RULES, journal=DiskJournal(self.disk, holder), snapshot_s=1e9)
            return LearnerActor(spec, HeldScorer(), DiskStore(self.disk))

        return FaultyRuntime(make, self.disk)

    def goes(self, step: str, *fates: str) -> None:
        """Write down what befalls the next steps of a kind."""
        self.script.next[step] += fates

    def acts(self, learner: str = "ann", service: FaultyRuntime | None = None) -> tuple[int, Any]:
        """Let a learner do something new; return the number of the message and its receipts."""
        self._key += 1
        intake = Intake.of([event(learner, NOON + self._key, self._key)])
        number, answer = (service or self.one).deliver(0, "events", intake)
        return number, Answer.of(answer).receipts

    def events(self) -> list[tuple[int, int]]:
        """Return (number of the entry, key) of every journalled event."""
        found = []
        for entry in self.disk.entries():
            if entry.message.kind == "events":
                keys = Answer.of(entry.answer).receipts["first"]
                found += [(entry.sequence, len(keys))]
        return found


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_what_is_refused_costs_no_recovery_and_no_number(stage: Stage) -> None:
    stage.acts()
    epoch = stage.disk.epoch
    for _ in range(3):
        with pytest.raises(UnknownLearnerError):
            stage.one.deliver(0, "erase", "nobody", "hash", NOON)
    assert stage.acts()[0] == 2
    assert stage.disk.epoch == epoch, "nothing was read again"


@pytest.mark.parametrize("fate", [FAILS, FAILS_AFTER, LATE])
def test_what_could_not_be_written_is_told_and_sent_by_nobody_else(stage: Stage, fate: str) -> None:
    stage.acts()
    stage.goes("append", fate)
    with pytest.raises(JournalError):
        stage.acts()
    assert stage.one.ask(0, "ids", 0) == ["ann"], "who asks meanwhile lets the actor recover"
    assert len(stage.disk.rows) == (2 if fate == FAILS_AFTER else 1)
    stage.disk.do_late()
    number, receipts = stage.acts("bob")
    assert number == len(stage.disk.rows) == (3 if fate == FAILS_AFTER else 2)
    assert receipts["verdict"].tolist() == [0]


@pytest.mark.parametrize("fate", [DIES, DIES_AFTER, SLEEPS])
def test_a_message_whose_answer_was_lost_is_answered_as_it_was_journalled(stage: Stage, fate: str) -> None:
    stage.acts()
    stage.goes("append", fate)
    number, receipts = stage.acts()
    assert number == 2 and receipts["xp"].tolist() == [10]
    stage.disk.do_late()
    assert stage.events() == [(1, 1), (2, 1)]


def test_the_answer_to_a_successors_message_is_never_taken_for_ones_own(stage: Stage) -> None:
    """An old service is paused before it appends; its successor appends; the old one then recovers its actor."""
    stage.acts()
    successor = stage.service()

    def overtaken(*args: Any) -> Any:
        stage.one.kill(0)
        stage.acts("bob", successor)
        return FaultyRuntime._query(stage.one, *args)

    stage.one._query = overtaken
    send = stage.one.send

    def sent(*args: Any) -> Any:
        message = send(*args)
        del stage.one._query
        return message

    stage.one.send = sent
    with pytest.raises(FencedError):
        stage.acts()
    assert stage.events() == [(1, 1), (2, 1)]
    assert [entry.message.body["new"] for entry in stage.disk.entries()] == [["ann"], ["bob"]]


def test_whoever_was_fenced_never_takes_the_log_back(stage: Stage) -> None:
    stage.acts()
    successor = stage.service()
    stage.acts("bob", successor)
    with pytest.raises(FencedError):
        stage.acts()
    epoch = stage.disk.epoch
    for call in (stage.acts, lambda: stage.one.ask(0, "ids", 0), lambda: stage.one.attach(0)):
        with pytest.raises(FencedError):
            call()
    assert stage.disk.epoch == epoch
    assert stage.acts("cyd", successor)[0] == 3


@pytest.mark.parametrize("aside", [False, True])
def test_a_snapshot_that_cannot_be_saved_costs_nothing_but_time(stage: Stage, *, aside: bool) -> None:
    stage.acts()
    stage.goes("save", FAILS, FAILS)
    stage.one.checkpoint(0, aside=aside)
    assert stage.acts()[0] == 2
    assert stage.one.checkpoint(0) == 2
    stage.one.kill(0)
    assert stage.acts()[0] == 3
    stage.one.deliver(0, "erase", "ann", "hash", NOON)
    assert stage.one.checkpoint(0) == 4 and list(stage.disk.snapshots) == [4]


@pytest.mark.parametrize(
    ("step", "fate"),
    [
        ("drop", DIES),
        *(("rewrite", fate) for fate in (DIES, DIES_AFTER, FAILS, FAILS_AFTER, SLEEPS, LATE)),
        ("save", DIES),
    ],
)
def test_an_erasure_that_is_broken_off_is_finished_by_the_recovery(stage: Stage, step: str, fate: str) -> None:
    stage.acts("ann")
    stage.acts("bob")
    stage.one.checkpoint(0)
    stage.acts("bob")
    stage.one.checkpoint(0)
    stage.goes(step, fate)
    try:
        stage.one.deliver(0, "erase", "ann", "hash", NOON)
    except JournalError:
        with pytest.raises(UnknownLearnerError):  # it is erased: the order was journalled
            stage.one.deliver(0, "erase", "ann", "hash", NOON)
    stage.disk.do_late()
    assert all("ann" not in entry.message.body.get("new", []) for entry in stage.disk.entries())
    assert stage.disk.entries()[-1].message.body["learner"] == ""
    for state in stage.disk.snapshots.values():
        assert state is not None and state["records"]["as_of"][0] == NEVER
    assert stage.one.ask(0, "ids", 0) == [None, "bob"]
    stage.one.kill(0)
    assert stage.acts("bob")[1]["xp"].tolist() == [10], "bob's day has its 10 XP, before and after"


def test_a_live_actor_that_has_not_read_its_journal_answers_nobody(stage: Stage) -> None:
    actor = stage.one.actor
    assert actor.checkpoint() == 0
    for call in (lambda: actor.ask(0, "ids", 0), lambda: actor.apply(1, "profile", "ann", {}, 0)):
        with pytest.raises(MessageGapError):
            call()
    assert actor.recover(1) == 0
    assert actor.ask(0, "ids", 0) == []


def test_a_torn_snapshot_is_passed_over_and_the_journal_tells_the_rest(stage: Stage) -> None:
    for _ in range(3):
        stage.acts()
    stage.one.checkpoint(0)
    stage.acts()
    stage.goes("save", TORN)
    stage.one.checkpoint(0)
    assert stage.disk.snapshots.keys() == {3, 4}, "it was saved again by the process that came after"
    stage.disk.snapshots[4] = None
    stage.one.kill(0)
    assert stage.one.ask(0, "learner", "ann", NOON).record["totals"].sum() == 4
