"""API keys as they are stored."""

from __future__ import annotations

from dataclasses import replace

from actors.storage.database import Database
from actors.storage.keys import ApiKey, KeyStore

KEY = ApiKey("k1", "the shop's", "service", ("ingest", "read"), b"\x00hash" * 6, 1_000, expires_ms=9_000)


def test_a_key_is_found_as_it_was_made(database: Database) -> None:
    keys = KeyStore(database)
    assert keys.find("k1") is None and keys.all() == []
    forever = ApiKey("k0", "", "admin", (), b"other", 2_000)
    assert keys.create(KEY) and keys.create(forever)
    assert keys.find("k1") == KEY
    assert keys.find("k0") == forever
    assert keys.all() == [KEY, forever]


def test_an_id_is_given_once(database: Database) -> None:
    keys = KeyStore(database)
    assert keys.create(KEY)
    assert not keys.create(replace(KEY, role="admin"))
    assert keys.all() == [KEY]


def test_a_key_ends_at_the_earliest_instant_it_was_given(database: Database) -> None:
    keys = KeyStore(database)
    keys.create(KEY)
    keys.create(replace(KEY, id="k0", expires_ms=None))
    for at_ms, ends_ms in ((9_500, 9_000), (8_000, 8_000), (8_500, 8_000)):
        assert keys.expire("k1", at_ms)
        assert keys.find("k1") == replace(KEY, expires_ms=ends_ms)
    assert keys.expire("k0", 10_000)
    assert keys.find("k0") == replace(KEY, id="k0", expires_ms=10_000)
    assert not keys.expire("k2", 8_000)


def test_a_revoked_key_stays_revoked(database: Database) -> None:
    keys = KeyStore(database)
    keys.create(KEY)
    assert keys.revoke("k1", 5_000)
    assert not keys.revoke("k1", 6_000) and not keys.expire("k1", 5_000) and not keys.revoke("k2", 5_000)
    assert keys.find("k1") == replace(KEY, revoked_ms=5_000)


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    assert KEY.valid(8_999) and not KEY.valid(9_000)
    assert replace(KEY, expires_ms=None).valid(10**15)
    assert not replace(KEY, revoked_ms=5_000).valid(5_000)
