"""Load over HTTP: how many requests a second a service answers, and how long one takes at full and at half load.

**Full load**: every connection sends its next request when the last one is answered. **Half load**: requests are due at
fixed instants, at half the rate that full load reached; a latency runs from when its request was due, so waiting behind
a slow answer counts (no coordinated omission).

The generator must not be the bound. It is processes of plain sockets that send requests made beforehand, and every
figure comes with the share of its time that the busiest process computed; `ceiling` says what it reaches against a
server that only answers.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing as mp
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import numpy as np
import uvloop
from numpy.typing import NDArray

PROCESSES = 2
CONNECTIONS = 32  # in all
_WARM_UP = 0.2  # share of the requests that come first and are not counted
_APART_S = 0.005  # between connections, or the first of a service's workers to wake up would accept most of them
_PATIENCE_S = 60.0  # until a server listens, or all processes have their requests and connections
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Payloads(Protocol):
    """Makes the bodies of requests; it travels to the processes, so it pickles."""

    def __call__(self, process: int, number: int) -> bytes:
        """Return the body of one request; those of one process are numbered from 0."""
        ...


@dataclass(frozen=True)
class Load:
    """What a run found.

    Args:
        requests_s: requests answered a second.
        events_s: events in them.
        p50_ms: latency that half of the requests stay under.
        p99_ms: latency that 99% stay under.
        busy: share of its time that the busiest process of the generator computed; near 1 it was the bound.
    """

    requests_s: float
    events_s: float
    p50_ms: float
    p99_ms: float
    busy: float


@dataclass(frozen=True)
class Target:
    """Where to send what.

    Args:
        base_url: of the service, ``http://host:port``.
        path: of the requests.
        payloads: makes their bodies.
        events: in one body.
        headers: of every request, such as its authorisation.
    """

    base_url: str
    path: str
    payloads: Payloads
    events: int = 1
    headers: tuple[tuple[str, str], ...] = ()

    def request(self, process: int, number: int) -> bytes:
        """Return one request as it goes over the wire."""
        body = self.payloads(process, number)
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"host: {urlsplit(self.base_url).netloc}",
            "content-type: application/json",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def full(target: Target, requests: int, *, first: int = 0, connections: int = CONNECTIONS) -> Load:
    """Load a service as much as it takes.

    Args:
        target: where to send what.
        requests: in all; enough for some seconds.
        first: number of the first request, so that bodies are never sent twice.
        connections: in all.
    """
    return _run(target, requests, first, connections, None)


def at_rate(target: Target, requests: int, rate: float, *, first: int = 0, connections: int = CONNECTIONS) -> Load:
    """Load a service with so many requests a second, due at fixed instants; see `full`."""
    return _run(target, requests, first, connections, rate)


def full_and_half(target: Target, seconds: float, *, connections: int = CONNECTIONS) -> tuple[Load, Load]:
    """Find how much a service takes, by runs of about so many seconds; return full load and half load."""
    tried, first = full(target, 4 * connections, connections=connections), 4 * connections
    requests = max(4 * connections, int(tried.requests_s * seconds))
    most = full(target, requests, first=first, connections=connections)
    first += requests
    rate = most.requests_s / 2
    half = at_rate(target, max(4 * connections, int(rate * seconds)), rate, first=first, connections=connections)
    return most, half


def ceiling(target: Target, requests: int, *, connections: int = CONNECTIONS) -> Load:
    """Return what the generator reaches against a server that reads a request, thinks nothing and answers."""
    with serving(_answer_always) as port:
        there = Target(f"http://127.0.0.1:{port}", target.path, target.payloads, target.events, target.headers)
        return full(there, requests, connections=connections)


@contextmanager
def serving(run: Callable[[Any], None]) -> Iterator[int]:
    """Run a server in a process of its own until the block ends; it sends its port as soon as it listens."""
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run, args=(theirs,), daemon=True)
    process.start()
    try:
        assert ours.poll(_PATIENCE_S), "the server did not come up"
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._expected = -1  # bytes of the whole answer, once its head is there
        self._answered: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's derives from nothing

    def send(self, request: bytes) -> asyncio.Future[None]:
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._expected < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            assert head[9:12] == b"200", bytes(self._buffer)
            at = head.index(b"\r\ncontent-length:") + 17
            self._expected = end + 4 + int(head[at:].split(b"\r\n", 1)[0])
        if len(self._buffer) >= self._expected:
            self._buffer.clear()
            self._expected = -1
            assert self._answered is not None
            self._answered.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionError("the service closed the connection"))

    def close(self) -> None:
        self._transport.close()


@dataclass(frozen=True)
class _Part:
    """What one process did.

    Args:
        due_s: when each request was due, on the machine's monotonic clock.
        answered_s: when it was answered.
        busy: as `Load.busy`.
    """

    due_s: NDArray[np.float64]
    answered_s: NDArray[np.float64]
    busy: float


_start: Any = None  # in a process of the generator: the barrier at which all begin


def _begin_with(barrier: Any) -> None:
    global _start  # noqa: PLW0603  # a barrier can only be handed over when a process starts
    _start = barrier


def _run(target: Target, requests: int, first: int, connections: int, rate: float | None) -> Load:
    context = mp.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    each = max(1, requests // PROCESSES)
    own_rate = None if rate is None else rate / PROCESSES
    with ProcessPoolExecutor(PROCESSES, context, _begin_with, (barrier,)) as pool:
        work = [
            pool.submit(_process, target, number, first, each, max(1, connections // PROCESSES), own_rate)
            for number in range(PROCESSES)
        ]
        parts = [future.result() for future in work]
    due_s = np.concatenate([part.due_s for part in parts])
    answered_s = np.concatenate([part.answered_s for part in parts])
    counted = np.argsort(due_s)[int(_WARM_UP * len(due_s)) :]
    due_s, answered_s = due_s[counted], answered_s[counted]
    requests_s = float(len(due_s) / (answered_s.max() - due_s.min()))
    p50_ms, p99_ms = np.percentile(1e3 * (answered_s - due_s), [50, 99])
    busy = max(part.busy for part in parts)
    return Load(requests_s, requests_s * target.events, float(p50_ms), float(p99_ms), busy)


def _process(target: Target, number: int, first: int, requests: int, connections: int, rate: float | None) -> _Part:
    made = deque(target.request(number, first + k) for k in range(requests))
    return uvloop.run(_send(target, made, connections, rate))


async def _send(target: Target, requests: deque[bytes], connections: int, rate: float | None) -> _Part:
    there = urlsplit(target.base_url)
    loop = asyncio.get_running_loop()
    address = (there.hostname or "", there.port or 80)
    opened = []
    for _ in range(connections):
        opened.append((await loop.create_connection(_Connection, *address))[1])
        await asyncio.sleep(_APART_S)
    await asyncio.to_thread(_start.wait, _PATIENCE_S)
    due_s: list[float] = []
    answered_s: list[float] = []
    began_s, computed_s = time.monotonic(), time.process_time()
    places = itertools.count()

    async def use(connection: _Connection) -> None:
        while requests:
            request = requests.popleft()
            due = time.monotonic()
            if rate is not None:
                now, due = due, began_s + next(places) / rate
                if due > now:  # this connection is free in time: what the timer is late by is not the service's doing
                    await asyncio.sleep(due - now)
                    due = time.monotonic()
            await connection.send(request)
            due_s.append(due)
            answered_s.append(time.monotonic())

    await asyncio.gather(*map(use, opened))
    busy = (time.process_time() - computed_s) / (time.monotonic() - began_s)
    for connection in opened:
        connection.close()
    return _Part(np.array(due_s), np.array(answered_s), busy)


class _Answering(asyncio.Protocol):
    """Answers each request at once, whatever it says; requests come one at a time on a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._missing = cast(asyncio.Transport, transport), 0

    def data_received(self, data: bytes) -> None:
        if self._missing == 0:
            head, _, body = data.partition(b"\r\n\r\n")
            at = head.index(b"content-length:") + 15
            self._missing = int(head[at:].split(b"\r\n", 1)[0]) - len(body)
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._transport.write(_OK)


def _answer_always(pipe: Any) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())
