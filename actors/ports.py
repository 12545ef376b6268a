"""Ports: what the actors need from the floors above, handed in, never imported.

The loop is the same live and simulated; these few interfaces are all that differs between its two drivers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngageError
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

    def gains(self, day: int, eligible: NDArray[np.uint16], types: int) -> NDArray[np.float64]:
        """Return the active days that each eligible type would bring each learner, shape (n, types).

        Only an oracle asks, at the beginning of a day, to be what policies that cannot know are compared with.
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


class Pending(Protocol):
    """Scores that have been asked for."""

    def ready(self) -> bool:
        """Return whether calling it would not wait."""
        ...

    def __call__(self) -> Scores:
        """Wait for the scores and return them."""
        ...


class Scorer(Protocol):
    """Turns signals into risk; in production a pool of scoring actors."""

    def submit(self, matrix: NDArray[np.float64], version: str = "") -> Pending:
        """Hand signals over; return what waits for their scores, so that the caller can work on meanwhile.

        A row's score never depends on the other rows.

        Args:
            matrix: a row for each learner, signals in the catalogue's order.
            version: of the model that scores all of them, "" = the one that the pool was started with.
        """
        ...


class ScoringError(EngageError):
    """The pool cannot score at present; who was to be scored still waits for it."""

    @classmethod
    def of(cls, version: str, error: Exception) -> ScoringError:
        """Return what to tell people about an error of the pool, whose own text may be a whole trace."""
        told = f"{type(error).__name__}: {error}".strip().rpartition("\n")[2]
        return cls(f"scoring by model {version}", told, "scores", "Risks are late until it goes on.")


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

    def forget(self, after: int) -> None:
        """Drop every snapshot of a message after this one."""
        ...

    def load(self, before: int) -> tuple[int, State] | None:
        """Return the newest whole snapshot of a message before this one with its sequence number, or None."""
        ...


@dataclass(frozen=True)
class Message:
    """What a live actor is asked to apply, or what that brought: names and numbers for people, rows for machines.

    Args:
        kind: what it is, such as ``events`` or ``profile``.
        body: anything JSON can say.
        frame: rows of a structured dtype, as bytes; which dtype follows from the kind.
    """

    kind: str
    body: dict[str, Any] = field(default_factory=dict)
    frame: bytes = b""


@dataclass(frozen=True)
class Entry:
    """One row of a journal: a message under its number, with what it brought.

    Args:
        sequence: number of the message in its log, from 1 without gaps.
        message: all that applying it again needs.
        answer: what was answered; outcomes stand here, so they become durable in the transaction of their cause.
    """

    sequence: int
    message: Message
    answer: Message


class FencedError(EngageError):
    """Another holder has taken the log over; this one must stop."""


class JournalError(EngageError):
    """The journal cannot be written or read at present: no room, no connection.

    What was to be written is whole or not there; which of the two, the journal tells when it can be read again.
    """


class CorruptJournalError(EngageError):
    """A journalled entry is not what was written; going on would build on wrong state."""


class Journal(Protocol):
    """The durable log of one actor. Acknowledged = appended; whoever has taken it last may append."""

    def take(self) -> int:
        """Take the log over, fencing every older holder.

        The first taking claims the log for this journal and the copies that are made of it afterwards; theirs succeed
        until somebody else has claimed it.

        Returns:
            number of the newest entry, 0 = none.

        Raises:
            FencedError: another holder has claimed it since.
            JournalError: it cannot be reached.
        """
        ...

    def append(self, entry: Entry) -> None:
        """Make an entry durable; on return it is committed.

        Appending the very same entry again, after an answer was lost, succeeds without effect.

        Raises:
            FencedError: another holder has taken the log since.
            JournalError: not written, after bounded retries.
        """
        ...

    def read(self, after: int) -> Iterator[Entry]:
        """Yield the entries after this number, in order.

        Raises:
            CorruptJournalError: a checksum is wrong or a number is missing.
        """
        ...

    def of_kind(self, kind: str, after: int) -> Iterator[Entry]:
        """Yield the entries of a kind of message after this number, in order."""
        ...

    def entry(self, sequence: int) -> Entry | None:
        """Return one entry, None = there is none of that number."""
        ...

    def rewrite(self, change: Callable[[Entry], Entry | None]) -> int:
        """Replace entries, all in one transaction: the erasure of a learner is the one cause there is.

        Args:
            change: returns the new entry of the same number, or None to leave it as it stands.

        Returns:
            number of entries replaced.
        """
        ...
