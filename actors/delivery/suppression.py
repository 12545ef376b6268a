"""Suppression: addresses that bounced or complained; nothing is sent there again until somebody lifts it."""

from __future__ import annotations

import hashlib

from sqlalchemy import ColumnElement, delete, select

from actors.storage.database import Database
from actors.storage.rows import put_once
from actors.storage.schema import SUPPRESSED


class Suppressed:
    """The suppressed addresses of a database, kept as hashes: enough to know one again, and nothing to send to.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, channel: str, address: str, reason: str, now_ms: int) -> bool:
        """Use an address no more. Return False where that was so already."""
        row = {"channel": channel, "address_hash": _hash(channel, address), "reason": reason, "since_ms": now_ms}
        return put_once(self._database, SUPPRESSED, row)

    def holds(self, channel: str, address: str) -> bool:
        """Tell whether an address is not used."""
        with self._database.reading() as connection:
            return connection.execute(select(SUPPRESSED.c.since_ms).where(*_key(channel, address))).first() is not None

    def lift(self, channel: str, address: str) -> bool:
        """Use an address again. Return False where it was not suppressed."""
        with self._database.writing() as connection:
            return bool(connection.execute(delete(SUPPRESSED).where(*_key(channel, address))).rowcount)


def _key(channel: str, address: str) -> tuple[ColumnElement[bool], ...]:
    return SUPPRESSED.c.channel == channel, SUPPRESSED.c.address_hash == _hash(channel, address)


def _hash(channel: str, address: str) -> str:
    """Return the hash of an address as its spellings have in common: case of e-mail, punctuation of phone numbers."""
    plain = address.strip()
    if channel == "email":
        plain = plain.casefold()
    elif channel == "sms":
        plain = "".join(char for char in plain if char.isdigit() or char == "+")
    return hashlib.sha256(f"{channel}\x00{plain}".encode()).hexdigest()
