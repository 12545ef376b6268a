"""Ports: what the actors need from the floors above, handed in, never imported.

The loop is the same live and simulated; these few interfaces are all that differs between its two drivers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.events import Events
from engine.record import Records

State = dict[str, NDArray[Any]]
"""Named arrays: the form in which everything durable is kept, without pickle."""


@dataclass(frozen=True)
class Inbox:
    """The notifications that reach learners in one part of a day.

    Args:
        kinds: notification type for each learner by place in the catalogue, int8; `engine.policies.NO_MESSAGE` = none.
        channels: channels used, uint8 bits as in ``LEARNER.consent``.
    """

    kinds: NDArray[np.int8]
    channels: NDArray[np.uint8]


class World(Protocol):
    """A source of learner behaviour that runs inside the learner actor, beside the records.

    It owns its latent state; signals, scorers and policies only ever see the records.
    """

    def plan(self, day: int, records: Records, inbox: Inbox) -> NDArray[np.int16]:
        """Begin a local day: draw its luck, take in the messages sent before the evening.

        Returns:
            local minute of each learner's first activity as things stand, 1440 = not active that day.
        """
        ...

    def events(self, day: int, records: Records, evening: Inbox) -> Events:
        """Complete the day, with the evening's messages acting through the same luck; return its events.

        The events are sorted by learner and time, never repeat, and lie on ``day``.
        """
        ...

    def consents(self) -> NDArray[np.uint8]:
        """Return the channels each learner allows at the end of the day, bits as in ``LEARNER.consent``."""
        ...

    def state(self) -> State:
        """Return all latent state."""
        ...

    def restore(self, state: State) -> None:
        """Take latent state back."""
        ...


class WorldMaker(Protocol):
    """Makes the `World` of a block of learners in one arm and replication; it travels to the actor, so it pickles."""

    def __call__(self, replication: int, arm: int, first_learner: int, count: int) -> World:
        """Return the world of learners ``first_learner ... first_learner + count - 1``."""
        ...


class Meter(Protocol):
    """Counts what a day was like, as integers that add up over actors in any order; it pickles."""

    def measure(self, day: int, records: Records, first_learner: int, sent: NDArray[np.int8]) -> NDArray[np.int64]:
        """Return counts of one day, shaped (groups, metrics).

        Args:
            day: the local day that has just ended; the records' today still stands on it.
            records: all records of one arm in this actor.
            first_learner: number of the first of them in the whole population.
            sent: notification type each learner got that day, `engine.policies.NO_MESSAGE` = none.
        """
        ...


Scores = NDArray[np.float64]
"""(rows, 2): risk 0-100 and confidence 0-100."""


class Scorer(Protocol):
    """Turns signals into risk; in production a pool of scoring actors."""

    def submit(self, matrix: NDArray[np.float64]) -> Callable[[], Scores]:
        """Hand signals over; return what waits for their scores, so that the caller can work on meanwhile.

        A row's score never depends on the other rows.
        """
        ...


class Store(Protocol):
    """Where an actor keeps its snapshots."""

    def save(self, sequence: int, state: State) -> None:
        """Keep a snapshot durably."""
        ...

    def prune(self, answered: int) -> int:
        """Drop what no recovery can need once all messages up to ``answered`` have been answered.

        Returns:
            number of the message up to which nothing need be resent, even if the newest snapshot is damaged.
        """
        ...

    def load(self, before: int) -> tuple[int, State] | None:
        """Return the newest whole snapshot of a message before this one with its sequence number, or None."""
        ...
