"""What every answer is put in: a request id, security headers, a line in the log, a refusal where all else failed.

Pure ASGI, one object a request: every microsecond here is paid by every event.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from itertools import count
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import exchange
from api.exchange import Exchange
from api.problems import Refused
from api.refusals import refuse

_log = logging.getLogger("engage.access")

REQUEST_ID = b"x-request-id"
_GONE = (
    499  # nginx's number for a client that hung up before it was answered; nobody gets it, but logs and metrics tell
)
_CLIENTS_OWN = re.compile(rb"[A-Za-z0-9._-]{1,64}")

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Of every answer, unless its route has said something else under the same name."""

Observe = Callable[[Exchange, str, float], None]
"""Is told of each answer: its exchange, the method, the seconds."""


class Envelope:
    """The outermost middleware.

    Args:
        app: what it stands around.
        observe: told of each answer, for the metrics.
        most_header_bytes: of a request.
    """

    def __init__(self, app: ASGIApp, observe: Observe, most_header_bytes: int) -> None:
        self._app, self._observe, self._most = app, observe, most_header_bytes
        self._prefix, self._numbers = secrets.token_hex(4), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # there are no websockets here, so nothing else is let through
                await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        known = Exchange("")
        exchange.begin(scope, known)

        async def send_enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                known.status = message["status"]
                headers = list(message["headers"])
                said = {name for name, _ in headers}
                headers += [header for header in SECURITY_HEADERS if header[0] not in said]
                headers += known.headers
                headers.append((REQUEST_ID, known.request_id.encode()))
                message["headers"] = headers
            await send(message)

        try:
            self._read_headers(scope, known)
            await self._app(scope, receive, send_enveloped)
        except ClientDisconnect:
            known.status = known.status or _GONE
        except Exception as error:  # noqa: BLE001  # the last resort: whatever it was, it is logged and answered
            if known.status:
                _log.exception("request %s failed in the middle of its answer", known.request_id)
            else:
                await refuse(error, known.request_id)(scope, receive, send_enveloped)
        seconds = time.perf_counter() - began
        self._observe(known, scope["method"], seconds)
        if _log.isEnabledFor(logging.INFO):
            # Neither the path nor the query: they may name a learner, or hold a token that somebody put there.
            who = known.principal.log_name if known.principal else "-"
            line = (known.request_id, who, scope["method"], known.template or "-", known.status, 1_000 * seconds)
            _log.info("%s %s %s %s %d %.1fms", *line)

    def _read_headers(self, scope: Scope, known: Exchange) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == REQUEST_ID and _CLIENTS_OWN.fullmatch(value):
                known.request_id = value.decode()
        if not known.request_id:
            known.request_id = f"{self._prefix}-{next(self._numbers):x}"
        if size > self._most:
            raise Refused(431, "the headers", f"{size} bytes", f"at most {self._most}")
        _check_utf8("the path", scope["raw_path"])
        _check_utf8("the query", scope["query_string"])


def _check_utf8(what: str, raw: bytes) -> None:
    """Refuse an address that would be read as another one: what is no UTF-8 becomes U+FFFD, whatever it was.

    Raises:
        Refused: 400.
    """
    if b"%" not in raw and raw.isascii():
        return
    try:
        raw.decode("ascii")
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise Refused(400, what, "bytes that are no UTF-8", "UTF-8, percent-encoded") from None
