"""Hostile batches: too many, too large, packed as bombs, broken in part, or made to be dear; others are served on."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from api import bodies
from api.access import Role
from api.batches import MOST_EVENTS
from api.bodies import MOST_MEMBERS, MOST_SINGLE, MOST_VALUES
from api.events import MOST_PROPERTIES, MOST_PROPERTIES_BYTES
from tests.api.hostile import HASTY, JSON, post, state
from tests.api.site import API, Site, open_site

EVENT = {"userId": "ann", "action": "lesson_complete"}
ONE = json.dumps(EVENT).encode()
LINES = {"Content-Type": "application/x-ndjson"}
MOST = HASTY.max_body_bytes
QUICK_S = 4.0  # alone these take some tenths of a second; what they are made to cost is more than twice as much


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site"), settings=HASTY) as opened:
        opened.profile("ann", displayName="Ann")
        opened.track("ann")
        yield opened


@pytest.fixture
def untouched(site: Site) -> Iterator[Site]:
    """The service, of which nothing may have changed afterwards."""
    before = state(site)
    yield site
    assert state(site) == before


def test_2001_events_are_too_many_and_none_of_them_counts(untouched: Site) -> None:
    many = [ONE] * (MOST_EVENTS + 1)
    whole = b"[" + b",".join(many) + b"]"
    assert post(untouched, f"{API}/events", whole) == (413, "events")
    assert post(untouched, f"{API}/events", b'{"batch":' + whole + b"}") == (413, "events")
    assert post(untouched, f"{API}/events", b"\n".join(many), **LINES) == (413, "events")
    assert post(untouched, f"{API}/events", b"[]") == (422, "events")
    assert post(untouched, f"{API}/events", b"\n\n", **LINES) == (422, "events")


def test_2001_statements_are_too_many(untouched: Site) -> None:
    content = json.dumps([{}] * (MOST_EVENTS + 1)).encode()
    assert post(untouched, "/xapi/statements", content, **{"X-Experience-API-Version": "1.0.3"}) == (413, "batch")


def test_a_broken_line_is_refused_alone(site: Site) -> None:
    before = site.get("/xp", userId="ann")["totalXp"]
    broken = [b'{"userId":"ann"', b"[" * 300, b"\xff", b"null", b"[]", b"NaN", b'{"userId":"a\\ud800"}', b"9" * 10_000]
    content = b"\r\n".join(line for pair in zip(broken, [ONE] * len(broken), strict=True) for line in pair)
    told = site.ask("POST", "/events", content=content, headers=LINES).json()
    assert (told["accepted"], told["refused"]) == (len(broken), len(broken))
    assert [result["status"] for result in told["results"]] == ["refused", "accepted"] * len(broken)
    assert all(result["item"] for result in told["results"][::2])
    assert site.get("/xp", userId="ann")["totalXp"] > before


def test_of_a_name_that_stands_twice_the_last_counts_at_every_door(site: Site) -> None:
    twice = b'{"userId":"first","action":"lesson_complete","eventId":"twice","userId":"ann"}'
    batch = {"headers": JSON, "content": b"[" + twice + b"]"}
    slow = {"headers": JSON, "content": b"[" + twice + b",{}]"}  # judged item by item
    lines = {"headers": LINES, "content": twice}
    for sent in (batch, slow, lines):
        assert site.ask("POST", "/events", **sent).json()["results"][0]["userId"] == "ann"
    for door in ("/track", "/xp", "/streak"):
        content = twice if door != "/streak" else b'{"userId":"first","userId":"ann"}'
        assert site.ask("POST", door, headers=JSON, content=content).json()["userId"] == "ann"
    assert site.ask("GET", "/xp", params={"userId": "first"}).status_code == 404


def test_a_learner_cannot_hide_somebody_else_in_a_batch(untouched: Site) -> None:
    for other in (b'{"userId":"bob","action":"lesson_start"}', b'{"userId":"ann","action":"note","userId":"bob"}'):
        for content, kind in ((b"[" + ONE + b"," + other + b"]", JSON), (ONE + b"\n" + other, LINES)):
            assert post(untouched, f"{API}/events", content, Role.LEARNER, **kind) == (403, "learner")


def test_bodies_beyond_their_bound_are_refused(untouched: Site) -> None:
    long = json.dumps({**EVENT, "properties": {"a": "x" * MOST_SINGLE}}).encode()
    for door in ("/track", "/xp", "/streak", "/calculate", "/tokens"):
        assert post(untouched, API + door, long) == (413, "the body")
    assert post(untouched, f"{API}/events", b"[" + long + b"]", Role.LEARNER) == (413, "the body")
    assert post(untouched, f"{API}/events", b" " * (MOST + 1)) == (413, "the body")
    assert post(untouched, "/xapi/statements", b" " * (MOST + 1)) == (413, "the body")


def full(members: int) -> dict[str, str]:
    """Return properties that take as many bytes as they may."""
    found = dict.fromkeys((f"{number:03x}" for number in range(members)), "")
    found["000"] = "x" * (MOST_PROPERTIES_BYTES - len(json.dumps(found, separators=(",", ":"))))
    return found


def test_properties_are_bounded_and_what_is_beyond_is_refused_alone(site: Site) -> None:
    fine, long = full(MOST_PROPERTIES), full(MOST_PROPERTIES)
    long["000"] += "x"
    for wrong in (long, full(MOST_PROPERTIES + 1), {"deep": [[0] * 100] * 100}):
        events = [{**EVENT, "properties": properties} for properties in (fine, wrong, fine)]
        for sent in ({"json": events}, {"content": "\n".join(map(json.dumps, events)), "headers": LINES}):
            told = site.ask("POST", "/events", **sent).json()
            assert (told["accepted"], told["refused"]) == (2, 1)
            assert told["results"][1]["item"] == "properties" and "at most" in told["results"][1]["expected"]
        assert site.ask("POST", "/track", json=events[1]).json()["item"] == "body.properties"


@pytest.mark.parametrize("path", [f"{API}/events", "/xapi/statements"])
def test_a_body_of_too_many_values_is_not_even_read(untouched: Site, path: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(bodies, "read_json", None)  # it would be called, and fail
    lists = b'[{"userId":"ann","action":"note","properties":{"a":[' + b",".join([b"[]"] * MOST_VALUES) + b"]}}]"
    for kind in (JSON, LINES):
        assert post(untouched, path, lists, **kind) == (413, "the body")
        assert post(untouched, path, gzip.compress(lists), **kind, **{"Content-Encoding": "gzip"}) == (413, "the body")


def test_an_event_may_be_as_long_as_its_parts(site: Site) -> None:
    longest = {"userId": "é" * 128, "action": "note", "eventId": "é" * 200, "courseId": "é" * 200}
    assert site.post("/track", {**longest, "properties": full(MOST_PROPERTIES)})["status"] == "accepted"


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, packer.flush()])


PACKED = {
    "cut off": (gzip.compress(ONE)[:-5], 400),
    "only a header": (gzip.compress(ONE)[:10], 400),
    "wrong checksum": (gzip.compress(ONE)[:-8] + bytes(8), 400),
    "plain": (ONE, 400),
    "deflate": (zlib.compress(ONE), 400),
    "with more behind": (gzip.compress(ONE) + b"more", 400),
    "packed twice": (gzip.compress(gzip.compress(ONE)), 400),
    "a bomb of a gigabyte": (bomb(1 << 30), 413),
    "bombs in a row": (bomb(2 << 20) * 40, 413),
    "many members": (gzip.compress(b"", mtime=0) * (MOST_MEMBERS + 1), 400),
    "as many members as there is room": (gzip.compress(b"", mtime=0) * (MOST // 20), 400),
}


@pytest.mark.parametrize("name", PACKED)
def test_gzip_is_not_trusted(untouched: Site, name: str) -> None:
    packed, status = PACKED[name]
    began = time.monotonic()
    assert post(untouched, f"{API}/events", packed, **{"Content-Encoding": "gzip"}) == (status, "the body")
    assert time.monotonic() - began < QUICK_S


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "compress", "utf-8"])
def test_other_packings_are_not_known(untouched: Site, encoding: str) -> None:
    said = post(untouched, f"{API}/track", ONE, **{"Content-Encoding": encoding})
    assert said == (415, "header Content-Encoding")


def fields(count: int) -> bytes:
    return b'{"userId":"ann",' + b",".join(b'"%x":1' % number for number in range(count)) + b"}"


DEAR: dict[str, tuple[bytes, dict[str, str]]] = {
    "a million wrong items": (b"[" + b",".join([b"{}"] * (MOST // 3 - 1)) + b"]", JSON),
    "two million wrong lines": (b"x\n" * (MOST // 2), LINES),
    "four million empty lines": (b"\n" * MOST, LINES),
    "an item of 400,000 fields": (b"[" + fields(400_000) + b"]", JSON),
    "a line of 400,000 fields": (fields(400_000), LINES),
    "a million lists": (b"[" + b",".join([b"[]"] * (MOST // 3 - 1)) + b"]", JSON),
    "a wrong item of 4 MB": (b'[{"userId":"' + b"x" * (MOST - 50) + b'"}]', JSON),
}


@pytest.mark.parametrize("name", DEAR)
def test_what_is_made_to_be_dear_holds_nobody_up(untouched: Site, name: str) -> None:
    content, kind = DEAR[name]
    answers: list[Any] = []

    def attack() -> None:
        answers.append(untouched.ask("POST", "/events", content=content, headers=kind))

    attacker = threading.Thread(target=attack)
    attacker.start()
    slowest = 0.0
    while attacker.is_alive():
        began = time.monotonic()
        assert untouched.http.get("/health").status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    attacker.join()
    assert answers[0].status_code in (200, 413, 422)
    assert answers[0].status_code != 200 or answers[0].json()["accepted"] == 0
    assert len(answers[0].content) < 10_000 and slowest < QUICK_S
