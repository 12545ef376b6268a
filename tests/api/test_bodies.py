"""Bodies: too large, too slow, packed, cut off, and no JSON."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access import Role
from api.bodies import DEEPEST, read_json, unpack
from api.problems import MEDIA_TYPE, Refused
from api.settings import Settings
from engine.errors import InputError
from tests.api.rim import SOON_S, Scene, make_scene, served

MOST = 100_000
TIGHT = Settings(max_body_bytes=MOST, body_timeout_s=0.3)
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return make_scene(monkeypatch, TIGHT)


def send(scene: Scene, content: Any, path: str = "/probe/raw", **headers: str) -> httpx.Response:
    return scene.ask("POST", path, headers=headers, content=content)


def test_a_body_arrives_as_it_was_sent(tight: Scene) -> None:
    for size in (0, 1, MOST):
        assert send(tight, b"x" * size).json() == {"bytes": size}


def test_a_body_that_is_too_large_is_refused_before_it_is_read(tight: Scene) -> None:
    answer = send(tight, b"x" * (MOST + 1))
    assert answer.status_code == 413
    assert answer.json()["expected"] == f"at most {MOST} bytes"


def test_chunks_are_counted_while_they_come(tight: Scene) -> None:
    taken = 0

    async def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 10_000

    answer = send(tight, endless())
    assert answer.status_code == 413 and taken <= MOST / 10_000 + 2


def test_gzip_is_unpacked(tight: Scene) -> None:
    thing = json.dumps({"name": "u-1", "more": "x" * 50_000}).encode()
    for packed in (gzip.compress(thing), gzip.compress(thing[:100]) + gzip.compress(thing[100:])):
        for encoding in ("gzip", "GZIP", "x-gzip"):
            answer = send(tight, packed, "/probe/things", **JSON, **{"Content-Encoding": encoding})
            assert answer.json() == {"name": "u-1"}
    assert send(tight, b"abc", **{"Content-Encoding": "identity"}).json() == {"bytes": 3}


@pytest.mark.parametrize("thousands", [101, 1_000_000])
def test_a_gzip_bomb_is_not_unpacked(tight: Scene, thousands: int) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(max(1, thousands // 1_000))) + packer.flush()
    if len(bomb) > MOST:
        bomb = bomb[:MOST]
    tracemalloc.start()
    answer = send(tight, bomb, **{"Content-Encoding": "gzip"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 413 and "when unpacked" in answer.json()["got"]
    assert peak < 5_000_000


def test_many_small_members_do_not_add_up_to_a_bomb() -> None:
    assert unpack(gzip.compress(bytes(1_000)) * 200, MOST) is None
    assert unpack(gzip.compress(b"") * 100, MOST) == b""


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(b"x" * 10_000)[:-1],
        gzip.compress(b"x" * 10_000)[:-9],
        gzip.compress(b"x" * 10_000)[:12],
        gzip.compress(b"x")[:5],
        gzip.compress(b"x") + b"more",
        gzip.compress(b"x") + gzip.compress(b"y")[:-2],
        gzip.compress(b"x")[:-8] + b"\0" * 8,
        b"plain",
        zlib.compress(b"x"),
    ],
    ids=["crc cut", "data cut", "header", "half header", "garbage", "second cut", "wrong crc", "plain", "zlib"],
)
def test_gzip_that_is_cut_off_or_damaged_is_refused(tight: Scene, packed: bytes) -> None:
    answer = send(tight, packed, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert answer.json()["expected"] == "gzip, as its Content-Encoding says"


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "\xff"])
def test_other_encodings_are_refused_and_told_which_is_known(tight: Scene, encoding: str) -> None:
    answer = tight.ask("POST", "/probe/raw", headers={"Content-Encoding": encoding.encode("latin-1")}, content=b"x")
    assert answer.status_code == 415 and answer.headers["accept-encoding"] == "gzip"


@given(st.binary(max_size=300), st.integers(0, 300))
def test_what_is_unpacked_is_what_was_packed(data: bytes, most: int) -> None:
    assert unpack(gzip.compress(data), most) == (data if len(data) <= most else None)


@given(st.binary(max_size=100))
def test_no_bytes_make_unpacking_fail_in_another_way(data: bytes) -> None:
    with contextlib.suppress(Refused):
        unpack(gzip.compress(b"ab" * 50)[: len(data)] + data, 1_000)


HOSTILE = {
    "deep list": b"[" * 50_000 + b"]" * 49_999,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep within": b'{"name":"u-1","more":' + b"[" * 400 + b"]" * 400 + b"}",
    "unclosed": b"[" * 90_000,
    "NaN": b'{"name":"u-1","size":NaN}',
    "Infinity": b'{"name":"u-1","more":[-Infinity]}',
    "bad UTF-8": b'{"name":"\xff\xfe"}',
    "overlong UTF-8": b'{"name":"\xc0\xaf"}',
    "UTF-16": '{"name":"u-1"}'.encode("utf-16"),
    "BOM": b'\xef\xbb\xbf{"name":"u-1"}',
    "half a character": b'{"name":"\\ud800"}',
    "cut off": b'{"name":"u-',
    "trailing": b'{"name":"u-1"} x',
    "two": b'{"name":"u-1"}{"name":"u-2"}',
    "blank": b"   ",
    "comment": b'{"name":"u-1" /* */}',
    "digits": b'{"name":"u-1","size":' + b"9" * 90_000 + b"}",
    "control": b'{"name":"a\x00b"}',
    "python": b"{'name': 'u-1'}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_json_is_refused_and_the_service_stays_up(tight: Scene, name: str) -> None:
    answer = send(tight, HOSTILE[name], "/probe/things", **JSON)
    assert answer.status_code == 400 and answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["expected"] == "JSON" and len(answer.content) < 1_500
    assert send(tight, b'{"name":"u-1"}', "/probe/things", **JSON).json() == {"name": "u-1"}


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"9" * 400 + b".0", b"1e99999999999"])
def test_numbers_beyond_all_measure_are_no_numbers(tight: Scene, number: bytes) -> None:
    answer = send(tight, b'{"name":"u-1","size":' + number + b"}", "/probe/things", **JSON)
    assert answer.status_code in (400, 422)


def test_json_goes_as_deep_as_is_said() -> None:
    assert read_json(b"[" * DEEPEST + b"]" * DEEPEST)
    with pytest.raises(InputError, match="recursion limit"):
        read_json(b"[" * (DEEPEST + 10) + b"]" * (DEEPEST + 10))


def test_another_kind_of_json_is_checked_too_and_lines_are_not(tight: Scene) -> None:
    assert send(tight, b"[NaN]", **{"Content-Type": "Application/Problem+JSON; charset=utf-8"}).status_code == 400
    assert send(tight, b"{}\n{}", **{"Content-Type": "application/x-ndjson"}).json() == {"bytes": 5}


def talk(address: tuple[str, int], *pieces: bytes | float) -> bytes:
    """Send pieces, pausing where a number stands; return all that is answered until the other side hangs up."""
    with socket.create_connection(address, timeout=SOON_S) as connection:
        for piece in pieces:
            if isinstance(piece, bytes):
                connection.sendall(piece)
            else:
                time.sleep(piece)
        answer = b""
        while True:
            try:
                more = connection.recv(65_536)
            except ConnectionResetError:
                return answer
            if not more:
                return answer
            answer += more


def head(scene: Scene, *lines: str) -> bytes:
    bearer = scene.bearer(Role.SERVICE)["Authorization"]
    return "\r\n".join(["POST /probe/raw HTTP/1.1", "Host: x", f"Authorization: {bearer}", *lines, "", ""]).encode()


@pytest.fixture
def address(tight: Scene) -> Iterator[tuple[str, int]]:
    with served(tight, TIGHT) as found:
        yield found


def test_a_body_that_does_not_come_is_not_waited_for(tight: Scene, address: tuple[str, int]) -> None:
    began = time.monotonic()
    answer = talk(address, head(tight, "Content-Length: 10"), b"abc")
    assert answer.startswith(b"HTTP/1.1 408") and b"connection: close" in answer.lower()
    assert b"3 bytes in 0.3 s" in answer and time.monotonic() - began < SOON_S / 2


def test_a_body_that_drips_is_not_waited_for_either(tight: Scene, address: tuple[str, int]) -> None:
    drips = [piece for _ in range(5) for piece in (b"x", 0.1)]
    try:
        answer = talk(address, head(tight, "Content-Length: 1000"), *drips)
    except (BrokenPipeError, ConnectionResetError):  # it has hung up while we were talking
        return
    assert answer.startswith(b"HTTP/1.1 408")


def test_strangers_do_not_get_to_send_a_body(tight: Scene, address: tuple[str, int]) -> None:
    began = time.monotonic()
    answer = talk(address, b"POST /probe/raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 90000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401") and time.monotonic() - began < TIGHT.body_timeout_s


def test_a_body_of_false_length_is_refused(tight: Scene, address: tuple[str, int]) -> None:
    for wrong in ("Content-Length: 1e3", "Content-Length: -1", "Transfer-Encoding: chunked\r\nContent-Length: 3"):
        answer = talk(address, head(tight, wrong, "Connection: close"), b"Z\r\nabc\r\n")
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 408")), wrong


def test_one_who_hangs_up_in_the_middle_harms_nobody(
    tight: Scene, address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(address, timeout=SOON_S) as connection:
        connection.sendall(head(tight, "Content-Length: 10") + b"abc")
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", headers=tight.bearer(Role.SERVICE)) as client:
        assert client.post("/probe/raw", content=b"x" * 50_000).json() == {"bytes": 50_000}
    assert "Traceback" not in caplog.text


def test_large_and_packed_bodies_over_a_socket(tight: Scene, address: tuple[str, int]) -> None:
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", headers=tight.bearer(Role.SERVICE)) as client:
        assert client.post("/probe/raw", content=b"x" * (5 * MOST)).status_code == 413
        assert client.post("/probe/raw", content=iter([b"x" * 60_000] * 2)).status_code == 413
        bomb = gzip.compress(bytes(20_000_000))
        assert client.post("/probe/raw", content=bomb, headers={"Content-Encoding": "gzip"}).status_code == 413
        torn = gzip.compress(b"abc")[:-3]
        assert client.post("/probe/raw", content=torn, headers={"Content-Encoding": "gzip"}).status_code == 400
        assert client.post("/probe/raw", content=b"fine").json() == {"bytes": 4}
