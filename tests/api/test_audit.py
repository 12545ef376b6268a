"""The audit log of a whole service, and ``engage audit``: who asked what about whom, and nobody's id."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from actors.storage.audit import AuditLog
from api.access import Role
from api.settings import Settings
from tests.api.engage import engage_here
from tests.api.rim import SOON_S, make_scene
from tests.api.site import SETTINGS, open_site


def test_an_erased_learner_is_on_record_and_not_by_name(tmp_path: Path) -> None:
    with open_site(tmp_path) as site:
        site.track("ann-of-somewhere")
        site.get("/learners/ann-of-somewhere/profile", Role.ADMIN)
        assert site.ask("DELETE", "/learners/ann-of-somewhere", Role.ADMIN).status_code == 200
        lines = AuditLog(site.context.database).page(learner="ann-of-somewhere")
        assert [(line.method, line.status) for line in lines] == [("DELETE", 200), ("GET", 200)]
    with sqlite3.connect(tmp_path / "engage.db") as kept:
        assert "ann-of" not in repr(kept.execute("SELECT * FROM audit").fetchall())


def test_each_learner_whom_a_body_names_is_on_record(tmp_path: Path) -> None:
    with open_site(tmp_path) as site:
        for learner in ("ann", "bob"):
            site.track(learner)
        site.post("/calculate", {"userIds": ["ann", "bob", "ann", "nobody"]}, Role.ADMIN)
        site.post("/calculate", {"userId": "ann"}, Role.ADMIN)
        site.post("/calculate", {"limit": 5}, Role.ADMIN)
        site.post("/calculate", {"userIds": ["ann"]}, Role.SERVICE)
        site.post("/tokens", {"userId": "bob"}, Role.ADMIN)
        log = AuditLog(site.context.database)
        told = {learner: [line.path for line in log.page(learner=learner)] for learner in ("ann", "bob", "nobody")}
        calculate, tokens = "/api/engagement/calculate", "/api/engagement/tokens"
        assert told == {"ann": [calculate] * 2, "bob": [tokens, calculate], "nobody": [calculate]}
        assert [line.learner is None for line in log.page()].count(True) == 1  # the page of all
        assert {line.status for line in log.page()} == {200}


@pytest.mark.parametrize("keep", [SETTINGS, Settings(audit_days=10)])
def test_lines_are_kept_as_long_as_is_set(tmp_path: Path, keep: Settings) -> None:
    with open_site(tmp_path, settings=keep) as site:
        log = AuditLog(site.context.database)
        site.ask("GET", "/erasures/ann", Role.ADMIN)
        site.clock.advance(days=keep.audit_days)
        site.ask("GET", "/erasures/ann", Role.ADMIN)
        assert len(log.page()) == 2  # of the very day on which it ends
        site.clock.advance(seconds=1)
        site.ask("GET", "/erasures/ann", Role.ADMIN)
        assert len(log.page()) == 2


def test_the_command_shows_what_was_asked(tmp_path: Path) -> None:
    with open_site(tmp_path, "2026-03-02T12:00") as site:
        for learner in ("ann", "bob"):
            site.track(learner)
            site.ask("GET", f"/learners/{learner}/profile", Role.ADMIN)
            site.clock.advance(days=1)
        site.ask("GET", "/at-risk", Role.ADMIN)
        key = site.keys[Role.ADMIN].split("_")[1]

    def shown(*options: str) -> str:
        ended = engage_here("audit", *options, "--data", tmp_path)
        assert ended.code == 0, ended.err
        return ended.out

    whole = shown()
    days = [whole.index(day) for day in ("2026-03-04 12:00:00", "2026-03-03 12:00:00", "2026-03-02 12:00:00")]
    assert days == sorted(days)
    assert whole.count(f"key:{key}") == 3 and "/at-risk" in whole and "ann" not in whole
    ann = shown("--learner", "ann")
    assert "2026-03-02" in ann and "2026-03-03" not in ann and "/at-risk" not in ann
    assert "GET" not in shown("--learner", "nobody")
    assert shown("--since", "2026-03-03").count("GET") == 2
    assert shown("--limit", "1").count("GET") == 1 and "/at-risk" in shown("--limit", "1")


def test_the_command_refuses_what_cannot_be(tmp_path: Path) -> None:
    for options, words in ((("--since", "yesterday"), "--since"), (("--limit", "0"), "--limit"), ((), "engage.db")):
        refused = engage_here("audit", *options, "--data", tmp_path)
        assert refused.code == 2 and words in refused.err


def test_those_who_wait_for_actors_do_not_hold_up_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, free = make_scene(monkeypatch), threading.Event()

    async def call() -> int:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        stuck = loop.run_in_executor(None, free.wait)  # as one who asks an actor that does not answer
        try:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(scene.app), base_url="http://engage") as client:
                asked = client.get("/probe/own", params={"userId": "u-7"}, headers=scene.bearer(Role.ADMIN))
                return (await asyncio.wait_for(asked, SOON_S)).status_code
        finally:
            free.set()
            await stuck

    assert asyncio.run(call()) == 200
    assert [line.learner for line in scene.audit] == ["u-7"]
