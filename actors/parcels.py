"""Parcels: what callers hand to a lane, and where its answers are put."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from actors.intake import EventIn
from engine.errors import EngageError


class BusyError(EngageError):
    """More is waiting than can be taken; nothing of this was."""


class Promise(Protocol):
    """Where an answer is put: a future, of asyncio or of threads."""

    def done(self) -> bool:
        """Tell whether nobody waits any more."""

    def set_result(self, result: Any, /) -> None:
        """Keep it."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Break it."""


_ALONE = 64  # events that take as long as a message that travels alone


class Parcel(NamedTuple):
    """What one caller wants of the actor: events, or another kind of message."""

    promise: Promise
    rows: Sequence[EventIn]
    method: str = "events"
    args: tuple[Any, ...] = ()

    @property
    def weight(self) -> int:
        """What it asks of the actor, in events."""
        return len(self.rows) if self.method == "events" else _ALONE


Post = Callable[[Callable[[], None]], None]
"""Runs something where the promises live: the event loop of the rim, or just here."""
