"""API keys: what is stored, who gets in, and how soon somebody does not any more."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.ports import JournalError
from actors.storage.database import open_database
from actors.storage.keys import KeyStore
from api import keys
from api.access import Role, Scope
from api.clock import ManualClock
from api.keys import MOST_HELD, TTL_MS, KeyRing
from engine.errors import InputError
from tests.api.rim import NOW_MS, MemoryKeys, Scene, served
from tests.databases import sqlite_url


def status(scene: Scene, text: str) -> int:
    return scene.ask("GET", "/probe/shared", None, headers={"Authorization": f"Bearer {text}"}).status_code


def test_only_a_hash_of_the_secret_is_kept(scene: Scene) -> None:
    made = scene.key(Role.SERVICE)
    prefix, key_id, secret = made.text.split("_", 2)
    assert (prefix, key_id) == ("engage", made.key.id)
    assert made.key.secret_hash == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(scene.store.rows) and len(secret) == 43


def test_no_two_keys_are_alike() -> None:
    store = MemoryKeys()
    assert len({keys.create(store, "x", Role.SERVICE, 0).text for _ in range(100)}) == 100


def test_a_key_with_another_secret_opens_nothing(scene: Scene) -> None:
    text = scene.key(Role.SERVICE).text
    other = scene.key(Role.SERVICE).text
    assert status(scene, text) == 200
    swapped = text[:20] + other[20:]
    assert status(scene, swapped) == status(scene, text[:-1]) == status(scene, text + "A") == 401
    assert status(scene, text.replace("engage_", "ENGAGE_")) == 401


def test_a_revoked_key_is_refused_within_seconds(scene: Scene) -> None:
    made = scene.key(Role.SERVICE)
    assert status(scene, made.text) == 200
    scene.store.revoke(made.key.id, scene.clock())
    assert status(scene, made.text) == 200  # still believed ...
    scene.steady.advance(seconds=TTL_MS / 1_000)
    assert status(scene, made.text) == 401  # ... but not for long
    assert TTL_MS <= 5_000


def test_a_key_ends_on_the_dot(scene: Scene) -> None:
    made = scene.key(Role.SERVICE, expires_ms=NOW_MS + 1_000)
    scene.clock.set(NOW_MS + 999)
    assert status(scene, made.text) == 200
    scene.clock.set(NOW_MS + 1_000)
    assert status(scene, made.text) == 401  # whatever is held in memory


def test_rotation_leaves_time_to_change_over(scene: Scene) -> None:
    old = scene.key(Role.ADMIN, {Scope.READ})
    new = keys.rotate(scene.store, old.key.id, scene.clock(), overlap_ms=60_000)
    assert (new.key.role, new.key.scopes, new.key.name) == (old.key.role, old.key.scopes, old.key.name)
    assert status(scene, old.text) == status(scene, new.text) == 200
    scene.clock.advance(seconds=60)
    scene.steady.advance(seconds=60)
    assert status(scene, old.text) == 401
    assert status(scene, new.text) == 200
    with pytest.raises(InputError, match="none that is valid"):
        keys.rotate(scene.store, old.key.id, scene.clock(), overlap_ms=0)
    with pytest.raises(InputError, match="none that is valid"):
        keys.rotate(scene.store, "nobody's", scene.clock(), overlap_ms=0)


def test_keys_that_make_no_sense_are_not_made() -> None:
    store = MemoryKeys()
    with pytest.raises(InputError, match="Learners get tokens"):
        keys.create(store, "x", Role.LEARNER, 0)
    with pytest.raises(InputError, match="scopes of a key of role service"):
        keys.create(store, "x", Role.SERVICE, 0, frozenset({Scope.ADMIN}))
    with pytest.raises(InputError, match="scopes"):
        keys.create(store, "x", Role.SERVICE, 0, frozenset())
    with pytest.raises(InputError, match="an instant that is past"):
        keys.create(store, "x", Role.SERVICE, 10, expires_ms=10)
    assert not store.rows


@pytest.mark.parametrize(
    ("scopes", "sends", "reads"),
    [({Scope.INGEST}, 200, 403), ({Scope.READ}, 403, 200), ({Scope.INGEST, Scope.READ}, 200, 200)],
)
def test_scopes_narrow_a_key(scene: Scene, scopes: set[Scope], sends: int, reads: int) -> None:
    bearer = {"Authorization": f"Bearer {scene.key(Role.SERVICE, scopes).text}"}
    assert scene.ask("POST", "/probe/things", None, headers=bearer, json={"name": "u-1"}).status_code == sends
    assert scene.ask("GET", "/probe/own", None, headers=bearer).status_code == reads


def test_a_stored_role_or_scope_that_nobody_knows_opens_nothing(scene: Scene) -> None:
    from dataclasses import replace

    made = scene.key(Role.SERVICE)
    scene.store.rows[made.key.id] = replace(made.key, role="emperor")
    assert status(scene, made.text) == 401
    made = scene.key(Role.SERVICE)
    scene.store.rows[made.key.id] = replace(made.key, scopes=("everything", "admin"))
    assert status(scene, made.text) == 403


def ring(store: MemoryKeys) -> tuple[KeyRing, ManualClock]:
    steady = ManualClock(0)
    return KeyRing(store, ManualClock(NOW_MS), steady), steady


def test_the_store_is_asked_once_for_all_who_wait_and_then_seldom() -> None:
    store = MemoryKeys()
    text = keys.create(store, "x", Role.SERVICE, NOW_MS).text

    async def crowd() -> None:
        held, steady = ring(store)
        for round_ in (1, 1, 2):
            if round_ == 2:
                steady.advance(seconds=TTL_MS / 1_000)
            found = await asyncio.gather(*(held.check(text) for _ in range(50)))
            assert all(found) and len({id(each) for each in found}) == 50  # each request has its own
            assert store.finds == round_

    asyncio.run(crowd())


def test_one_who_goes_away_takes_nothing_from_the_others() -> None:
    store = MemoryKeys()
    text = keys.create(store, "x", Role.SERVICE, NOW_MS).text

    async def two() -> None:
        held, _ = ring(store)
        first = asyncio.create_task(held.check(text))
        second = asyncio.create_task(held.check(text))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is not None
        assert store.finds == 1

    asyncio.run(two())


def test_trouble_of_the_store_is_not_remembered(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryKeys()
    text = keys.create(store, "x", Role.SERVICE, NOW_MS).text

    async def trouble() -> None:
        held, _ = ring(store)
        store.trouble = JournalError("database", "no connection")
        for _ in range(2):
            with pytest.raises(JournalError):
                await held.check(text)
        gone = asyncio.create_task(held.check(text))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0.05)  # nobody waits for the look-up that fails now
        store.trouble = None
        assert await held.check(text) is not None

    with caplog.at_level(logging.ERROR):
        asyncio.run(trouble())
    assert caplog.text == ""


def test_memory_for_unknown_ids_is_bounded() -> None:
    store = MemoryKeys()

    async def guess() -> None:
        held, _ = ring(store)
        for number in range(MOST_HELD + 10):
            held._held[f"{number:012x}"] = keys._Held(None, None, 10**9)
        assert await held.check(f"engage_{'f' * 12}_{'A' * 43}") is None
        assert len(held._held) <= MOST_HELD

    asyncio.run(guess())


@given(st.text(max_size=120))
def test_no_text_that_is_no_key_reaches_the_store(text: str) -> None:
    store = MemoryKeys()
    assert asyncio.run(ring(store)[0].check("engage_" + text)) is None or store.finds
    assert store.finds <= (len(text) == 56)


def test_an_unreachable_store_is_no_wrong_password(scene: Scene) -> None:
    scene.store.trouble = JournalError("database postgresql://ann@db-7/x", "no connection")
    answer = scene.ask("GET", "/probe/shared")
    assert answer.status_code == 503 and answer.headers["retry-after"] and "db-7" not in answer.text


def test_keys_of_a_real_database_open_a_real_socket(scene: Scene, tmp_path: Path) -> None:
    with open_database(sqlite_url(tmp_path / "engage.db")) as database:
        database.migrate()
        store = KeyStore(database)
        scene.store.find = store.find  # type: ignore[method-assign]  # the app holds this one
        made = keys.create(store, "x", Role.SERVICE, NOW_MS)
        bearer = {"Authorization": f"Bearer {made.text}"}
        with served(scene) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", headers=bearer) as client:
            assert client.get("/probe/shared").json() == {"who": f"key:{made.key.id}"}
            keys.rotate(store, made.key.id, NOW_MS, overlap_ms=0)
            scene.steady.advance(seconds=TTL_MS / 1_000)
            assert client.get("/probe/shared").status_code == 401
