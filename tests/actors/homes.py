"""A home of live learners for tests: what they are sent is resolved, kept as a journal keeps it, and folded."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from actors.answers import Answer
from actors.intake import EventIn, Intake
from actors.live import LiveLearners
from actors.ports import Entry, Message, Scores
from actors.spec import ActorSpec
from engine import calendar, rules
from engine.calendar import MS_PER_DAY, MS_PER_MINUTE
from engine.experiments.campaigns import Campaign, standard

RULES = rules.load()
HOUR_MS, DAY_MS = 60 * MS_PER_MINUTE, MS_PER_DAY
MONDAY = 19_723  # 2024-01-01


def instant(day: int, hour: float = 12.0, zone: str = "UTC") -> int:
    """Return the UTC ms at which a zone's clocks show an hour of a day."""
    return int(calendar.to_utc_ms(np.array([day]), np.array([round(hour * 60)]), calendar.zone(zone))[0])


def event(
    learner: str, at_ms: int, key: int, action: str = "goal_set", zone: str | None = None, arrived_ms: int | None = None
) -> EventIn:
    """Return an event, sent at once unless told otherwise."""
    arrived = at_ms if arrived_ms is None else arrived_ms
    return EventIn(learner, key, at_ms, arrived, RULES.code(action), float("nan"), zone, None)


class Awaited:
    """Scores that come when a test says so."""

    def __init__(self, matrix: Any, scorer: HeldScorer) -> None:
        self.matrix, self._scorer = matrix.copy(), scorer

    def ready(self) -> bool:
        return not self._scorer.held

    def __call__(self) -> Scores:
        risk = np.floor(np.nan_to_num(self.matrix).sum(axis=1) * 16) % 101
        if self._scorer.risk is not None:
            risk = np.full(len(self.matrix), self._scorer.risk)
        return np.stack([risk, 100.0 - risk], axis=1)


class HeldScorer:
    """Scores by a simple rule, at once or when it is let go."""

    def __init__(self) -> None:
        self.held = False
        self.risk: float | None = None  # of everybody, if a test says so
        self.asked: list[Awaited] = []

    def submit(self, matrix: Any, version: str = "") -> Awaited:
        self.asked.append(Awaited(matrix, self))
        return self.asked[-1]


class Home:
    """Live learners with the journal of all that happened to them.

    Args:
        zone: of learners without one of their own.
        campaigns: of the service.
    """

    def __init__(self, zone: str = "UTC", campaigns: tuple[Campaign, ...] = standard("none")) -> None:
        self.zone, self.campaigns = zone, campaigns
        self.scorer = HeldScorer()
        self.learners = self._new()
        self.entries: list[Entry] = []
        self._key = 0

    def _new(self) -> LiveLearners:
        return LiveLearners(ActorSpec(0, 0, 0, RULES, zone=self.zone, campaigns=self.campaigns), self.scorer)

    def do(self, method: str, *args: Any) -> Answer:
        """Do what a message asks for; return its answer."""
        told = self.learners.resolve(method, *args)
        message = Message(told.kind, json.loads(json.dumps(told.body)), told.frame)
        sequence = len(self.entries) + 1
        self.entries.append(Entry(sequence, message, self.learners.fold(sequence, message)))
        return Answer.of(self.entries[-1].answer)

    def send(self, *events: EventIn) -> Answer:
        """Send events as one message."""
        return self.do("events", Intake.of(events))

    def acts(self, learner: str, at_ms: int, action: str = "goal_set", zone: str | None = None) -> Answer:
        """Let a learner do something new at an instant."""
        self._key += 1
        return self.send(event(learner, at_ms, self._key, action, zone))

    def settle(self, now_ms: int) -> list[str]:
        """Score and do what is due until nothing is left; return what was done, in order."""
        done: list[str] = []
        while True:
            while self.learners.rescore()[1] and not self.scorer.held:
                pass
            due = self.learners.due(now_ms)
            for kind in due:
                self.do(kind, now_ms)
            done += due
            if not due:
                return done

    def said(self, kind: str) -> list[Message]:
        """Return the messages of a kind so far."""
        return [entry.message for entry in self.entries if entry.message.kind == kind]

    def sends(self) -> list[dict[str, Any]]:
        """Return every send so far."""
        return [send for entry in self.entries for send in Answer.of(entry.answer).sends]

    def record(self, learner: str) -> Any:
        """Return a learner's record."""
        return self.learners.loop.records[self.learners.register.row(learner)]

    def replayed(self) -> LiveLearners:
        """Return other learners, to whom the same happened."""
        again = self._new()
        for entry in self.entries:
            assert again.fold(entry.sequence, entry.message) == entry.answer, entry.sequence
        return again

    def restored(self) -> LiveLearners:
        """Return other learners, who took over the state of these."""
        again = self._new()
        again.restore({name: array.copy() for name, array in self.learners.state().items()})
        return again


def same(one: LiveLearners, other: LiveLearners) -> None:
    """Assert that two have the same learners, once all of them are scored."""
    for learners in (one, other):
        while learners.rescore()[1]:
            pass
    states = [learners.state() for learners in (one, other)]
    rows = np.arange(len(one.register))
    assert one.canonical(0, rows) == other.canonical(0, np.arange(len(other.register)))
    for name in set(states[0]) - {"records", "seen"}:
        assert states[0][name].tobytes() == states[1][name].tobytes(), name
    assert sorted(states[0]["seen"].tolist()) == sorted(states[1]["seen"].tolist())
