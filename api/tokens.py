"""Learners' tokens: signed, short-lived, good for one learner's own data; nothing of them is stored."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jwt
from jwt.types import Options

from api.access import DEFAULT_SCOPES, Principal, Role, Scope
from api.clock import Clock
from engine.errors import InputError

LONGEST_S = 3_600
"""The longest life of a token in seconds: nothing can take one back, so it must end by itself."""

SECRET_VARIABLE = "ENGAGE_TOKEN_SECRET"  # noqa: S105  # the name of a variable, not what it holds
SECRET_FILE = "token.secret"  # noqa: S105  # the name of a file, not what it holds

_ALGORITHM = "HS256"  # the only one that is taken: a token does not choose how it is checked
_AUDIENCE = "engage"
_ISSUER = "engage"
_LEAST_BYTES = 32  # of a secret, as many as the hash has
_LONGEST_TOKEN = 4_096  # characters; ours have about 250, and ten times that where the id is all emoji
_MOST_HELD = 10_000  # tokens held in memory: to check a signature takes longer than all else that is done at the door
_SKEW_MS = 5_000  # by which the clocks of two servers may differ
_CHECKED: Options = {
    "require": ["exp", "iat", "sub", "aud", "iss"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class Token(NamedTuple):
    """A token and when it ends.

    Args:
        text: what the learner's client sends after ``Bearer``.
        expires_ms: UTC milliseconds.
    """

    text: str
    expires_ms: int


class Tokens:
    """Makes and checks tokens.

    Args:
        signing: secrets: the first signs, the others are still accepted, so that one can be changed without an outage.
        clock: the service's own; tokens live by it and not by the machine's.

    Raises:
        InputError: no secret, or one that could be guessed.
    """

    def __init__(self, signing: Sequence[bytes], clock: Clock) -> None:
        if not signing or min(map(len, signing)) < _LEAST_BYTES:
            remedy = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            raise InputError("token secret", "none, or a short one", f"at least {_LEAST_BYTES} bytes", remedy)
        self._secrets, self._clock = tuple(signing), clock
        self._signed: dict[str, dict[str, object]] = {}  # claims of tokens whose signature has been checked

    def mint(self, learner_id: str, ttl_s: int, scopes: frozenset[Scope]) -> Token:
        """Return a token of one learner.

        Args:
            learner_id: whose data it opens.
            ttl_s: seconds until it ends, at most `LONGEST_S`.
            scopes: what it covers, of what learners may have.
        """
        now_s = self._clock() // 1_000
        expires_s = now_s + min(ttl_s, LONGEST_S)
        granted = " ".join(sorted(scopes & DEFAULT_SCOPES[Role.LEARNER]))
        claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": learner_id, "scope": granted, "iat": now_s, "exp": expires_s}
        return Token(jwt.encode(claims, self._secrets[0], _ALGORITHM), expires_s * 1_000)

    def check(self, text: str) -> Principal | None:
        """Return whom a token stands for, None = nobody."""
        claims = self._signed.get(text)
        if claims is None:
            claims = self._claims(text)
            if claims is None:
                return None
            if len(self._signed) >= _MOST_HELD:
                self._signed.clear()
            self._signed[text] = claims
        return self._principal(claims)

    def _claims(self, text: str) -> dict[str, object] | None:
        """Return what a token says, None = nobody who may has signed it, or it is for something else."""
        if len(text) > _LONGEST_TOKEN:
            return None
        for secret in self._secrets:
            try:
                return jwt.decode(text, secret, [_ALGORITHM], _CHECKED, audience=_AUDIENCE, issuer=_ISSUER)
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidTokenError:
                return None
        return None

    def _principal(self, claims: dict[str, object]) -> Principal | None:
        now_ms = self._clock()
        begins_s, ends_s, learner_id = claims["iat"], claims["exp"], claims["sub"]
        if type(begins_s) is not int or type(ends_s) is not int or not isinstance(learner_id, str) or not learner_id:
            return None
        # Its whole life is checked, too: another program that has the secret may have signed a longer one.
        if not 1_000 * begins_s - _SKEW_MS <= now_ms < 1_000 * ends_s or ends_s - begins_s > LONGEST_S:
            return None
        granted = str(claims.get("scope", "")).split()
        scopes = frozenset(scope for scope in DEFAULT_SCOPES[Role.LEARNER] if scope in granted)
        return Principal(f"learner:{learner_id}", Role.LEARNER, scopes, learner_id, 1_000 * ends_s)


def token_secrets(data: Path) -> list[bytes]:
    """Return the secrets that tokens are signed with; the first time, make one.

    They are the words of the environment variable `SECRET_VARIABLE` or, where that is not set, the lines of a file in
    the data directory that only its owner may read. To change the secret put a new one in front, and take the old one
    away an hour later.

    Args:
        data: the service's data directory.

    Raises:
        InputError: others may read the file.
    """
    words = os.environ.get(SECRET_VARIABLE)
    if words:
        return [word.encode() for word in words.split()]
    path = data / SECRET_FILE
    if not path.exists():
        _make_secret(path)
    if path.stat().st_mode & 0o077:
        got, remedy = f"mode {path.stat().st_mode & 0o777:o}", f"chmod 600 {path}, and change the secret in it."
        raise InputError(f"file {path}", got, "a file that only its owner may read", remedy)
    return [line.encode() for line in path.read_text("utf-8").split()]


def _make_secret(path: Path) -> None:
    """Write a new secret whole, or not at all; of two processes that begin at once, one writes and both read it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(_LEAST_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
