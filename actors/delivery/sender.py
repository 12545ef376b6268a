"""The sender: hands what waits in the outbox to one channel, on threads of its own: a slow one holds up nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from actors.delivery.back_off import MOST_ATTEMPTS, pause_ms
from actors.delivery.channel import HandsOver, RetryLaterError, UndeliverableError
from actors.delivery.outbox import Item, Outbox, State
from actors.ports import JournalError

_log = logging.getLogger("engage.sender")
_LOOK_S = 0.2  # an idle thread looks into the outbox this often, unless it is woken
_TROUBLE_S = 1.0  # ... and after trouble with the database only then
T = TypeVar("T")
LEASE_MS = 120_000
"""How long a thread holds an item: longer than any channel takes."""


@dataclass(frozen=True)
class Withheld:
    """What is not handed over after all, and why."""

    reason: str


Told = Callable[[Item, State, bool], None]
"""Hears, once at least, what became of an item, and whether its address is at fault."""


def _nobody(_item: Item, _state: State, _bounced: bool) -> None:
    pass


class Sender(Generic[T]):
    """Threads that hand over by one channel.

    Args:
        outbox: from which.
        channel: to which; it bounds its own time.
        compose: returns what is handed over, looking once more whether it may be; called just before.
        clock: UTC ms.
        workers: threads.
        lease_ms: how long one holds an item.
        told: hears what became of each.
    """

    def __init__(
        self,
        outbox: Outbox,
        channel: HandsOver[T],
        compose: Callable[[Item], T | Withheld],
        clock: Callable[[], int],
        workers: int = 2,
        lease_ms: int = LEASE_MS,
        told: Told = _nobody,
    ) -> None:
        self._outbox, self._channel, self._compose, self._clock = outbox, channel, compose, clock
        self._lease_ms, self._told = lease_ms, told
        self._awake, self._ending = threading.Event(), threading.Event()
        names = (f"sender-{channel.name}-{number}" for number in range(workers))
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for name in names]

    def __enter__(self) -> Sender[T]:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def wake(self) -> None:
        """Look into the outbox now."""
        self._awake.set()

    def end(self, timeout_s: float = 5.0) -> None:
        """Finish what is in hand and take nothing more; what takes longer is left to the lease."""
        self._ending.set()
        self._awake.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                if self.step():
                    continue
                pause_s = _LOOK_S
            except JournalError as error:
                _log.warning("%s: %s", self._channel.name, error)
                pause_s = _TROUBLE_S
            self._awake.wait(pause_s)
            if not self._ending.is_set():
                self._awake.clear()

    def step(self) -> bool:
        """Take one item and hand it over; return whether there was one.

        Raises:
            JournalError: the database cannot be reached; what was handed over may be once more, under the same id.
        """
        taken = self._outbox.claim(self._channel.name, self._clock(), self._lease_ms)
        for item in taken:
            self._handle(item)
        return bool(taken)

    def _handle(self, item: Item) -> None:
        state, reason, bounced, after_ms = State.DELIVERED, None, False, 0
        try:
            outgoing = self._compose(item)
            if isinstance(outgoing, Withheld):
                state, reason = State.WITHHELD, outgoing.reason
            else:
                self._channel.hand_over(outgoing)
        except UndeliverableError as error:
            state, reason, bounced = State.DEAD, error.told, error.bounced
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a channel does, it holds up nothing else
            state, reason = State.WAITING, getattr(error, "told", type(error).__name__)
            after_ms = round(1_000 * error.after_s) if isinstance(error, RetryLaterError) else 0
            if not isinstance(error, RetryLaterError):  # its text may hold what is personal
                _log.error("%s: %s at attempt %d", self._channel.name, reason, item.attempts)
        self._settle(item, state, reason, bounced, after_ms)

    def _settle(self, item: Item, state: State, reason: str | None, bounced: bool, after_ms: int) -> None:
        now_ms = self._clock()
        if state is State.WAITING and item.attempts < MOST_ATTEMPTS:
            until_ms = now_ms + max(pause_ms(item.id, item.attempts), after_ms)
            self._outbox.postpone(item.id, until_ms, now_ms, reason or "")
            return
        state = State.DEAD if state is State.WAITING else state
        self._told(item, state, bounced)  # first: hearing it twice is better than never
        self._outbox.settle(item.id, state, now_ms, reason)
