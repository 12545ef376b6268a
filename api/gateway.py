"""Gateways: push, SMS and webhooks leave as signed HTTP requests, to whoever knows the devices and the networks."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from actors.delivery.channel import Outgoing, RetryLaterError, UndeliverableError
from api.signatures import sign
from engine.errors import InputError

_LONGEST_WAIT_S = 3_600.0
"""A gateway may ask for a longer pause, and gets this."""

_LATER = {408, 425, 429}  # besides 5xx: the same request may succeed another time
_NO_SUCH_ADDRESS = {404, 410}
_TOO_MANY = 429
_MOST_BYTES = 64 << 10  # of an answer that is read, so that its connection can be used again


class Gateway:
    """Posts signed JSON to one address.

    Args:
        name: of the channel, for errors.
        url: of the gateway, https; http for one on this machine or a trusted network.
        secret: shared with it.
        clock: UTC ms.
        timeout_s: for the whole exchange.

    Raises:
        InputError: the URL cannot be used.
    """

    def __init__(self, name: str, url: str, secret: bytes, clock: Callable[[], int], timeout_s: float = 5.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InputError(f"gateway of {name}", f"a URL of kind {parts.scheme!r}", "https://HOST/PATH")
        self._name, self._url, self._secret, self._clock = name, url, secret, clock
        self._timeout_s = timeout_s
        # No redirects, no proxy or password from the environment: a request goes where it says, or nowhere.
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False, trust_env=False)

    def post(self, message_id: str, content: dict[str, Any]) -> None:
        """Hand JSON over, under an id that the receiver may know again.

        Raises:
            RetryLaterError: not now.
            UndeliverableError: never.
        """
        body = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()
        key = message_id if message_id.isascii() and message_id.isprintable() else _hash(message_id)
        headers = sign(self._secret, key, self._clock() // 1_000, body)
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
        deadline = time.monotonic() + self._timeout_s
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                read = 0
                for chunk in answer.iter_raw():  # what it says is not looked at
                    read += len(chunk)
                    if read > _MOST_BYTES or time.monotonic() > deadline:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise RetryLaterError(self._name, type(error).__name__) from None
        self._judge(answer)

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if 200 <= status < 300:
            return
        told = f"status {status}"
        if status in _LATER or status >= 500:
            raise RetryLaterError(self._name, told, self._pause_s(answer.headers.get("Retry-After", "")))
        raise UndeliverableError(self._name, told, bounced=status in _NO_SUCH_ADDRESS)

    def _pause_s(self, asked: str) -> float:
        """Return the pause that was asked for, as seconds or a date (RFC 9110, section 10.2.3), 0 = none."""
        if asked.isascii() and asked.isdigit():
            return min(float(asked[:9]), _LONGEST_WAIT_S)
        try:
            at = parsedate_to_datetime(asked)
        except (ValueError, TypeError):
            return 0.0
        at = at.replace(tzinfo=at.tzinfo or UTC)
        return min(max(at.timestamp() - self._clock() / 1_000, 0.0), _LONGEST_WAIT_S)


class GatewayChannel:
    """Hands notifications over to a gateway of push or SMS.

    Args:
        name: ``push`` or ``sms``.
        gateway: which.
    """

    def __init__(self, name: str, gateway: Gateway) -> None:
        self.name, self._gateway = name, gateway

    def hand_over(self, outgoing: Outgoing) -> None:
        """Hand one over."""
        words = outgoing.words
        content = {
            "id": outgoing.id,
            "channel": self.name,
            "to": outgoing.to,
            "userId": outgoing.learner,
            "type": outgoing.type,
            "title": words.push_title,
            "text": words.sms if self.name == "sms" else words.push,
            "locale": words.locale,
            "direction": words.direction,
            "actionUrl": outgoing.links.action,
            "unsubscribeUrl": outgoing.links.unsubscribe,
            "expiresAt": datetime.fromtimestamp(outgoing.expires_ms / 1_000, UTC).isoformat(),
        }
        self._gateway.post(outgoing.id, content)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
