"""A real mail server on a loopback port, which keeps what it is handed and can be told to refuse or to be slow."""

from __future__ import annotations

import email
import email.policy
import socket
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

SOON_S = 15.0
_HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody listens on: the library cannot be asked which one it was given."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class MailServer:
    """Takes mail while a block runs.

    Args:
        answer: to each message, after its content came; may take its time.
        to_recipient: answer to each recipient.
        to_quit: answer to who takes its leave.
    """

    def __init__(
        self, answer: Callable[[], str] = lambda: "250 OK", to_recipient: str = "250 OK", to_quit: str = "221 Bye"
    ) -> None:
        self.answer, self.to_recipient, self.to_quit = answer, to_recipient, to_quit
        self.messages: list[EmailMessage] = []
        self.begun = threading.Semaphore(0)  # released as each message's content has come
        self._port = free_port()
        self._controller = Controller(self, hostname=_HOST, port=self._port, enable_SMTPUTF8=True)

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"smtp://{_HOST}:{self._port}"

    async def handle_RCPT(  # noqa: N802  # the library's own spelling
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer to a recipient."""
        if self.to_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return self.to_recipient

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802  # the library's own spelling
        """Answer to who takes its leave."""
        return self.to_quit

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # the library's own spelling
        """Keep a message."""
        content: Any = envelope.content
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.begun.release()
        answer = self.answer()
        if answer.startswith("2"):
            self.messages.append(message)  # type: ignore[arg-type]  # the policy makes it one
        return answer

    def wait(self, count: int) -> list[EmailMessage]:
        """Return the messages once so many have come."""
        until = time.monotonic() + SOON_S
        while len(self.messages) < count:
            assert time.monotonic() < until, f"{len(self.messages)} of {count} messages came"
            time.sleep(0.01)
        return list(self.messages)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._controller.stop()
