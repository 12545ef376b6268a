"""Bodies: read whole before a route begins, within bounds of size, time and form, and unpacked where they are gzip.

What reaches a route is complete, no larger than allowed, and if it says that it is JSON, then it is.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any, NamedTuple

from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import exchange
from api.access import Role
from api.problems import Refused, cut
from engine.errors import InputError

DEEPEST = 200
"""How deep JSON may be nested: pydantic's parser stops there, long before anything that walks the values would fail."""

BATCHES = {"/api/engagement/events", "/xapi/statements"}
"""Path templates of the routes that take many things at once: only their bodies may be as large as is set."""

MOST_SINGLE = 128 << 10
"""Bytes of any other body, and of one that a learner's own token sends. To say what is wrong with a million fields
takes seconds, in which nobody else is served."""

MOST_VALUES = 100_000
"""Values in one body, 50 for each event of a full batch: to read a million empty lists takes most of a second, in which
nobody else is served."""

MOST_MEMBERS = 256
"""Members of gzip in one body: each costs as much as all that follows it."""

_GZIP = 16 + zlib.MAX_WBITS  # tells zlib to expect gzip's header and checksum
_IN_THREAD = 64 << 10  # packed bytes; more than that take milliseconds to unpack


def read_json(data: bytes) -> Any:
    """Return what strict JSON says: no NaN, no infinity by name, no half characters, nested no deeper than `DEEPEST`.

    Routes that get lines of JSON read each with it; whole bodies have been through it before a route begins. A number
    such as 1e999 is JSON and becomes infinite, so models say ``allow_inf_nan=False``.

    Raises:
        InputError: it is not JSON.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise InputError("the body", cut(str(error)), "JSON") from None


class _Head(NamedTuple):
    """What the headers say of the body."""

    length: int | None = None  # bytes as sent, None = they come in chunks
    encoding: bytes = b""
    json: bool = False


class Bodies:
    """The middleware inside the guard.

    Args:
        app: gets the bodies.
        most: bytes of a body, as sent and as unpacked.
        timeout_s: until when a body must have come.
    """

    def __init__(self, app: ASGIApp, most: int, timeout_s: float) -> None:
        self._app, self._most, self._timeout_s = app, most, timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read one request's body, then let it be answered."""
        if scope["type"] != "http" or (head := _head(scope)) is None:
            await self._app(scope, receive, send)
            return
        most = self._most if _is_batch(scope) else min(self._most, MOST_SINGLE)
        body = await self._read(head, receive, most)
        if head.encoding:
            body = await _unpacked(body, most)
            kept = [(name, value) for name, value in scope["headers"] if name not in _OF_THE_PACKED]
            scope = {**scope, "headers": [*kept, (b"content-length", b"%d" % len(body))]}
        # What begins a value, or parts two, also within texts: counting these takes a thousandth of what reading does.
        if (values := sum(body.count(mark) for mark in (b",", b"[", b"{"))) > MOST_VALUES:
            raise Refused(413, "the body", f"{values} values", f"at most {MOST_VALUES}", "Send it in several requests.")
        if head.json and body:
            try:
                read_json(body)
            except InputError as error:
                raise Refused(400, error.what, error.got, error.expected) from None
        given = False

        async def receive_whole() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_whole, send)

    async def _read(self, head: _Head, receive: Receive, most: int) -> bytes:
        if head.length is not None and head.length > most:
            raise _too_large(f"{head.length} bytes", most)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise _too_large(f"more than {most} bytes", most)
                    if not message.get("more_body", False):
                        return parts[0] if len(parts) == 1 else b"".join(parts)
        except TimeoutError:
            got, expected = f"{size} bytes in {self._timeout_s:g} s", "all of it"
            raise Refused(408, "the body", got, expected, "Send less at once.", {"Connection": "close"}) from None


async def _unpacked(packed: bytes, most: int) -> bytes:
    body = unpack(packed, most) if len(packed) <= _IN_THREAD else await asyncio.to_thread(unpack, packed, most)
    if body is None:
        raise _too_large(f"more than {most} bytes when unpacked", most)
    return body


def _too_large(got: str, most: int) -> Refused:
    return Refused(413, "the body", got, f"at most {most} bytes", "Send it in several requests.")


def _is_batch(scope: Scope) -> bool:
    known = exchange.of(scope)
    return known.template in BATCHES and known.principal is not None and known.principal.role is not Role.LEARNER


_OF_THE_PACKED = (b"content-encoding", b"content-length", b"transfer-encoding")


def _head(scope: Scope) -> _Head | None:
    """Return what the headers say of the body, None = there is none.

    Raises:
        Refused: 415, it is packed in a way that is not known here.
    """
    length: int | None = None
    chunked = json = False
    encoding = b""
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)  # the server has refused what is no number
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"content-encoding":
            encoding = value.strip().lower()
        elif name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
            json = kind == b"application/json" or kind.endswith(b"+json")
    if not chunked and not length:
        return None
    if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
        got = encoding.decode("latin-1")
        raise Refused(415, "header Content-Encoding", got, "gzip, or none", headers={"Accept-Encoding": "gzip"})
    return _Head(None if chunked else length, b"" if encoding == b"identity" else encoding, json)


def unpack(packed: bytes, most: int) -> bytes | None:
    """Return what is in gzip, of one member or several; None = more than is allowed, and no more of it was unpacked.

    Args:
        packed: all of it.
        most: bytes that may come out.

    Raises:
        Refused: 400, it is cut off, damaged, in too many pieces, or not gzip.
    """
    body, members = b"", 0
    while packed:
        members += 1
        if members > MOST_MEMBERS:
            raise Refused(400, "the body", "more members of gzip", f"at most {MOST_MEMBERS}", "Send it as one.")
        member = zlib.decompressobj(_GZIP)
        try:
            body += member.decompress(packed, most - len(body) + 1)
        except zlib.error:
            raise _not_gzip("something else, or damaged") from None
        if len(body) > most:
            return None
        if not member.eof:
            raise _not_gzip("a beginning without its end")
        packed = member.unused_data
    return body


def _not_gzip(got: str) -> Refused:
    return Refused(400, "the body", got, "gzip, as its Content-Encoding says")
