"""What tests with hostile input share: a service to attack, raw sockets, and what must be as it was afterwards."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from api.access import Role
from api.problems import KINDS, MEDIA_TYPE
from api.settings import Rate, Settings
from tests.api.site import SOON_S, Site

HASTY = Settings(
    header_timeout_s=0.5,
    body_timeout_s=0.5,
    learner_rate=Rate(1e6, 10**6),
    service_rate=Rate(1e6, 10**6),
    stranger_rate=Rate(1e6, 10**6),
)
JSON = {"Content-Type": "application/json"}


def state(site: Site) -> Any:
    """Return all that hostile input must leave as it is: what was journalled, who is known, what ann has."""
    learners = [lane.ids(len(lane.ask("columns", ["as_of"], site.clock())["as_of"])) for lane in site.service.lanes]
    held = site.get("/xp", userId="ann")["totalXp"], site.get("/learners/ann/profile")
    return site.service.newest(), learners, held


def problem(status: int, headers: Any, body: bytes) -> dict[str, Any]:
    """Return a refusal, which must be one of ours: whole, short, and without a word about the inside."""
    assert headers["content-type"] == MEDIA_TYPE
    assert headers["x-content-type-options"] == "nosniff"
    assert len(body) < 20_000
    for inside in (b"Traceback", b".py", b"sqlite", b"psycopg", b"pydantic"):
        assert inside not in body
    told: dict[str, Any] = json.loads(body)
    assert told["status"] == status and told["type"].endswith(KINDS[status].slug)
    return told


def post(site: Site, path: str, content: bytes, role: Role = Role.SERVICE, **headers: str) -> tuple[int, str]:
    """Send bytes that must be refused; return the status and what was wrong."""
    answer = site.http.post(path, content=content, headers={**JSON, **site.bearer(role), **headers})
    told = problem(answer.status_code, answer.headers, answer.content)
    return answer.status_code, told["item"]


def connect(site: Site) -> socket.socket:
    """Open a connection."""
    return socket.create_connection((site.http.base_url.host, site.http.base_url.port or 0), timeout=SOON_S)


def head(site: Site, line: str, *lines: str) -> bytes:
    """Return a request's head with a service's credentials."""
    who = f"Authorization: {site.bearer(Role.SERVICE)['Authorization']}"
    return "\r\n".join([line, "Host: engage", who, *lines, "", ""]).encode("latin-1")


def talk(site: Site, *pieces: bytes | float) -> bytes:
    """Send pieces, pausing where a number stands; return all that comes until the other side hangs up."""
    with connect(site) as connection:
        try:
            for piece in pieces:
                if isinstance(piece, bytes):
                    connection.sendall(piece)
                else:
                    time.sleep(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        answer = b""
        try:
            while more := connection.recv(65_536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


def told(answer: bytes) -> tuple[int, str]:
    """Return the status of the last of some raw answers, and what was wrong."""
    start = answer.rindex(b"HTTP/1.1 ")
    first, _, rest = answer[start:].partition(b"\r\n")
    lines, _, body = rest.partition(b"\r\n\r\n")
    headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines.decode().split("\r\n")}
    status = int(first.split()[1])
    return status, problem(status, headers, body)["item"]
