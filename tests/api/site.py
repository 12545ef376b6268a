"""A whole service over a real socket, its actors in this process, on a clock that the test sets."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx
import uvicorn
from fastapi import FastAPI

from actors.service import Service
from api import keys
from api.access import DEFAULT_SCOPES, Role, Scope
from api.clock import ManualClock
from api.context import Context
from api.rim import Rim
from api.serving import open_app, server_config
from api.settings import Rate, Settings
from engine import rules as engine_rules
from engine.experiments.campaigns import standard
from engine.risk import model as risk_model
from tests.api.live import ms

RULES = engine_rules.load()
API = "/api/engagement"
SOON_S = 10.0  # whatever a test waits for has come by then, also on a busy machine
SETTINGS = Settings(learner_rate=Rate(1_000, 10_000))  # only tests of limits want to meet them


@dataclass
class Site:
    """A service and a client of it."""

    app: FastAPI
    clock: ManualClock
    http: httpx.Client
    keys: dict[Role, str] = field(default_factory=dict)

    @property
    def context(self) -> Context:
        """What its routes work with."""
        found: Context = self.app.state.context
        return found

    @property
    def service(self) -> Service:
        """The live learners."""
        return self.context.service

    def bearer(self, role: Role, learner: str = "ann", scopes: set[Scope] | None = None) -> dict[str, str]:
        """Return the header of somebody with all scopes, or some."""
        rim: Rim = self.app.state.rim
        granted = DEFAULT_SCOPES[role] if scopes is None else frozenset(scopes)
        if role is Role.LEARNER:
            return {"Authorization": f"Bearer {rim.tokens.mint(learner, 600, granted).text}"}
        if role not in self.keys or scopes is not None:
            self.keys[role] = keys.create(rim.keys, "test", role, self.clock(), granted).text
        return {"Authorization": f"Bearer {self.keys[role]}"}

    def ask(
        self, method: str, path: str, role: Role = Role.SERVICE, *, learner: str = "ann", **options: Any
    ) -> httpx.Response:
        """Ask it something; paths are those behind /api/engagement."""
        headers = {**self.bearer(role, learner), **options.pop("headers", {})}
        return self.http.request(method, API + path, headers=headers, **options)

    def get(self, path: str, role: Role = Role.SERVICE, *, learner: str = "ann", **params: Any) -> Any:
        """Return the JSON of an answer that must be fine."""
        answer = self.ask("GET", path, role, learner=learner, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, role: Role = Role.SERVICE) -> Any:
        """Return the JSON of an answer that must be fine."""
        answer = self.ask("POST", path, role, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def track(self, learner: str = "ann", action: str = "lesson_complete", **more: Any) -> Any:
        """Send one event that happens now; return its receipt."""
        return self.post("/track", {"userId": learner, "action": action, **more})

    def profile(self, learner: str = "ann", **entries: Any) -> None:
        """Change a profile, of somebody who may be new."""
        known = self.ask("GET", f"/learners/{learner}/profile").status_code == 200
        answer = self.ask("PATCH" if known else "PUT", f"/learners/{learner}/profile", json=entries)
        assert answer.status_code == 204, answer.text

    def advance(self, **time_: float) -> None:
        """Let time pass, and do all that is due."""
        self.clock.advance(**time_)
        self.service.settle()

    def days(self, number: int, *learners: str) -> None:
        """Let days pass on each of which these learners complete a lesson, from today on."""
        for _ in range(number):
            for learner in learners:
                self.track(learner)
            self.advance(days=1)

    @contextlib.contextmanager
    def listen(self, role: Role = Role.ADMIN, after: str | None = None, **params: Any) -> Iterator[Ear]:
        """Listen to the live stream until the block ends; it has begun when the block does."""
        headers = self.bearer(role, params.pop("learner", "ann")) | ({"Last-Event-ID": after} if after else {})
        # A client of its own: a stream that has ended would leave its connection to others, which the end below cuts.
        own = httpx.Client(base_url=self.http.base_url, timeout=SOON_S)
        with own, own.stream("GET", f"{API}/live", headers=headers, params=params) as answer:
            assert answer.status_code == 200
            ear = Ear(answer)
            try:
                yield ear
            finally:
                # Closing alone would not wake the thread that reads, so the service would not hear of it.
                with contextlib.suppress(OSError):
                    answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
                ear.thread.join(SOON_S)


@dataclass
class Told:
    """One server-sent event; one without a kind only carries an id."""

    kind: str = ""
    id: str = ""
    data: Any = None


class Ear:
    """Reads a live stream on a thread of its own."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.told: queue.Queue[Told | None] = queue.Queue()
        self.last_id = ""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        assert self.next(marks=True).kind == ""  # the id where it begins

    def _read(self) -> None:
        event = Told()
        with contextlib.suppress(httpx.HTTPError, RuntimeError):
            for line in self.answer.iter_lines():
                name, _, value = line.partition(": ")
                if not line:
                    if event.id:
                        self.told.put(event)
                    event = Told()
                elif name == "event":
                    event.kind = value
                elif name == "id":
                    event.id = value
                elif name == "data":
                    event.data = json.loads(value)
        self.told.put(None)

    def next(self, *, marks: bool = False) -> Told:
        """Return the next event, also one without content if marks are asked for."""
        while True:
            event = self.told.get(timeout=SOON_S)
            assert event is not None, "the stream has ended"
            self.last_id = event.id
            if event.kind or marks:
                return event

    def until(self, kind: str) -> list[Told]:
        """Return all events up to one of a kind."""
        found = [self.next()]
        while found[-1].kind != kind:
            found.append(self.next())
        return found

    def rest(self) -> list[Told]:
        """Return all events up to the end of the stream."""
        found: list[Told] = []
        while (event := self.told.get(timeout=SOON_S)) is not None:
            self.last_id = event.id
            found += [event] if event.kind else []
        return found

    def __iter__(self) -> Iterator[Told]:
        return self

    def __next__(self) -> Told:
        return self.next()


class _Thread(threading.Thread):
    """A server on a thread of its own."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.server = uvicorn.Server(server_config(app, replace(settings, port=0)))

    def run(self) -> None:
        self.server.run()

    def __enter__(self) -> Self:
        self.start()
        until = time.monotonic() + SOON_S
        while not self.server.started:
            assert self.is_alive() and time.monotonic() < until
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.join(SOON_S)
        assert not self.is_alive(), "somebody still holds a connection"


def eventually(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < until, "in vain"
        time.sleep(0.02)


def metrics(site: Site) -> str:
    """Return what Prometheus is told."""
    return site.http.get("/metrics", headers=site.bearer(Role.ADMIN)).text


@contextlib.contextmanager
def open_site(
    data: Path,
    now: str = "2026-03-02T12:00",
    *,
    settings: Settings = SETTINGS,
    url: str | None = None,
    actors: int = 2,
    **options: Any,
) -> Iterator[Site]:
    """Run a service until the block ends.

    Args:
        data: directory of the service.
        now: where its clock starts, UTC; the usual one is a Monday.
        settings: of the rim.
        url: of its database; None = SQLite.
        actors: learner actors.
        options: of `api.serving.open_app`.
    """
    options.setdefault("campaigns", standard("at_risk"))
    clock = ManualClock(ms(now))
    opened = open_app(
        data, url, settings, RULES, risk_model.load(), runtime="local", actors=actors, clock=clock, **options
    )
    with opened as app, _Thread(app, settings) as running:
        host, port = running.server.servers[0].sockets[0].getsockname()[:2]
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=SOON_S) as http:
            yield Site(app, clock, http)
