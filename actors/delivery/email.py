"""E-mail: one notification as a message of text and HTML, handed to a mail server by SMTP."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import smtplib
import ssl
import tomllib
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jinja2 import Environment, StrictUndefined

from actors.delivery.channel import Outgoing, RetryLaterError, UndeliverableError
from engine.errors import InputError

_HERE = Path(__file__).parent
_SCHEMES = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}  # with their usual ports
_EXPECTED = "smtp://HOST:PORT, smtps://USER:PASSWORD@HOST or smtp+starttls://USER:PASSWORD@HOST"
_REFUSED_ADDRESS = {550, 551, 553}  # RFC 5321, section 4.2.3: no such mailbox, elsewhere, or not a name
_PERMANENT = 500  # replies from here on are for good


@functools.cache
def _labels() -> dict[str, dict[str, str]]:
    return tomllib.loads((_HERE / "email.toml").read_text("utf-8"))


@functools.cache
def _layout() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((_HERE / "email.html.j2").read_text("utf-8"))


class EmailChannel:
    """Hands over to a mail server.

    Args:
        url: of the server; without TLS only for one on this machine or a trusted network.
        sender: address in From, such as ``Learn <hello@learn.example>``.
        timeout_s: for each answer of the server.

    Raises:
        InputError: the URL or the sender cannot be used; the error never shows the URL, which may hold a password.
    """

    name = "email"

    def __init__(self, url: str, sender: str, timeout_s: float = 10.0) -> None:
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port or _SCHEMES.get(parts.scheme, 0)
        except ValueError:
            raise InputError("mail server", "a URL that cannot be read", _EXPECTED) from None
        if parts.scheme not in _SCHEMES or not self._host:
            raise InputError("mail server", f"a URL of kind {parts.scheme!r}", _EXPECTED)
        self._scheme, self._timeout_s = parts.scheme, timeout_s
        self._login = (unquote(parts.username or ""), unquote(parts.password or ""))
        if self._login[0] and parts.scheme == "smtp":
            raise InputError("mail server", "a password without TLS", _EXPECTED)
        self._sender = _header("From", sender).addresses
        if len(self._sender) != 1 or not self._sender[0].domain:
            raise InputError("sender of e-mail", repr(sender), "one address, such as Learn <hello@learn.example>")

    def hand_over(self, outgoing: Outgoing) -> None:
        """Hand one message to the server, which answers for it from then on."""
        message = self.message(outgoing)
        try:
            with contextlib.closing(self._connect()) as server:
                server.send_message(message)
                with contextlib.suppress(smtplib.SMTPException, OSError, ValueError):
                    server.quit()  # the message is the server's by now, however they part
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = next(iter(error.recipients.values()))
            if code < _PERMANENT:
                raise RetryLaterError(self.name, f"reply {code} to the recipient") from None
            told = f"reply {code} to the recipient"
            raise UndeliverableError(self.name, told, bounced=code in _REFUSED_ADDRESS) from None
        except smtplib.SMTPNotSupportedError:
            told = "an address that the server cannot take (SMTPUTF8)"
            raise UndeliverableError(self.name, told, bounced=True) from None
        except smtplib.SMTPAuthenticationError as error:  # the operator's to mend, and then this one goes
            raise RetryLaterError(self.name, f"reply {error.smtp_code} to the password") from None
        except smtplib.SMTPResponseException as error:
            told = f"reply {error.smtp_code}"
            if error.smtp_code >= _PERMANENT and isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused):
                raise UndeliverableError(self.name, told) from None
            raise RetryLaterError(self.name, told) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:  # ValueError: an answer that is no SMTP
            raise RetryLaterError(self.name, type(error).__name__) from None

    def _connect(self) -> smtplib.SMTP:
        if self._scheme == "smtps":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout_s, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout_s)
        try:
            if self._scheme == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if self._login[0]:
                server.login(*self._login)
        except BaseException:
            server.close()
            raise
        return server

    def message(self, outgoing: Outgoing) -> EmailMessage:
        """Return a notification as a message; the same one at every attempt, but for what its words say.

        Raises:
            UndeliverableError: the address is none.
        """
        words, links = outgoing.words, outgoing.links
        try:
            to = _header("To", outgoing.to).addresses
        except InputError:
            to = ()
        if len(to) != 1 or not to[0].domain or not to[0].username:
            raise UndeliverableError(self.name, "an address that is none", bounced=True)
        labels = _labels().get(words.locale.split("-")[0], _labels()["en"])
        domain = self._sender[0].domain
        message = EmailMessage()
        message["From"], message["To"] = self._sender[0], to[0]
        message["Subject"] = words.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(outgoing.created_ms // 1_000, UTC))
        message["Message-ID"] = f"<{hashlib.sha256(outgoing.id.encode()).hexdigest()[:40]}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday reply comes back
        if links.unsubscribe:
            message["List-Unsubscribe"] = f"<{links.unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        lines = [words.body]
        lines += [f"{labels['open']}: {links.action}"] if links.action else []
        lines += [f"{labels['unsubscribe']}: {links.unsubscribe}"] if links.unsubscribe else []
        message.set_content("\n\n".join(lines) + "\n")
        paragraphs = [part for part in words.body.split("\n\n") if part.strip()]
        html = _layout().render(words=words, paragraphs=paragraphs, links=links, labels=labels)
        message.add_alternative(html, subtype="html")
        message["Content-Language"] = words.locale  # last: setting the content takes its headers out
        return message


def _header(name: str, value: str) -> Any:
    """Return an address header as it was read.

    Raises:
        InputError: it has line breaks, by which more headers could be smuggled in, or cannot be read.
    """
    if any(ord(char) < 32 for char in value):
        raise InputError(name, "control characters", "an address")
    message = EmailMessage()
    try:
        message[name] = value
        header = message[name]
    except (ValueError, IndexError, HeaderParseError):
        raise InputError(name, "something that cannot be read", "an address") from None
    if header.defects:
        raise InputError(name, "something that cannot be read", "an address")
    return header
