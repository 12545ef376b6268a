"""Streams: what happens to learners, live, to whoever listens over HTTP, as server-sent events.

What is durable has a position, so a listener who was away is told first what was missed, page by page from the journal.
Nobody is waited for and nobody is remembered without bounds: who reads too slowly is disconnected, and may come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

from actors.directory import actor_of
from actors.feed import Happening
from actors.service import Service
from api import positions
from api.positions import WHOLE, Position, text_of
from engine.errors import InputError

HEARTBEAT_S = 15.0
LONGEST_S = 900.0
"""A stream ends after this long at the latest, and its client comes back: with credentials that still hold."""

MOST_WAITING = 1_000
"""Happenings that may wait for one listener."""

MOST_LISTENERS = 1_000
_PAGE = 500  # happenings that are read from a journal at a time
_RETRY_MS = 1_000  # after which a client comes back
_AWAKE_S = 1.0  # a stream looks at the clock this often

Told = Callable[[Happening], dict[str, Any]]


class Listener:
    """One who listens; used on the event loop alone.

    Args:
        owner: name of who listens.
        learner: whose happenings, None = everybody's.
    """

    def __init__(self, owner: str, learner: str | None) -> None:
        self.owner, self.learner = owner, learner
        self.overflowed = False
        self._waiting: deque[Happening] = deque()
        self._called = asyncio.Event()

    def hear(self, happenings: list[Happening]) -> None:
        """Take in what happened; too much at once is forgotten, and noted."""
        mine = happenings if self.learner is None else [each for each in happenings if each.learner == self.learner]
        if len(self._waiting) + len(mine) > MOST_WAITING:
            self.overflowed = True
            self._waiting.clear()
        elif not self.overflowed:
            self._waiting.extend(mine)
        if mine:
            self._called.set()

    def call(self) -> None:
        """Wake it up, be there something or not."""
        self._called.set()

    def begin(self) -> None:
        """Forget what came so far."""
        self._waiting.clear()
        self.overflowed = False

    async def wait(self, seconds: float) -> list[Happening]:
        """Return what has come, after some seconds at most nothing."""
        if not self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._called.wait()
        self._called.clear()
        heard = list(self._waiting)
        self._waiting.clear()
        return heard


class Streams:
    """All streams of a service.

    Args:
        service: what is listened to.
        told: puts a happening into words.
        readers: lets few read journals at a time.
        heartbeat_s: a stream that has nothing to say says so this often, so that nobody in between hangs up.
    """

    def __init__(
        self, service: Service, told: Told, readers: asyncio.Semaphore, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._service, self._told, self._readers, self._heartbeat_s = service, told, readers, heartbeat_s
        self._listeners: list[Listener] = []
        self._heard: dict[int, int] = {}  # newest entry of each log of which everything has been passed on
        self._unlisten: Callable[[], None] = lambda: None
        self._ending = False

    def __len__(self) -> int:
        return len(self._listeners)

    def of(self, owner: str) -> int:
        """Return how many streams somebody has."""
        return sum(listener.owner == owner for listener in self._listeners)

    def logs(self, learner: str | None) -> list[int]:
        """Return the journals that a stream reads."""
        lanes = len(self._service.lanes)
        return list(range(lanes)) if learner is None else [actor_of(learner, lanes)]

    def resume(self, text: str, learner: str | None) -> dict[int, Position]:
        """Return where a stream goes on for whoever has heard everything up to an id.

        Raises:
            InputError: it is no id of this stream, or of what is not in the journals any more.
        """
        after, newest = positions.read(text, self.logs(learner)), self._service.newest()
        for log, at in after.items():
            if at.sequence > newest[log]:
                remedy = "The database was restored from a copy: ask for the present state, and begin without an id."
                raise InputError("header Last-Event-ID", repr(text), f"at most {newest[log]} for journal {log}", remedy)
        return after

    def end(self) -> None:
        """End all streams, and those to come, on the event loop: the server would wait for them otherwise."""
        self._ending = True
        for listener in self._listeners:
            listener.call()

    async def stream(
        self,
        owner: str,
        learner: str | None,
        after: dict[int, Position] | None,
        until: Callable[[], bool],
        *,
        follow: bool = True,
    ) -> AsyncGenerator[bytes]:
        """Yield a stream's events, until its listener is too slow, time is up, or everything ends.

        Args:
            owner: name of who listens.
            learner: whose, None = everybody's.
            after: what was read before, None = begin now.
            until: returns whether the listener's credentials have ended.
            follow: go on with what happens from now; else it ends with what was missed.
        """
        ends_at = time.monotonic() + LONGEST_S

        def over() -> bool:
            return self._ending or until() or time.monotonic() > ends_at

        with self._listening(owner, learner) as listener:
            newest = self._service.newest()
            at = {log: Position(newest[log], WHOLE) for log in self.logs(learner)} if after is None else dict(after)
            yield f"retry: {_RETRY_MS}\n".encode() + _mark(at)
            if after is not None:
                async with contextlib.aclosing(self._caught_up(listener, at, over)) as missed:
                    async for chunk in missed:
                        yield chunk
            silent_s = 0.0
            while follow and not (listener.overflowed or over()):
                pause_s = min(_AWAKE_S, self._heartbeat_s)
                happenings = await listener.wait(pause_s)
                chunk = b"".join(self._events(happenings, at))
                silent_s = 0.0 if chunk else silent_s + pause_s
                if silent_s >= self._heartbeat_s and not listener.overflowed:
                    silent_s = 0.0
                    self._skip(at)
                    chunk = b": still here\n" + _mark(at)
                if chunk:
                    yield chunk

    @contextlib.contextmanager
    def _listening(self, owner: str, learner: str | None) -> Iterator[Listener]:
        listener = Listener(owner, learner)
        if not self._listeners:
            loop = asyncio.get_running_loop()
            self._unlisten = self._service.feed.listen(lambda happenings: self._hear(loop, happenings))
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
            if not self._listeners:
                self._unlisten()
                self._heard.clear()

    def _hear(self, loop: asyncio.AbstractEventLoop, happenings: list[Happening]) -> None:
        """Hand over what a lane tells, on its thread; it never waits."""
        with contextlib.suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(self._spread, happenings)

    def _spread(self, happenings: list[Happening]) -> None:
        for listener in self._listeners:
            listener.hear(happenings)
        for each in happenings[-1:]:
            if each.sequence:
                self._heard[each.log] = each.sequence

    def _skip(self, at: dict[int, Position]) -> None:
        """Move on over what concerned others only, so that a listener who comes back need not read it."""
        for log, position in at.items():
            at[log] = max(position, Position(self._heard.get(log, 0), WHOLE))

    async def _caught_up(
        self, listener: Listener, at: dict[int, Position], over: Callable[[], bool]
    ) -> AsyncGenerator[bytes]:
        """Yield what the journals hold after some positions, until the listener has heard all that came meanwhile."""
        while not over():
            listener.begin()
            for log in list(at):
                while not over() and (page := await self._page(log, at[log])):
                    mine = [each for each in page if listener.learner in {None, each.learner}]
                    events = b"".join(self._events(mine, at))
                    at[log] = Position(page[-1].sequence, page[-1].place)
                    yield events + _mark(at)
            if not listener.overflowed:
                return

    async def _page(self, log: int, after: Position) -> list[Happening]:
        def read() -> list[Happening]:
            return list(itertools.islice(self._service.history(log, *after), _PAGE))

        async with self._readers:
            return await asyncio.to_thread(read)

    def _events(self, happenings: list[Happening], at: dict[int, Position]) -> Iterator[bytes]:
        """Yield the events of what has not been told yet, and note that it has been."""
        for each in happenings:
            here = Position(each.sequence, each.place)
            if each.sequence:
                if here <= at[each.log]:
                    continue
                at[each.log] = here
            data = json.dumps(self._told(each), separators=(",", ":"))
            yield f"event: {each.kind}\nid: {text_of(at)}\ndata: {data}\n\n".encode()


def _mark(at: dict[int, Position]) -> bytes:
    """Return an event without content: a client only notes its id."""
    return f"id: {text_of(at)}\n\n".encode()
