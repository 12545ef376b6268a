"""Clients that do not read: they are cut off, so that they hold neither a connection nor the end of the service."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.protocol import BoundedProtocol, bounded
from api.settings import Settings
from tests.api.site import SOON_S

PIECE = bytes(64 << 10)
PIECES = 256  # more than the system's buffers of a connection take


async def whole(_request: Request) -> Response:
    return Response(PIECE * PIECES)


async def streamed(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(PIECES):
            yield PIECE

    return StreamingResponse(pieces())


APP = Starlette(routes=[Route("/whole", whole), Route("/streamed", streamed)])


def never_paused(self: BoundedProtocol, transport: asyncio.Transport) -> None:
    """Begin; all that is left of an answer stays below what would pause the server."""
    BoundedProtocol.connection_made(self, transport)
    transport.set_write_buffer_limits(high=1 << 30)


@contextlib.contextmanager
def serving(patience_s: float = 0.3, *, unpaused: bool = False) -> Iterator[uvicorn.Server]:
    """Serve, with little patience, until the block ends."""
    hasty = bounded(Settings(reading_timeout_s=patience_s))
    http = type("Unpaused", (hasty,), {"connection_made": never_paused}) if unpaused else hasty
    config = uvicorn.Config(APP, port=0, http=http, log_config=None, access_log=False, timeout_keep_alive=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(SOON_S)
        assert not thread.is_alive(), "it does not end"


def wait_until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON_S
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def ask(server: uvicorn.Server, path: str, *lines: str) -> socket.socket:
    """Send a request without reading the answer."""
    connection = socket.create_connection(server.servers[0].sockets[0].getsockname(), SOON_S)
    connection.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: engage", *lines, "", ""]).encode())
    wait_until(lambda: len(server.server_state.connections) == 1)
    return connection


@pytest.mark.parametrize("path", ["/whole", "/streamed"])
def test_who_does_not_read_is_cut_off(path: str) -> None:
    with serving() as server, ask(server, path):
        wait_until(lambda: not server.server_state.connections and not server.server_state.tasks)


@pytest.mark.parametrize("line", ["Connection: close", "Connection: keep-alive"])
def test_who_leaves_the_last_of_an_answer_is_cut_off(line: str) -> None:
    with serving(unpaused=True) as server, ask(server, "/whole", line):
        wait_until(lambda: not server.server_state.connections)


@pytest.mark.parametrize("path", ["/whole", "/streamed"])
def test_who_reads_slowly_gets_all(path: str) -> None:
    got, patience_s, began = 0, 1.0, time.monotonic()  # the server hears of reading by the megabyte
    with serving(patience_s) as server, ask(server, path, "Connection: close") as connection:
        while more := connection.recv(4 * len(PIECE)):
            got += len(more)
            time.sleep(0.05)
    assert time.monotonic() - began > 2 * patience_s and got > PIECES * len(PIECE)


def test_the_end_does_not_wait_for_who_does_not_read() -> None:
    with serving() as server, ask(server, "/streamed"):
        server.should_exit = True
        wait_until(lambda: not server.server_state.connections)
