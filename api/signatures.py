"""Signatures of webhooks, in both directions, after Standard Webhooks: id, time and body under HMAC-SHA256.

https://www.standardwebhooks.com: ``webhook-signature`` is "v1," and the base64 of the HMAC over "id.timestamp.body".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from engine.errors import InputError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_S = 300
"""By which the clocks of two servers may differ, and for how long a captured request could be played again."""

_VERSION = "v1,"


def sign(secret: bytes, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a body.

    Args:
        secret: shared with the receiver.
        message_id: the same at every attempt.
        at_s: UTC seconds.
        body: as it is sent.
    """
    return {ID: message_id, TIMESTAMP: str(at_s), SIGNATURE: _VERSION + _mac(secret, message_id, str(at_s), body)}


def verify(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: int) -> str:
    """Return the id of a signed request.

    Args:
        secrets: any of which may have signed it, so that one can be changed without an outage.
        headers: of the request, names in lower case.
        body: as it came.
        now_s: UTC seconds.

    Raises:
        InputError: a header is missing, the time is not now, or the signature is nobody's.
    """
    for name in (ID, TIMESTAMP, SIGNATURE):
        if name not in headers:
            raise InputError(f"header {name}", "nothing", "a signed request")
    message_id, at = headers[ID], headers[TIMESTAMP]
    if not (at.isascii() and at.isdigit() and len(at) < 16 and abs(int(at) - now_s) <= TOLERANCE_S):
        raise InputError(f"header {TIMESTAMP}", "another time", f"now, within {TOLERANCE_S} s", "Set the clocks.")
    given = [each.removeprefix(_VERSION) for each in headers[SIGNATURE].split() if each.startswith(_VERSION)]
    expected = [_mac(secret, message_id, at, body) for secret in secrets]
    if not any(hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected):
        raise InputError(f"header {SIGNATURE}", "no signature by a known secret", "one over id, time and body")
    return message_id


def _mac(secret: bytes, message_id: str, at: str, body: bytes) -> str:
    digest = hmac.digest(secret, f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    return base64.b64encode(digest).decode()
