"""What every answer is put in, what the log says, and connections that never get that far."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from api.access import Role
from api.envelope import SECURITY_HEADERS
from api.settings import Settings
from tests.api.rim import SOON_S, Scene, make_scene, served

ACCESS_LOG = "engage.access"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/health"), ("GET", "/nothing"), ("PUT", "/health"), ("GET", "/probe/fails/python")]
)
def test_every_answer_has_the_security_headers(scene: Scene, method: str, path: str) -> None:
    answer = scene.ask(method, path)
    for name, value in SECURITY_HEADERS:
        assert answer.headers.get_list(name.decode()) == [value.decode()]
    assert answer.headers["x-request-id"]
    assert "server" not in answer.headers


def test_pages_for_people_may_be_styled_and_no_more(scene: Scene) -> None:
    answer = scene.ask("GET", "/docs", None)
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "<script" not in answer.text and "http://" not in answer.text and "https://" not in answer.text


def test_a_request_keeps_the_id_that_it_brings_if_it_is_harmless(scene: Scene) -> None:
    assert scene.ask("GET", "/health", headers={"X-Request-Id": "job-17.a_b"}).headers["x-request-id"] == "job-17.a_b"
    for bad in ("a b", "x" * 65, "", "a\tb", "<x>"):
        answer = scene.ask("GET", "/health", headers={"X-Request-Id": bad})
        assert answer.headers["x-request-id"] not in (bad, "")
    ids = {scene.ask("GET", "/health").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_large_headers_are_refused(scene: Scene) -> None:
    answer = scene.ask("GET", "/health", headers={"X-Large": "x" * 40_000})
    assert answer.status_code == 431
    assert scene.ask("GET", "/health", params={"q": "x" * 40_000}).status_code == 431


def test_the_log_names_who_and_what_and_no_secret(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked = scene.ask("GET", "/probe/own", Role.LEARNER, params={"userId": "u-1", "token": "swordfish"})
    scene.ask("POST", "/probe/things", Role.ADMIN, json={"name": "swordfish"})
    scene.ask("GET", "/probe/shared", None, headers={"Authorization": "Bearer engage_0123456789ab_swordfish"})
    scene.ask("GET", "/probe/shared", None, headers={"Authorization": "Bearer swordfish", "Cookie": "swordfish"})
    scene.ask("POST", "/api/engagement/tokens", Role.SERVICE, json={"userId": "u-1"})
    scene.ask("GET", "/swordfish", Role.SERVICE)
    lines = [record.getMessage() for record in caplog.records if record.name == ACCESS_LOG]
    assert len(lines) == 6
    assert lines[0].startswith(f"{asked.headers['x-request-id']} learner GET /probe/own 200 ")
    assert lines[5].split()[1:5] == ["-", "GET", "-", "404"]
    ours = said_by_us(caplog)
    for secret in ("swordfish", "u-1", *map(secret_of, scene.credentials.values())):
        assert secret not in ours


def secret_of(credentials: str) -> str:
    """Return the part of a key or token that nobody else may know."""
    return credentials.split("_", 2)[2] if credentials.startswith("engage_") else credentials.rpartition(".")[2]


def said_by_us(caplog: pytest.LogCaptureFixture) -> str:
    """Return what was logged by anybody but the client, which is in this process, too."""
    records = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    return "\n".join(record.getMessage() for record in records)


def test_over_a_socket_nothing_secret_is_logged_by_anybody(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    headers = scene.bearer(Role.SERVICE)
    with served(scene) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", headers=headers) as client:
        caplog.clear()
        assert client.get("/probe/shared", params={"token": "swordfish"}).status_code == 200
        client.post("/api/engagement/tokens", json={"userId": "u-1"})
    ours = said_by_us(caplog)
    assert "GET /probe/shared 200" in ours
    assert "swordfish" not in ours and secret_of(scene.credentials[Role.SERVICE]) not in ours


def test_a_stream_that_fails_in_the_middle_is_cut_and_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    from starlette.types import Receive, Scope, Send

    from api.envelope import Envelope

    async def breaks(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"so far", "more_body": True})
        raise ValueError("the middle")

    scene.app.middleware_stack = Envelope(breaks, lambda *_: None, 10_000)
    with served(scene) as (host, port), pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"http://{host}:{port}/health")
    assert "failed in the middle of its answer" in caplog.text and "the middle" in caplog.text


def test_pages_of_named_origins_may_call(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(monkeypatch, Settings(allowed_origins=("https://learn.example.org",)))
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    allowed = scene.ask("OPTIONS", "/probe/own", None, headers={"Origin": "https://learn.example.org", **asks})
    assert allowed.headers["access-control-allow-origin"] == "https://learn.example.org"
    refused = scene.ask("OPTIONS", "/probe/own", None, headers={"Origin": "https://evil.example", **asks})
    assert "access-control-allow-origin" not in refused.headers
    wrong = scene.ask("GET", "/probe/own", None, headers={"Origin": "https://learn.example.org"})
    assert wrong.status_code == 401 and "access-control-allow-origin" in wrong.headers


def test_without_origins_no_page_may_call(scene: Scene) -> None:
    answer = scene.ask("GET", "/health", None, headers={"Origin": "https://learn.example.org"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


HASTY = Settings(header_timeout_s=0.3, max_header_bytes=2_000)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    with served(make_scene(monkeypatch, HASTY), HASTY) as found:
        yield found


def listen(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while more := connection.recv(65_536):
            answer += more
    except ConnectionResetError:
        pass
    return answer


def test_a_connection_that_says_nothing_is_closed(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=SOON_S) as connection:
        began = time.monotonic()
        assert listen(connection) == b"" and time.monotonic() - began < SOON_S / 2


def test_headers_that_do_not_end_are_not_waited_for(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=SOON_S) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        answer = listen(connection)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in answer and b"nosniff" in answer


def test_headers_without_end_are_refused(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=SOON_S) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        answer = b""
        try:
            for number in range(100_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"x" * 500))
                time.sleep(0.001)
        except (BrokenPipeError, ConnectionResetError):
            assert number < 100  # it is the place of the refusal that matters
        answer = listen(connection)
    assert answer.startswith(b"HTTP/1.1 431 ") or not answer


def test_a_connection_is_used_again_and_again(address: tuple[str, int]) -> None:
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as client:
        for _ in range(3):
            assert client.get("/health").status_code == 200
            time.sleep(0.4)  # longer than headers may take: idle is not slow
        assert client.get("/health", headers={"X-Large": "x" * 3_000}).status_code == 431


def test_requests_sent_in_one_go_are_all_answered(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=SOON_S) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET /version HTTP/1.1\r\nHost: x\r\nConn")
        connection.sendall(b"ection: close\r\n\r\n")
        answer = listen(connection)
    assert answer.count(b"HTTP/1.1 200 OK") == 4


def test_what_is_no_http_is_refused(address: tuple[str, int]) -> None:
    for rubbish in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\0" * 100):
        with socket.create_connection(address, timeout=SOON_S) as connection:
            connection.sendall(rubbish)
            assert listen(connection)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 408", b"")


def test_there_are_no_websockets(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=SOON_S) as connection:
        lines = ["GET /api/engagement/live HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert not connection.recv(65_536).startswith((b"HTTP/1.1 101", b"HTTP/1.1 200"))
