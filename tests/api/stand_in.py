"""A stand-in for the service, over a real socket: it counts events by their ids, and misbehaves as it is told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
XP = 50
LATE_S = 0.6  # of an answer that comes after the client's time-out
TIMEOUT_S = 0.25


@dataclass
class StandIn:
    """What the service knows and what it is going to do.

    Args:
        faults: of the next requests, in order, then none: ``drop`` (before anything is done), ``lose`` (done, but the
            answer is lost), ``cut`` (done, half an answer), ``late`` (done, answered after the client's time-out),
            ``page`` (done, answered by a proxy's page), or a status with its headers: ``(503, {"Retry-After": "0"})``.
    """

    faults: list[Any] = field(default_factory=list)
    counted: dict[str, Json] = field(default_factory=dict)
    requests: list[tuple[str, str, Json | list[Json] | None, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, event: Json) -> Json:
        """Count an event once; return its first receipt whenever it is sent again."""
        if event["action"] == "danced":
            return {"status": "refused", "item": "action", "got": "'danced'", "expected": "an action of the rules"}
        known = self.counted.get(event["eventId"])
        if known is not None:
            return {**known, "status": "duplicate"}
        total = XP * (1 + sum(each["userId"] == event["userId"] for each in self.counted.values()))
        receipt = {
            "userId": event["userId"], "eventId": event["eventId"], "status": "accepted", "xpAwarded": XP,
            "totalXp": total, "level": 1, "levelName": "Novice", "leveledUp": False, "streak": 1, "freezes": 0,
            "achievements": [{"id": "first_steps", "name": "First Steps"}], "outcomes": [{"type": "xp_awarded"}],
            "fieldOfTomorrow": 1,
        }  # fmt: skip
        self.counted[event["eventId"]] = receipt
        return receipt

    def answer(self, path: str, body: Any) -> Any:
        """Return what the service says to a request."""
        route = path.partition("?")[0].removeprefix("/api/engagement/")
        if route == "track":
            return self.receive(body)
        if route == "events":
            return {"accepted": len(body), "results": [self.receive(event) for event in body]}
        return {
            "xp": {"userId": "ana", "totalXp": 150, "level": 2, "levelName": "Learner", "progress": 33.3, "rank": 4},
            "streak": {"userId": "ana", "currentStreak": 7, "longestStreak": 9, "freezes": 1, "calendar": []},
            "calculate": {
                "userId": "ana",
                "dropOffRisk": 63.5,
                "band": "high",
                "confidence": 88.0,
                "reasons": ["quiet"],
            },
            "leaderboard": {"period": "weekly", "entries": [{"rank": 1, "userId": "ben", "displayName": "B", "xp": 9}]},
        }[route]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = json.loads(body) if body else None
        with self.stand_in.lock:
            self.stand_in.requests.append((self.command, self.path, told, dict(self.headers)))
            fault = self.stand_in.faults.pop(0) if self.stand_in.faults else None
            if fault == "drop" or isinstance(fault, tuple):
                answer: Any = {"type": "urn:x", "title": "Not now", "status": 0, "item": "requests", "remedy": "Wait."}
            else:
                answer = self.stand_in.answer(self.path, told)
        if fault in ("drop", "lose"):
            self.close_connection = True
            return
        if fault == "late":
            time.sleep(LATE_S)
        status, headers = fault if isinstance(fault, tuple) else (200, {})
        content = b"<html>wait" if fault == "page" else json.dumps(answer).encode()
        self.send_response(status)
        kind = "application/problem+json" if status >= 400 else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault == "cut":
            content, self.close_connection = content[: len(content) // 2], True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content)

    do_GET = do_POST = _serve  # noqa: N815  # http.server finds methods by these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's own name
        """Say nothing."""


@contextlib.contextmanager
def stand_in(*faults: Any) -> Iterator[tuple[StandIn, str]]:
    """Run a stand-in until the block ends; return it and its base URL."""
    made = StandIn(list(faults))
    handler = type("Handler", (_Handler,), {"stand_in": made, "timeout": 5})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
