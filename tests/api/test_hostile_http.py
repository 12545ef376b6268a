"""Hostile HTTP, byte by byte: requests that may be read in two ways, that do not end, or that come by the thousand."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.access import ACCESS, Role
from tests.api.hostile import HASTY, connect, head, problem, state, talk, told
from tests.api.site import API, SOON_S, Site, open_site

TRACK = f"POST {API}/track HTTP/1.1"
KIND = "Content-Type: application/json"
GHOST = b'{"userId":"ghost","action":"lesson_complete"}'
HIDDEN = b"POST " + API.encode() + b"/track HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site"), settings=HASTY) as opened:
        opened.profile("ann", displayName="Ann")
        opened.track("ann")
        opened.service.settle()  # else her daily scoring could fall into a test
        yield opened


@pytest.fixture(autouse=True)
def untouched(site: Site) -> Iterator[Site]:
    """The service, of which nothing may have changed afterwards: nobody of these tests gets anything in."""
    before = state(site)
    yield site
    assert state(site) == before
    assert site.http.get("/ready").status_code == 200


def sized(*sizes: object) -> list[str]:
    return [KIND, *(f"Content-Length: {size}" for size in sizes)]


CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GHOST), GHOST)
IN_TWO_WAYS: dict[str, tuple[list[str], bytes]] = {
    "two lengths": (sized(len(GHOST), 3), GHOST),
    "the same length twice": (sized(len(GHOST), len(GHOST)), GHOST),
    "length and chunks": ([*sized(len(GHOST)), CHUNKED], CHUNKS),
    "chunks and length": ([KIND, CHUNKED, f"Content-Length: {len(GHOST)}"], CHUNKS),
    "no length": (sized("abc"), GHOST),
    "a length below 0": (sized(-1), GHOST),
    "a length with a sign": (sized(f"+{len(GHOST)}"), GHOST),
    "a length in hex": (sized("0x2d"), GHOST),
    "a list of lengths": (sized(f"{len(GHOST)}, {len(GHOST)}"), GHOST),
    "a length beyond all": (sized("9" * 30), GHOST),
    "chunks by another name": ([KIND, "Transfer-Encoding: xchunked"], CHUNKS),
    "chunks that are not the last": ([KIND, "Transfer-Encoding: chunked, identity"], CHUNKS),
    "a space before the colon": ([KIND, f"Content-Length : {len(GHOST)}"], GHOST),
    "a folded header": ([KIND, "X-A: b\r\n Content-Length: 3", f"Content-Length: {len(GHOST)}"], GHOST),
    "a line ended by CR alone": ([KIND, f"X-A: b\rContent-Length: {len(GHOST)}"], GHOST),
    "NUL in a header": ([*sized(len(GHOST)), "X-A: a\x00b"], GHOST),
    "a header without a name": ([*sized(len(GHOST)), ": x"], GHOST),
    "a chunk of no size": ([KIND, CHUNKED], b"zz\r\n" + GHOST),
    "a chunk of negative size": ([KIND, CHUNKED], b"-5\r\n" + GHOST),
    "a chunk of endless size": ([KIND, CHUNKED], b"f" * 40 + b"\r\n" + GHOST),
    "a chunk longer than it says": ([KIND, CHUNKED], b"5\r\n" + GHOST + b"\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", IN_TWO_WAYS)
def test_what_may_be_read_in_two_ways_is_read_in_none(site: Site, name: str) -> None:
    lines, body = IN_TWO_WAYS[name]
    answer = talk(site, head(site, TRACK, *lines), body)
    assert answer.count(b"HTTP/1.1 ") == 1 and told(answer) == (400, "the request")


NO_REQUEST: dict[str, bytes] = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lines ended by LF alone": b"GET /health HTTP/1.1\nHost: x\n\n",
    "HTTP/9.9": b"GET /health HTTP/9.9\r\n\r\n",
    "no method": b" /health HTTP/1.1\r\n\r\n",
    "a method of its own": b"STEAL /health HTTP/1.1\r\n\r\n",
    "a small method": b"get /health HTTP/1.1\r\n\r\n",
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
    "NUL in the path": b"GET /\x00 HTTP/1.1\r\n\r\n",
    "a tunnel": b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example\r\n\r\n",
    "Redis": b"*1\r\n$8\r\nFLUSHALL\r\n",
    "memcached": b"stats\r\n",
}


@pytest.mark.parametrize("name", NO_REQUEST)
def test_what_is_no_request_is_refused(site: Site, name: str) -> None:
    assert told(talk(site, NO_REQUEST[name])) == (400, "the request")


def test_a_body_shorter_than_it_says_is_not_waited_for(site: Site) -> None:
    assert told(talk(site, head(site, TRACK, *sized(len(GHOST) + 1)), GHOST)) == (408, "the body")
    assert told(talk(site, head(site, TRACK, KIND, CHUNKED), CHUNKS[:-5])) == (408, "the body")


def test_a_body_longer_than_it_says_is_not_a_request_hidden_in_it(site: Site) -> None:
    hidden = HIDDEN + b"Content-Length: %d\r\n\r\n%s" % (len(GHOST), GHOST)
    answer = talk(site, head(site, TRACK, *sized(3)), b"{}}" + hidden + b"GARBAGE\r\n\r\n")
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [400, 401]  # no JSON; what follows asks for itself, without credentials; then nothing more


def test_an_answer_that_is_due_goes_out_before_the_connection_ends(site: Site) -> None:
    answer = talk(site, head(site, f"GET {API}/xp?userId=ann HTTP/1.1") + b"GARBAGE\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1 ") == 1


def test_bodies_and_headers_that_drip_are_not_waited_for(site: Site) -> None:
    began = time.monotonic()
    drips: list[bytes | float] = [piece for _ in range(8) for piece in (b" ", 0.1)]
    assert told(talk(site, head(site, TRACK, *sized(1_000)), *drips)) == (408, "the body")
    assert told(talk(site, b"GET /health HTTP/1.1\r\nX-A: ", *drips)) == (408, "the headers")
    assert talk(site, 0.0) == b""  # one that says nothing is let go without a word
    assert time.monotonic() - began < SOON_S


def test_headers_without_bounds_are_refused(site: Site) -> None:
    most = HASTY.max_header_bytes
    many = [f"X-{number}: {number}" for number in range(most // 8)]
    for path, lines in (("/health", ["X-A: " + "a" * most]), ("/health", many), ("/" + "a" * most, [])):
        answer = talk(site, head(site, f"GET {path} HTTP/1.1", "Connection: close", *lines))
        assert told(answer) == (431, "the headers")


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}
ADDRESSES = {
    "/learners/ann%2Fbob/profile": 404,
    "/learners/%ff/profile": 400,
    "/learners/%ed%a0%80/profile": 400,
    "/learners/%c0%ae%c0%ae/profile": 400,
    "/learners/%00/profile": 422,
    "/learners/a%00/profile": 422,
    "/learners/a%0d%0aX-Evil:%201/profile": 404,
    "/learners/%2e%2e/profile": 404,
    "/learners/../../../../etc/passwd": 405,
    "/learners/..%2f..%2f..%2fetc%2fpasswd/profile": 404,
    "/learners//profile": 422,
    f"/learners/{'a' * 129}/profile": 422,
    "/../../etc/passwd": 404,
    "/xp/": 404,
    "//xp": 404,
    "/xp;jsessionid=1": 404,
    "/xp?userId=%ff": 400,
    "/xp?userId=a%00b": 422,
    "/xp?userId=\xff": 400,
    "/xp?userId=ann%00": 422,
    "/xp?userId=nobody&userId=%27%3B%20DROP%20TABLE%20journal": 404,
    "/leaderboard?limit=99999999999999999999999": 422,
    "/leaderboard?limit=1e9": 422,
    "/streak?userId=ann&days=-1": 422,
}


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_a_strange_address_leads_nowhere(site: Site, address: str) -> None:
    answer = talk(site, head(site, f"GET {API}{address} HTTP/1.1", "Connection: close"))
    assert told(answer)[0] == ADDRESSES[address]
    assert b"root:" not in answer and b"X-Evil: 1\r\n" not in answer


@pytest.mark.parametrize("path", sorted({path for _, path in ACCESS}))
def test_other_methods_are_refused_on_every_path(site: Site, path: str) -> None:
    known = {method for method, other in ACCESS if other == path}
    for method in METHODS - known:
        # ann/profile is an id, too, of a learner who may be erased
        status, item = (404, "learner") if method == "DELETE" and "/learners/" in path else (405, "method")
        answer = site.http.request(method, path.replace("{userId:path}", "ann"), headers=site.bearer(Role.ADMIN))
        assert answer.status_code == status
        if method != "HEAD":
            assert problem(status, answer.headers, answer.content)["item"] == item
        if status == 405:
            assert known <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", "TLS/1.3"])
def test_nothing_is_upgraded(site: Site, upgrade: str) -> None:
    lines = [
        f"Upgrade: {upgrade}",
        "Connection: Upgrade, close",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: eA==",
    ]
    answer = talk(site, head(site, "GET /health HTTP/1.1", *lines))
    assert answer.startswith(b"HTTP/1.1 200")
    hidden = head(site, TRACK, *sized(len(GHOST))) + GHOST
    assert b"101" not in talk(site, head(site, "GET /health HTTP/1.1", *lines), hidden)[:20]


@pytest.mark.parametrize(
    "said",
    [
        "", "Bearer", "Basic YWRtaW46YWRtaW4=", "Bearer null", "Bearer engage_" + "0" * 12 + "_" + "A" * 43,
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.", "Bearer " + "a." * 4_000, "Bearer ' OR 1=1 --", "\xff",
    ],
)  # fmt: skip
def test_strange_credentials_open_nothing(site: Site, said: str) -> None:
    answer = site.http.get(f"{API}/xp?userId=ann", headers=[(b"Authorization", said.encode("latin-1"))])
    assert problem(answer.status_code, answer.headers, answer.content)["item"] == "header Authorization"
    assert answer.status_code == 401 and "Bearer" in answer.headers["www-authenticate"]


def test_credentials_that_stand_twice_open_nothing(site: Site) -> None:
    twice = [(b"Authorization", site.bearer(Role.SERVICE)["Authorization"].encode())] * 2
    assert site.http.get(f"{API}/xp?userId=ann", headers=twice).status_code == 401


@pytest.mark.parametrize("key", [b"caf\xc3\xa9", b"\xff", b"a\tb", b"x" * 201, b""])
def test_an_idempotency_key_is_plain(site: Site, key: bytes) -> None:
    headers: Any = [(name.encode(), value.encode()) for name, value in site.bearer(Role.SERVICE).items()]
    answer = site.http.post(
        f"{API}/track", headers=[*headers, (b"Idempotency-Key", key)], json={"userId": "ann", "action": "note"}
    )
    assert problem(422, answer.headers, answer.content)["item"] == "header.Idempotency-Key"


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_ten_thousand_connections_that_are_dropped_leave_nothing_behind(site: Site) -> None:
    before = open_files()
    said = [
        b"",
        b"G",
        b"GET /health HTTP/1.1\r\n",
        head(site, TRACK, *sized(100)) + b"{",
        b"GET /health HTTP/1.1\r\n\r\n",
    ]
    for round_ in range(40):
        held = [connect(site) for _ in range(250)]
        for number, connection in enumerate(held):
            connection.sendall(said[number % len(said)])
            if number % 2:  # hang up on the spot, as a process does that is killed
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert round_ % 10 or site.http.get("/health").status_code == 200
        for connection in held:
            connection.close()
    until = time.monotonic() + SOON_S
    while open_files() > before + 20:
        assert time.monotonic() < until
        time.sleep(0.05)
    began = time.monotonic()
    assert site.http.get("/ready").status_code == 200 and time.monotonic() - began < SOON_S


def test_there_are_no_more_connections_than_there_may_be(tmp_path: Path) -> None:
    with open_site(tmp_path, settings=replace(HASTY, max_connections=3)) as small, contextlib.ExitStack() as held:
        three = [held.enter_context(connect(small)) for _ in range(3)]
        time.sleep(0.1)
        assert told(talk(small)) == (503, "connections")
        three[0].close()
        time.sleep(0.1)
        assert httpx.get(f"{small.http.base_url}/health").status_code == 200
