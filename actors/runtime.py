"""What every runtime does alike: number the messages, keep them until they are durable, and resend after a death.

A runtime differs only in how an actor is started, called, waited for and killed.
"""

from __future__ import annotations

import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from actors.learner import Reply
from actors.ports import Scorer
from engine.errors import EngageError, InputError

_MOST_RECOVERIES = 5
_FOR_EVER = 1 << 62  # a number no message reaches
_RESTART_S = 120.0  # a process starts in a second; on a machine that is busy or compiles, in many more


class ActorLostError(Exception):
    """The actor died or cannot be reached; its answer will not come."""


@dataclass(frozen=True)
class ActorInfo:
    """One actor as an operator sees it."""

    number: int
    process_id: int


@dataclass
class _Message:
    sequence: int
    method: str
    args: tuple[Any, ...]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    handle: Any = None
    answered: bool = False


class Runtime(ABC):
    """Runs learner actors; `LocalRuntime` in this process, `RayRuntime` in processes of their own.

    Messages to one actor are applied in the order of sending, each exactly once in effect, whatever dies meanwhile.

    Args:
        actors: how many.

    Attributes:
        pool: the scoring pool, as an actor sees it.
    """

    pool: Scorer

    def __init__(self, actors: int) -> None:
        self._sequence = [0] * actors
        self._answered = [0] * actors  # up to here every reader may count on
        self._kept: list[deque[_Message]] = [deque() for _ in range(actors)]
        self._attached = [False] * actors
        self._locks = [threading.RLock() for _ in range(actors)]  # readers may find an actor dead while a sender does

    def __len__(self) -> int:
        return len(self._sequence)

    def send(self, actor: int, method: str, *args: Any) -> _Message:
        """Send a message; it is applied in its turn. Ask `result` for the answer."""
        with self._locks[actor]:
            self._sequence[actor] += 1
            message = _Message(self._sequence[actor], method, args)
            self._hand_over(actor, message)
            self._kept[actor].append(message)
        return message

    def result(self, actor: int, message: _Message) -> Any:
        """Wait for the answer to a message, bringing the actor back to its state if it died.

        Raises:
            EngageError: the actor died again and again.
        """
        for _ in range(_MOST_RECOVERIES):
            try:
                reply: Reply = self._wait(message.handle)
            except ActorLostError:
                self._recover(actor)
                continue
            message.answered, message.handle = True, None  # what a handle stands for takes room
            self._answered[actor] = message.sequence
            kept = self._kept[actor]
            while kept and kept[0].answered and kept[0].sequence <= reply.durable:
                kept.popleft()
            return reply.value
        raise EngageError(
            f"learner actor {actor}",
            f"{_MOST_RECOVERIES} deaths while it applied message {message.sequence} ({message.method})",
            "an answer",
            "See its log; the message itself may kill it.",
        )

    def each(self, calls: Iterable[tuple[int, str, tuple[Any, ...]]], ahead: int = 4) -> Iterator[tuple[int, Any]]:
        """Send many messages, about ``ahead`` outstanding for an actor; yield (place in ``calls``, answer) in order."""
        waiting: deque[tuple[int, int, _Message]] = deque()
        limit = ahead * len(self)
        for place, (actor, method, args) in enumerate(calls):
            if len(waiting) >= limit:
                first, owner, message = waiting.popleft()
                yield first, self.result(owner, message)
            waiting.append((place, actor, self.send(actor, method, *args)))
        while waiting:
            first, owner, message = waiting.popleft()
            yield first, self.result(owner, message)

    def deliver(self, actor: int, method: str, *args: Any) -> tuple[int, Any]:
        """Send a message to an actor with a journal and wait for its answer, with no other outstanding.

        Returns:
            the message's number; its answer.

        Raises:
            InputError: the message was refused.
            EngageError: it could not be made durable. In doubt whether it was, the next one begins by asking the
                journal.
        """
        if not self._attached[actor]:
            self.attach(actor)
        try:
            message = self.send(actor, method, *args)
            return message.sequence, self.result(actor, message)
        except EngageError as error:
            with self._locks[actor]:
                self._kept[actor].clear()  # its sender has been told; nobody may send it again
                if isinstance(error, InputError):  # nothing was begun, so the number is free
                    self._sequence[actor] -= 1
                else:
                    self._attached[actor] = False
            raise

    def attach(self, actor: int) -> int:
        """Take up the numbering where the actor's journal ends; return the number of its newest entry."""
        with self._locks[actor]:
            self._kept[actor].clear()
            newest = self._restarted(actor, _FOR_EVER)
            self._sequence[actor] = self._answered[actor] = newest
            self._attached[actor] = True
        return newest

    def newest(self, actor: int) -> int:
        """Return the number of the newest message of an actor that has been answered."""
        return self._answered[actor]

    def ask(self, actor: int, method: str, *args: Any) -> Any:
        """Ask an actor's tenant something that no message depends on; the answer builds on all that was answered."""
        return self._asked(actor, "ask", lambda: (self._answered[actor], method, *args))

    def checkpoint(self, actor: int, *, aside: bool = False) -> int:
        """Let an actor save a snapshot, aside or now; return the number of its message."""
        return int(self._asked(actor, "checkpoint", lambda: (aside,)))

    def actors(self) -> list[ActorInfo]:
        """Return every actor with its process id."""
        return [ActorInfo(actor, self._process_id(actor)) for actor in range(len(self))]

    def _process_id(self, actor: int) -> int:
        return int(self._asked(actor, "process_id", tuple))

    def _asked(self, actor: int, method: str, args: Callable[[], tuple[Any, ...]]) -> Any:
        for _ in range(_MOST_RECOVERIES):
            try:
                return self._wait(self._query(actor, method, args(), {}))
            except ActorLostError:
                self._recover(actor)
        raise EngageError(f"learner actor {actor}", f"{_MOST_RECOVERIES} deaths while asked for {method}", "an answer")

    def _recover(self, actor: int) -> None:
        """Bring a restarted actor back to a snapshot and resend what came after, under the same numbers.

        A snapshot holds the state after a message but not its answer. Where the actor died between the two, it goes
        back to the snapshot before, so that the answer is found again.
        """
        with self._locks[actor]:
            lost = [message.sequence for message in self._kept[actor] if not self._has_answer(message)]
            before = min(lost, default=self._sequence[actor] + 1)
            restored = self._restarted(actor, before)
            for message in self._kept[actor]:
                if message.sequence > restored:
                    self._hand_over(actor, message)

    def _hand_over(self, actor: int, message: _Message) -> None:
        """Call the actor with a message, telling it up to which message all answers have come."""
        waiting = next((kept.sequence for kept in self._kept[actor] if not kept.answered), message.sequence)
        args = (message.sequence, message.method, *message.args)
        message.handle = self._query(actor, "apply", args, {"answered": waiting - 1, "token": message.token})

    def _restarted(self, actor: int, before: int) -> int:
        """Wait until the actor runs again and has gone back; return the number of its snapshot's message."""
        deadline = time.monotonic() + _RESTART_S
        while True:
            try:
                return int(self._wait(self._query(actor, "recover", (before,), {})))
            except ActorLostError:
                if time.monotonic() > deadline:
                    got, expected = f"no restart within {_RESTART_S:g} s", "a running actor"
                    raise EngageError(f"learner actor {actor}", got, expected, "See its log.") from None
                self._restart(actor)

    def _has_answer(self, message: _Message) -> bool:
        """Return whether the answer to a message to a dead actor had come before its death."""
        if message.answered:
            return True
        try:
            self._wait(message.handle)
        except ActorLostError:
            return False
        except EngageError:
            return True  # an error of the work is its answer
        return True

    @abstractmethod
    def _query(self, actor: int, method: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a method of the actor; return a handle to wait for."""

    @abstractmethod
    def _wait(self, handle: Any) -> Any:
        """Return the answer, or raise `ActorLostError`."""

    @abstractmethod
    def _restart(self, actor: int) -> None:
        """Make sure that a new actor is starting in the place of a dead one."""

    @abstractmethod
    def kill(self, actor: int) -> None:
        """Kill the actor as hard as the runtime can (Ray: SIGKILL of its process). For fault tests."""

    @abstractmethod
    def stop(self) -> None:
        """End all actors."""
