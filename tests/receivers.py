"""Real HTTP receivers on loopback ports: a gateway that keeps what it is handed once, and servers that misbehave."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

SECRET = "a secret of at least 24 characters"  # noqa: S105  # opens nothing outside tests


class GatewayServer:
    """Takes signed JSON while a block runs; what is not signed as Standard Webhooks say gets a 401."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, Any]] = {}  # by Idempotency-Key, which it honours
        self.requests = 0
        self.answer: tuple[int, dict[str, str]] = (202, {})
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's own spelling
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = server._take(dict(self.headers), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def _take(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        self.requests += 1
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        if headers["webhook-signature"] != f"v1,{mac}":
            return 401, {}
        if 200 <= self.answer[0] < 300:
            self.taken.setdefault(headers["Idempotency-Key"], json.loads(body))
        return self.answer

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/messages"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()


@contextlib.contextmanager
def says(answer: bytes | None) -> Iterator[int]:
    """Listen on a port, answer every connection with some bytes and close it; None = say nothing, and keep it open."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as kept:
        listening.settimeout(0.1)
        ending = threading.Event()

        def serve() -> None:
            while not ending.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listening.accept()
                    if answer is None:
                        kept.callback(connection.close)
                        continue
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        ending.set()
        thread.join()
