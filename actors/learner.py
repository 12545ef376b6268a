"""The learner actor: a plain class that owns the records of its learners; one other file makes it a Ray actor.

Its state is the newest snapshot plus the messages since, applied in the order of their sequence numbers. A message that
was applied before is answered as before; a gap is refused; so after a death the runtime simply resends.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from actors.cohort import Cohort
from actors.erasure import without
from actors.live import LiveLearners
from actors.ports import (
    Entry,
    FencedError,
    Journal,
    JournalError,
    Message,
    Scorer,
    State,
    Store,
)
from actors.spec import ActorSpec
from engine.errors import EngageError

_log = logging.getLogger("engage.learner")
_REPLIES_KEPT = 256
_WORK_PER_SAVE = 10
_TOKEN = "token"  # noqa: S105  # key in a journalled body, nobody's secret
_MARK = "mark"  # of a snapshot: the token of its message, which another history does not have under this number
_FOR_EVER = 1 << 62  # a number no message reaches


class MessageGapError(EngageError):
    """A message is missing before this one; the sender has to recover the actor and resend."""


@dataclass(frozen=True)
class Reply:
    """The answer to a message.

    Args:
        value: what the method returned.
        durable: messages up to this one need not be kept for resending, even if the newest snapshot is damaged.
    """

    value: Any
    durable: int


class LearnerActor:
    """Owns the records of its learners, and sees to it that each message counts once, whatever dies.

    What the learners do is its tenant's: a `Cohort` of a simulation or replay, or the `LiveLearners` of the service. A
    cohort's messages are kept by their sender until a snapshot holds them; live ones stand in the journal before they
    are answered.

    Args:
        spec: what it is made from.
        scorer: turns signals into risk.
        store: keeps its snapshots.
    """

    def __init__(self, spec: ActorSpec, scorer: Scorer, store: Store) -> None:
        self._spec = spec
        self._scorer = scorer
        self._store = store
        self._journal = spec.journal
        self._snapshot_due = time.monotonic() + spec.snapshot_s
        self._aside = threading.Thread()  # writes a snapshot, if one is being written aside
        self._aside.start()
        self._move_in()
        self._fenced = False
        self._ready = self._journal is None  # live learners are there once the journal has been read

    def _move_in(self) -> None:
        """Begin with nothing but what the spec says."""
        live = self._journal is not None
        self.tenant: Any = LiveLearners(self._spec, self._scorer) if live else Cohort(self._spec, self._scorer)
        self._sequence = self._durable = self._saved = 0
        self._token = ""  # of the newest journalled message
        self._replies: dict[int, Any] = {}

    def apply(self, sequence: int, method: str, *args: Any, answered: int = 0, token: str = "") -> Reply:
        """Apply the message with this sequence number.

        Args:
            sequence: one more than the last; an earlier one is a duplicate and answered as before.
            method: of the tenant.
            args: its arguments.
            answered: the sender has had the answers to all messages up to this one.
            token: names the message; in a journal a number alone may come to stand for another sender's.

        Raises:
            MessageGapError: a message is missing before this one, as in an actor that has just been restarted.
            JournalError: it could not be made durable; it has not happened, or it is not known whether it has.
        """
        self._must_have(sequence - 1)
        if sequence <= self._sequence:
            return Reply(self._answered_before(sequence, token), self._durable)
        if self._journal is not None:
            value: Any = self._journalled(self._journal, sequence, token, method, args)
            self._durable = sequence
        else:
            value = getattr(self.tenant, method)(*args)
            self._replies[sequence] = value
            self._replies.pop(sequence - _REPLIES_KEPT, None)
        self._sequence = sequence
        if time.monotonic() >= self._snapshot_due:
            if self._journal is None:
                self._snapshot(answered)
            else:
                self.checkpoint(aside=True)
        return Reply(value, self._durable)

    def ask(self, answered: int, method: str, *args: Any) -> Any:
        """Ask the tenant something that no message depends on.

        Args:
            answered: messages that the asker knows to be applied; the answer builds on all of them.
            method: of the tenant.
            args: its arguments.

        Raises:
            MessageGapError: this actor does not have them, as one that has just been restarted.
        """
        self._must_have(answered)
        return getattr(self.tenant, method)(*args)

    def recover(self, before: int) -> int:
        """Go back to what is durable.

        Args:
            before: number of the first message whose answer is missing.

        Returns:
            number of the last message that need not be sent again, below ``before``.
        """
        if self._journal is not None:
            return min(self._replayed(self._journal), before - 1)
        self._move_in()
        self._load(before)
        return self._sequence

    def checkpoint(self, aside: bool = False) -> int:
        """Save a snapshot, so that a recovery has less to replay; return the number of its message.

        Args:
            aside: write it from a copy of the state, on a thread of its own, while messages go on; nothing is done
                while one is being written.
        """
        if aside and self._aside.is_alive():  # a slow disk holds nothing up
            return self._saved
        self._aside.join()
        if self._ready and self._sequence > self._saved:
            self._saved, state = self._sequence, self._marked_state()
            if aside:
                state = {name: array.copy() for name, array in state.items()}
                self._aside = threading.Thread(target=self._save, args=(self._sequence, state))
                self._aside.start()
            else:
                self._save(self._sequence, state)
        return self._saved

    def _marked_state(self) -> State:
        return {**self.tenant.state(), _MARK: np.frombuffer(self._token.encode(), np.uint8)}

    def _save(self, sequence: int, state: State) -> None:
        """Save a snapshot of what is journalled. Without it a recovery takes longer, and that is all."""
        began = time.monotonic()
        try:
            self._store.save(sequence, state)
            self._store.prune(sequence)
        except OSError as error:
            _log.warning("learner actor %d: no snapshot of message %d: %s", self._spec.number, sequence, error)
        self._plan_next(began)

    def _plan_next(self, began: float) -> None:
        """Let the next snapshot be due a while after one that began then and ends now."""
        ended, pause_s = time.monotonic(), self._spec.snapshot_s
        self._snapshot_due = ended + (max(pause_s, _WORK_PER_SAVE * (ended - began)) if pause_s else 0.0)

    def process_id(self) -> int:
        """Return the id of the operating-system process it lives in."""
        return os.getpid()

    def _must_have(self, sequence: int) -> None:
        if not self._ready or sequence > self._sequence:
            got, expected = f"message {sequence + 1}", f"{self._sequence + 1}"
            raise MessageGapError(f"learner actor {self._spec.number}", got, expected)

    def _answered_before(self, sequence: int, token: str) -> Any:
        if self._journal is None:
            return self._replies.get(sequence)
        entry = self._journal.entry(sequence)
        if entry is None or entry.message.body.get(_TOKEN) != token:
            got, remedy = f"number {sequence}, which is another message's", "It has not happened; send it again."
            raise JournalError(f"learner actor {self._spec.number}", got, "a free number", remedy)
        return entry.answer

    def _journalled(self, journal: Journal, sequence: int, token: str, method: str, args: tuple[Any, ...]) -> Any:
        """Fold a message, then make it durable with what it brought; if that fails, nothing of it remains."""
        message = self.tenant.resolve(method, *args)
        message = replace(message, body={**message.body, _TOKEN: token})
        try:
            answer = self.tenant.fold(sequence, message)
            journal.append(Entry(sequence, message, answer))
            self._token = token
            if message.kind == "erase":
                self._erase_from(journal, sequence, [message])
        except BaseException as error:
            self._ready = False  # the memory is ahead of the journal
            self._fenced = isinstance(error, FencedError)
            raise
        return answer

    def _erase_from(self, journal: Journal, sequence: int, erasures: list[Message]) -> None:
        """Take what erasures leave in the journal and the snapshots out of them; doing it again does no harm."""
        self._aside.join()  # else it could come after what is forgotten here
        self._store.forget(0)  # first: the journal's mark that the erasure is done is made with its rewriting
        for message in erasures:
            if message.body["learner"]:  # else it is done, and only snapshots were left, such as another machine's
                journal.rewrite(without(message.body["row"], message.body["learner"]))
        self._save(sequence, self._marked_state())
        self._saved = sequence

    def _replayed(self, journal: Journal) -> int:
        """Take the journal over and build the state from it; return the number of its newest entry."""
        if self._fenced:  # to take it back would stop the rightful holder
            raise FencedError(f"learner actor {self._spec.number}", "another holder of its log", "", "This one stops.")
        self._ready = False
        self._aside.join()
        journal.take()
        self._move_in()
        self._load(_FOR_EVER)
        erasures = []
        for entry in journal.read(self._sequence):
            self.tenant.fold(entry.sequence, entry.message)
            self._sequence, self._token = entry.sequence, entry.message.body[_TOKEN]
            if entry.message.kind == "erase":
                erasures.append(entry.message)
        if erasures:
            self._erase_from(journal, self._sequence, erasures)
        self._durable = self._sequence
        self._ready = True
        gc.freeze()  # what is alive now stays: a full collection that walked it would stop the actor for long
        return self._sequence

    def _load(self, before: int) -> None:
        while (found := self._store.load(before)) is not None:
            sequence, state = found
            if self._journal is None or self._is_of(self._journal, sequence, state):
                self._sequence = self._saved = sequence
                self.tenant.restore(state)
                return
            self._store.forget(sequence - 1)  # the database was restored from a copy, and has gone on from there

    def _is_of(self, journal: Journal, sequence: int, state: State) -> bool:
        """Tell whether a snapshot is of the journal's own history."""
        entry = journal.entry(sequence)
        self._token = state[_MARK].tobytes().decode() if _MARK in state else ""
        return entry is not None and entry.message.body[_TOKEN] == self._token

    def _snapshot(self, answered: int) -> None:
        """Save a snapshot of messages that their sender keeps until one holds them."""
        began = time.monotonic()
        self._store.save(self._sequence, self.tenant.state())
        self._durable = self._store.prune(answered)
        self._plan_next(began)
