"""``engage keys``: what is printed works, once; what is revoked works no more."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from actors.storage.keys import KeyStore
from api.access import Principal, Role, Scope
from api.clock import ManualClock, wall_clock
from api.keys import KeyRing
from api.place import open_tables
from engine.calendar import MS_PER_DAY
from tests.api.engage import Ended, engage_here

KEY = re.compile(r"engage_([0-9a-f]{12})_[\w-]{43}")


def keys(data: Path, *commands: tuple[str, ...]) -> list[Ended]:
    return [engage_here("keys", *command, "--data", data) for command in commands]


def principal(data: Path, text: str, later_ms: int = 0) -> Principal | None:
    """Return whom the service would take the holder of a key for."""
    clock = ManualClock(wall_clock() + later_ms)
    with open_tables(data, None) as database:
        return asyncio.run(KeyRing(KeyStore(database), clock, clock).check(text))


def made(ended: Ended) -> str:
    """Return the key that a command printed, and nothing but it."""
    assert ended.code == 0, ended.err
    assert KEY.fullmatch(ended.out)
    return ended.out


def key_id(text: str) -> str:
    found = KEY.fullmatch(text)
    assert found is not None
    return found[1]


def test_a_key_does_what_it_was_made_for(tmp_path: Path) -> None:
    everyday, admin, narrow, brief, listed = keys(
        tmp_path,
        ("create", "shop"),
        ("create", "ops", "--role", "admin"),
        ("create", "reader", "--scope", "read"),
        ("create", "trial", "--days", "1.5"),
        ("list",),
    )
    for ended, role, scopes in (
        (everyday, Role.SERVICE, {Scope.INGEST, Scope.READ}),
        (admin, Role.ADMIN, set(Scope)),
        (narrow, Role.SERVICE, {Scope.READ}),
        (brief, Role.SERVICE, {Scope.INGEST, Scope.READ}),
    ):
        found = principal(tmp_path, made(ended))
        assert found is not None
        assert (found.role, set(found.scopes)) == (role, scopes)
        assert key_id(ended.out) in listed.out
        assert ended.out not in listed.out
    assert principal(tmp_path, brief.out, later_ms=int(1.4 * MS_PER_DAY)) is not None
    assert principal(tmp_path, brief.out, later_ms=int(1.6 * MS_PER_DAY)) is None
    for name in ("shop", "ops", "reader", "trial"):
        assert name in listed.out


def test_no_secret_is_kept(tmp_path: Path) -> None:
    text = made(keys(tmp_path, ("create", "shop"))[0])
    secret = text.removeprefix(f"engage_{key_id(text)}_").encode()  # the secret may hold a _, too
    assert [file.name for file in tmp_path.iterdir() if secret in file.read_bytes()] == []


def test_a_key_is_rotated_and_revoked(tmp_path: Path) -> None:
    old, gone = (made(ended) for ended in keys(tmp_path, ("create", "a", "--scope", "read"), ("create", "b")))
    rotated, revoked, again, listed = keys(
        tmp_path,
        ("rotate", key_id(old), "--overlap-hours", "2"),
        ("revoke", key_id(gone)),
        ("revoke", key_id(gone)),
        ("list",),
    )
    new = principal(tmp_path, made(rotated))
    assert new is not None
    assert (new.role, set(new.scopes)) == (Role.SERVICE, {Scope.READ})
    hour_ms = MS_PER_DAY // 24
    assert principal(tmp_path, old, later_ms=hour_ms) is not None
    assert principal(tmp_path, old, later_ms=3 * hour_ms) is None
    assert revoked.code == 0
    assert principal(tmp_path, gone) is None
    assert again.code == 2
    assert re.search(rf"{key_id(gone)} . b . service .*? no ", listed.out)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    cases = {
        ("create", "x", "--role", "learner"): ["role", "learner", "service or admin", "tokens"],
        ("create", "x", "--scope", "admin"): ["scopes", "admin", "ingest, read"],
        ("create", "x", "--role", "king"): ["--role", "king"],
        ("create", "x", "--days", "0"): ["--days"],
        ("rotate", "0123456789ab"): ["'0123456789ab'", "none that is valid"],
        ("revoke", "0123456789ab"): ["'0123456789ab'", "engage keys list"],
    }
    for words, refused in zip(cases.values(), keys(tmp_path, *cases), strict=True):
        assert (refused.code, refused.out) == (2, "")
        assert [word for word in words if word not in refused.err] == []
        assert "Traceback" not in refused.err
    with open_tables(tmp_path, None) as database:
        assert KeyStore(database).all() == []


def test_a_server_may_hold_the_keys(database_url: str, tmp_path: Path) -> None:
    options = ("--data", tmp_path / "data", "--database-url", database_url)
    text = made(engage_here("keys", "create", "shop", *options))
    assert key_id(text) in engage_here("keys", "list", *options).out
    assert list((tmp_path / "data").iterdir()) == []
