"""The HTTP server's protocol with bounds on headers: uvicorn's own takes any number of them, and waits for ever.

Headers that have come whole are measured by `api.envelope`; here are those that do not end.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.envelope import SECURITY_HEADERS
from api.problems import Refused, answer
from api.settings import Settings


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `bounded` sets the bounds."""

    max_header_bytes: int
    header_timeout_s: float

    _in_head = True  # headers are being read; also before the first byte, so that a connection that says nothing ends
    _heard = False  # something of them has come
    _head_bytes = 0  # of them, without the first piece, which may hold the end of something else
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own does
        """Begin, with little patience."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came; refuse headers that grow too large or too slowly."""
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data) if self._heard else 0
        self._heard = True
        if self._head_bytes > self.max_header_bytes:
            got, expected = f"more than {self.max_header_bytes} bytes", f"at most {self.max_header_bytes}"
            self._refuse(Refused(431, "the headers", got, expected))
        elif self._deadline is None:
            self._wait()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._heard, self._head_bytes = True, False, 0

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._in_head = False
        if self._deadline is not None:
            self._wait_no_more()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.header_timeout_s, self._too_slow)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self._heard:
            self.transport.close()
            return
        expected = f"all of them in {self.header_timeout_s:g} s"
        self._refuse(Refused(408, "the headers", "some of them", expected))

    def _refuse(self, refusal: Refused) -> None:
        """Answer outside of the app, which has not been asked, and hang up."""
        response = answer(refusal.status_code, refusal.error)
        headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 %d Refused\r\n%s\r\n%s" % (refusal.status_code, lines, bytes(response.body)))
        self.transport.close()


def bounded(settings: Settings) -> type[BoundedProtocol]:
    """Return the protocol with an operator's bounds, for uvicorn's ``http=``."""
    bounds = {"max_header_bytes": settings.max_header_bytes, "header_timeout_s": settings.header_timeout_s}
    return type("BoundedProtocol", (BoundedProtocol,), bounds)
