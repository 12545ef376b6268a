"""The HTTP server's protocol with bounds: uvicorn's own takes any number of headers, and waits for ever.

Headers that have come whole are measured by `api.envelope`; here are those that do not end. Answers that a client does
not read are broken off: a connection that is closed would stay until the last byte of its answer was taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.envelope import SECURITY_HEADERS
from api.problems import Refused, answer
from api.settings import Settings

_log = logging.getLogger("engage.api")
_NO_HTTP = Refused(400, "the request", "something else, or what may be read in two ways", "HTTP/1.1")
_NO_ROOM = Refused(503, "connections", "as many as there may be", "", "Use one again and again.")
_OTHER_FILES = 256  # that the service may have open beside its connections: databases, snapshots, pipes
_LEAST_BYTES = 64 << 10  # of an answer a client takes within the time for it, or all that is left


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `bounded` sets the bounds."""

    max_connections: int
    max_header_bytes: int
    header_timeout_s: float
    reading_timeout_s: float

    _in_head = True  # headers are being read; also before the first byte, so that a connection that says nothing ends
    _heard = False  # something of them has come
    _head_bytes = 0  # of them, without the first piece, which may hold the end of something else
    _deadline: asyncio.TimerHandle | None = None
    _unread = 0  # bytes of answers that had not gone out when that was looked at last
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own does
        """Begin, with little patience."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(_NO_ROOM)
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._wait_no_more()
        self._watch_no_more()
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

    def pause_writing(self) -> None:
        """Much of an answer has not gone out: the client must read."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._watch_no_more()

    def on_response_complete(self) -> None:
        """An answer has been given."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing has come for long."""
        super().timeout_keep_alive_handler()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in our form."""
        self._refuse(_NO_HTTP)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.header_timeout_s, self._too_slow)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _watch(self) -> None:
        """Look in a while whether the client has read."""
        self._watch_no_more()
        self._unread = self.transport.get_write_buffer_size()
        self._look = self.loop.call_later(self.reading_timeout_s, self._judge)

    def _watch_no_more(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _judge(self) -> None:
        """Cut off a client that does not read: closing would wait for it."""
        if self.transport.get_write_buffer_size() <= self._unread - _LEAST_BYTES:
            self._watch()
            return
        _log.info("a client did not read for %g s and was cut off", self.reading_timeout_s)
        self.transport.abort()

    def _too_slow(self) -> None:
        self._deadline = None
        if not self._heard:
            self.transport.close()
            return
        expected = f"all of them in {self.header_timeout_s:g} s"
        self._refuse(Refused(408, "the headers", "some of them", expected))

    def _refuse(self, refusal: Refused) -> None:
        """Answer outside of the app, which has not been asked, and hang up."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self.pipeline or not cycle.more_body:
                # A request before this one is still to be answered, and would be taken for the one that is refused.
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            if cycle.response_started:
                self.transport.close()
                return
        response = answer(refusal.status_code, refusal.error)
        headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 %d Refused\r\n%s\r\n%s" % (refusal.status_code, lines, bytes(response.body)))
        self.transport.close()


def bounded(settings: Settings) -> type[BoundedProtocol]:
    """Return the protocol with an operator's bounds, for uvicorn's ``http=``."""
    files = _most_files()
    bounds = {
        "max_connections": min(settings.max_connections, max(files - _OTHER_FILES, files // 2)),
        "max_header_bytes": settings.max_header_bytes,
        "header_timeout_s": settings.header_timeout_s,
        "reading_timeout_s": settings.reading_timeout_s,
    }
    return type("BoundedProtocol", (BoundedProtocol,), bounds)


def _most_files() -> int:
    """Let this process open as many files as it may, and return how many: each connection is one.

    A journal that cannot be opened because strangers hold all of them would be our own fault.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems name a limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
