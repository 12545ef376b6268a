"""API keys: how they are made, told apart, changed and taken back; what is stored of a secret is its hash."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from actors.storage.keys import ApiKey
from api.access import DEFAULT_SCOPES, Principal, Role, Scope
from api.clock import Clock
from engine.errors import InputError

PREFIX = "engage"
"""Begins every key, so that scanners of source code know one when they see it."""

TTL_MS = 3_000
"""How long a key is believed without looking again: what another process has revoked is refused within these."""

MOST_HELD = 10_000
"""Keys and unknown ids held in memory at once."""

_LOOKERS = 4  # look-ups at once; each takes less than a millisecond, and the others wait
_SECRET_BYTES = 32
_ID_BYTES = 6
_FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * _ID_BYTES}}})_([A-Za-z0-9_-]{{43}})", re.ASCII)
_NOBODYS = bytes(32)  # compared with where there is no key, so that this takes as long


class KeyStore(Protocol):
    """Where keys are kept: `actors.storage.keys.KeyStore`."""

    def create(self, key: ApiKey) -> bool:
        """Keep a new key. Return False where one of this id stands already."""
        ...

    def find(self, key_id: str) -> ApiKey | None:
        """Return a key, also one that is no longer valid; None = there never was one."""
        ...

    def expire(self, key_id: str, at_ms: int) -> bool:
        """Let a key end at an instant, or earlier if it did so already. Return False = no such key, or revoked."""
        ...

    def revoke(self, key_id: str, now_ms: int) -> bool:
        """Make a key invalid for good. Return False = no such key, or revoked before."""
        ...


class NewKey(NamedTuple):
    """A key that has just been made.

    Args:
        text: the whole key, shown once and never again.
        key: what is kept of it.
    """

    text: str
    key: ApiKey


def create(
    store: KeyStore,
    name: str,
    role: Role,
    now_ms: int,
    scopes: frozenset[Scope] | None = None,
    expires_ms: int | None = None,
) -> NewKey:
    """Make a key.

    Args:
        store: where it will be kept.
        name: what its owner calls it.
        role: service or admin; learners have tokens.
        now_ms: the present instant.
        scopes: to what it is narrowed, None = all of its role.
        expires_ms: when it ends, None = never.

    Raises:
        InputError: there is no such key.
    """
    if role is Role.LEARNER:
        raise InputError("role", role, "service or admin", "Learners get tokens: POST /api/engagement/tokens.")
    granted = DEFAULT_SCOPES[role] if scopes is None else scopes
    if not granted or granted - DEFAULT_SCOPES[role]:
        raise InputError(f"scopes of a key of role {role}", _listed(granted) or "none", _listed(DEFAULT_SCOPES[role]))
    if expires_ms is not None and expires_ms <= now_ms:
        raise InputError("end of the key", "an instant that is past", "one to come")
    while True:
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        key_id = secrets.token_hex(_ID_BYTES)
        key = ApiKey(key_id, name, role, tuple(sorted(granted)), _hash(secret), now_ms, expires_ms)
        if store.create(key):
            return NewKey(f"{PREFIX}_{key_id}_{secret}", key)


def rotate(store: KeyStore, key_id: str, now_ms: int, overlap_ms: int) -> NewKey:
    """Make a key that can do what another can, and let the other one end.

    Args:
        store: where they are kept.
        key_id: of the old one.
        now_ms: the present instant.
        overlap_ms: how long both are valid, for all clients to change over.

    Raises:
        InputError: there is no valid key of that id.
    """
    old = store.find(key_id)
    if old is None or not old.valid(now_ms):
        raise InputError(f"key {key_id!r}", "none that is valid", "the id of a valid key", "Create a new one.")
    new = create(store, old.name, Role(old.role), now_ms, frozenset(map(Scope, old.scopes)), old.expires_ms)
    store.expire(key_id, now_ms + overlap_ms)
    return new


def _listed(scopes: frozenset[Scope]) -> str:
    return ", ".join(sorted(scopes))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def is_key(credentials: str) -> bool:
    """Return whether credentials are meant to be a key, be they valid or not."""
    return credentials.startswith(PREFIX + "_")


@dataclass(slots=True)
class _Held:
    key: ApiKey | None
    principal: Principal | None
    until_ms: int


class KeyRing:
    """Tells whom a key stands for; asks the store, but seldom.

    It serves one event loop. The store is asked in a thread, once for all who wait for the same key.

    Args:
        store: where keys are kept.
        clock: the service's own: keys end by it.
        steady: for `TTL_MS`.
    """

    def __init__(self, store: KeyStore, clock: Clock, steady: Clock) -> None:
        self._store, self._clock, self._steady = store, clock, steady
        self._held: dict[str, _Held] = {}
        self._asked: dict[str, asyncio.Task[_Held]] = {}
        # Threads of its own: where all others wait for an actor that is stuck, it must still be told who is asking.
        self._threads = ThreadPoolExecutor(_LOOKERS, "keys")

    def knows(self, credentials: str) -> bool:
        """Return whether credentials name a key that exists and was asked for lately: finding it again is no work."""
        parts = _FORM.fullmatch(credentials)
        held = self._held.get(parts[1]) if parts else None
        return held is not None and held.key is not None

    async def check(self, credentials: str) -> Principal | None:
        """Return whom a key stands for, None = nobody.

        Raises:
            JournalError: the store cannot be asked at present.
        """
        parts = _FORM.fullmatch(credentials)
        if parts is None:
            return None
        held = self._held.get(parts[1])
        if held is None or self._steady() >= held.until_ms:
            held = await self._ask(parts[1])
        genuine = hmac.compare_digest(_hash(parts[2]), held.key.secret_hash if held.key else _NOBODYS)
        if not genuine or held.key is None or held.principal is None or not held.key.valid(self._clock()):
            return None
        known = held.principal
        # An object of its own: each request notes in it what it asked for.
        return Principal(known.name, known.role, known.scopes, until_ms=held.key.expires_ms)

    async def _ask(self, key_id: str) -> _Held:
        task = self._asked.get(key_id)
        if task is None:
            task = self._asked[key_id] = asyncio.create_task(self._look(key_id))
            task.add_done_callback(_heard)
        return await asyncio.shield(task)  # one who goes away does not take the answer from the others

    async def _look(self, key_id: str) -> _Held:
        try:
            key = await asyncio.get_running_loop().run_in_executor(self._threads, self._store.find, key_id)
        finally:
            del self._asked[key_id]
        held = _Held(key, _principal(key) if key else None, self._steady() + TTL_MS)
        if len(self._held) >= MOST_HELD:
            self._held.clear()
        self._held[key_id] = held
        return held


def _heard(task: asyncio.Task[_Held]) -> None:
    """Take note of how a look-up ended: where all who waited have gone, nobody else does."""
    if not task.cancelled():
        task.exception()


def _principal(key: ApiKey) -> Principal | None:
    """Return whom a stored key stands for; None where it was stored by a version that knows more roles."""
    if key.role not in (Role.SERVICE, Role.ADMIN):
        return None
    role = Role(key.role)
    return Principal(f"key:{key.id}", role, frozenset(scope for scope in DEFAULT_SCOPES[role] if scope in key.scopes))
