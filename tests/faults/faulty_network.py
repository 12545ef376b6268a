"""A cluster that fails by chance: processes that die or are taken for dead, calls that are lost, late or doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.learner import LearnerActor, MessageGapError
from actors.runtime import ActorLostError, Runtime
from engine.errors import EngageError, InputError
from tests.faults.faulty_disk import Crash, Disk

CALL_FATES = ("lost", "late", "doubled", "unanswered")


@dataclass
class Process:
    """One process with an actor in it."""

    actor: LearnerActor
    alive: bool = True

    def do(self, method: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Do a call; return its answer, or the error that is its answer."""
        if not self.alive:
            return ActorLostError()
        try:
            return getattr(self.actor, method)(*args, **named)
        except Crash:
            self.alive = False
            return ActorLostError()
        except EngageError as error:
            return error


class FaultyRuntime(Runtime):
    """Runs one actor, as `actors.local.LocalRuntime` does, behind a network.

    Args:
        make: makes the actor anew.
        disk: of the run.
    """

    def __init__(self, make: Callable[[], LearnerActor], disk: Disk) -> None:
        super().__init__(1)
        self._make, self._luck = make, disk.luck
        self._refused = disk.refused
        self._process = Process(make())
        self._late: list[tuple[Process, str, tuple[Any, ...], dict[str, Any]]] = []

    @property
    def actor(self) -> LearnerActor:
        """The actor that calls reach now."""
        return self._process.actor

    def deliver(self, actor: int, method: str, *args: Any) -> tuple[int, Any]:
        """Deliver a message, and remember whether it was refused."""
        try:
            return super().deliver(actor, method, *args)
        except InputError:
            self._refused.add(self._sent.token)
            raise

    def send(self, actor: int, method: str, *args: Any) -> Any:
        """Send a message, and remember it."""
        self._sent = super().send(actor, method, *args)
        return self._sent

    def _query(self, _actor: int, method: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if self._luck.strikes(4 * self._luck.network):
            self.arrive_late()
        call = self._process, method, args, named
        fate = self._luck.fate("call", CALL_FATES, self._luck.network)
        if fate in {"late", "doubled"}:
            self._late.append(call)
        if fate in {"lost", "late"}:
            return ActorLostError()
        answer = self._process.do(method, args, named)
        return ActorLostError() if fate == "unanswered" else answer

    def arrive_late(self) -> bool:
        """Let a call arrive that is late, in any order, in the process that it was sent to; return whether one did."""
        if not self._late:
            return False
        process, method, args, named = self._late.pop(self._luck.randrange(len(self._late)))
        process.do(method, args, named)
        return True

    def _wait(self, handle: Any) -> Any:
        if isinstance(handle, MessageGapError):
            raise ActorLostError from handle
        if isinstance(handle, BaseException):
            raise handle
        return handle

    def _restart(self, _actor: int) -> None:
        if not self._process.alive or self._luck.strikes(self._luck.network):
            self.give_up()

    def give_up(self) -> None:
        """Take the process for dead, whether it is or not, and start another in its place."""
        self._process = Process(self._make())

    def kill(self, _actor: int) -> None:
        """Kill the process."""
        self._process.alive = False

    def stop(self) -> None:
        """Kill the process, and all calls with it."""
        self._process.alive = False
        self._late.clear()
