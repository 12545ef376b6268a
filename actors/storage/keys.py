"""API keys: who may come in, with the hash of each secret and never the secret."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, select, update

from actors.storage.database import Database
from actors.storage.rows import put_once, to_json
from actors.storage.schema import API_KEYS


@dataclass(frozen=True)
class ApiKey:
    """One key.

    Args:
        id: the part of the key that is no secret.
        name: what its owner calls it.
        role: what it may do.
        scopes: to what its role is narrowed.
        secret_hash: SHA-256 of the secret, which has as much chance in it as the hash: slower hashes gain nothing.
        created_ms: when it was made.
        expires_ms: from when on it is not valid, None = never.
        revoked_ms: when it was revoked, None = it was not.
    """

    id: str
    name: str
    role: str
    scopes: tuple[str, ...]
    secret_hash: bytes
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None

    def valid(self, now_ms: int) -> bool:
        """Return whether it opens anything now."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


class KeyStore:
    """The API keys of a database.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, key: ApiKey) -> bool:
        """Keep a new key. Return False where one of this id stands already."""
        return put_once(self._database, API_KEYS, {**vars(key), "scopes": to_json(key.scopes)})

    def find(self, key_id: str) -> ApiKey | None:
        """Return a key, also one that is no longer valid; None = there never was one."""
        with self._database.reading() as connection:
            row = connection.execute(select(API_KEYS).where(API_KEYS.c.id == key_id)).first()
        return None if row is None else _key(row._asdict())

    def all(self) -> list[ApiKey]:
        """Return all keys there ever were, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(API_KEYS).order_by(API_KEYS.c.created_ms, API_KEYS.c.id)).all()
        return [_key(row._asdict()) for row in rows]

    def expire(self, key_id: str, at_ms: int) -> bool:
        """Let a key end at an instant, or earlier if it did so already. Return False = no such key, or revoked."""
        ends = API_KEYS.c.expires_ms
        return self._update(key_id, {"expires_ms": case((ends < at_ms, ends), else_=at_ms)})

    def revoke(self, key_id: str, now_ms: int) -> bool:
        """Make a key invalid for good. Return False = no such key, or revoked before."""
        return self._update(key_id, {"revoked_ms": now_ms})

    def _update(self, key_id: str, values: dict[str, Any]) -> bool:
        standing = update(API_KEYS).where(API_KEYS.c.id == key_id, API_KEYS.c.revoked_ms.is_(None))
        with self._database.writing() as connection:
            return bool(connection.execute(standing.values(values)).rowcount)


def _key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(**{**row, "scopes": tuple(json.loads(row["scopes"]))})
