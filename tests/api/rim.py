"""A rim to test: an app with probing routes behind it, called in this process or served over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from actors.ports import FencedError, JournalError
from actors.storage.audit import AuditLine
from actors.storage.keys import ApiKey
from api import bodies, keys
from api.access import ACCESS, INGEST, READ, SHARED, Caller, Role, Rule, Scope, own
from api.app import EngageApi, create_app
from api.clock import ManualClock
from api.protocol import bounded
from api.rim import Rim
from api.routes import operations, reference
from api.routes import tokens as token_routes
from api.settings import Settings
from api.tokens import Tokens
from engine.errors import EngageError, InputError

NOW_MS = 1_790_000_000_000
SECRET = b"0123456789abcdef0123456789abcdef"
SOON_S = 10  # whatever a test waits for has come by then, also on a busy machine


class MemoryKeys:
    """A key store that counts how often it is asked."""

    def __init__(self) -> None:
        self.rows: dict[str, ApiKey] = {}
        self.finds = 0
        self.trouble: EngageError | None = None

    def create(self, key: ApiKey) -> bool:
        return self.rows.setdefault(key.id, key) is key

    def find(self, key_id: str) -> ApiKey | None:
        self.finds += 1
        if self.trouble:
            raise self.trouble
        return self.rows.get(key_id)

    def expire(self, key_id: str, at_ms: int) -> bool:
        key = self.rows[key_id]
        self.rows[key_id] = replace(key, expires_ms=min(at_ms, key.expires_ms or at_ms))
        return True

    def revoke(self, key_id: str, now_ms: int) -> bool:
        self.rows[key_id] = replace(self.rows[key_id], revoked_ms=now_ms)
        return True


class Thing(BaseModel):
    """What the probing routes take."""

    model_config = ConfigDict(allow_inf_nan=False)

    name: str
    size: float = 1.0
    more: Any = None


PROBES = {
    ("POST", "/probe/things"): INGEST,
    ("GET", "/probe/own"): READ,
    ("GET", "/probe/forgetful"): READ,
    ("GET", "/probe/shared"): SHARED,
    ("GET", "/probe/items/{item_id}"): SHARED,
    ("GET", "/probe/fails/{how}"): SHARED,
    ("POST", "/probe/raw"): INGEST,
}
ERRORS: dict[str, Exception] = {
    "input": InputError("action", "'leson'", "an action of the rules", "Did you mean 'lesson'?"),
    "engine": EngageError("learner actor 3", "5 deaths on host db-7", "an answer"),
    "journal": JournalError("database postgresql://ann@db-7/x", "no room left on its disk"),
    "fenced": FencedError("log 3", "a holder of epoch 7"),
    "python": ZeroDivisionError("the password is swordfish"),
}


def probes() -> ModuleType:
    """Return a module of routes that only tests need."""
    module = ModuleType("probes")
    router = APIRouter(prefix="/probe")

    @router.post("/things")
    async def things(caller: Caller, thing: Thing) -> dict[str, Any]:
        own(caller, thing.name)
        return {"name": thing.name}

    @router.get("/own")
    async def mine(caller: Caller, userId: str | None = None) -> dict[str, Any]:  # noqa: N803  # the wire's
        own(caller, userId)
        return {"userId": userId}

    @router.get("/forgetful")
    async def forgetful(caller: Caller) -> dict[str, str]:
        return {"secret": f"everybody's, for {caller.name}"}

    @router.get("/shared")
    async def shared(caller: Caller) -> dict[str, str]:
        return {"who": caller.name}

    @router.get("/items/{item_id}")
    async def items(item_id: int) -> dict[str, int]:
        return {"item": item_id}

    @router.get("/fails/{how}")
    async def fails(how: str) -> None:
        raise ERRORS[how]

    @router.post("/raw")
    async def raw(caller: Caller, request: Request) -> dict[str, int]:
        own(caller, caller.learner_id)
        return {"bytes": len(await request.body())}

    module.__dict__["router"] = router
    return module


@dataclass
class Scene:
    """An app and all that it was made of."""

    app: EngageApi
    clock: ManualClock
    steady: ManualClock
    store: MemoryKeys
    tokens: Tokens
    audit: list[AuditLine]
    service: SimpleNamespace
    credentials: dict[Role, str] = field(default_factory=dict)

    def bearer(self, role: Role) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credentials[role]}"}

    def key(self, role: Role, scopes: set[Scope] | None = None, expires_ms: int | None = None) -> keys.NewKey:
        granted = None if scopes is None else frozenset(scopes)
        return keys.create(self.store, "test", role, self.clock(), granted, expires_ms)

    def ask(self, method: str, path: str, role: Role | None = Role.SERVICE, **options: Any) -> httpx.Response:
        """Ask the app in this process."""
        headers = {**(self.bearer(role) if role else {}), **options.pop("headers", {})}

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://engage") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(call())


def make_scene(patch: pytest.MonkeyPatch, settings: Settings | None = None, **rim_options: Any) -> Scene:
    """Put an app together; its learner is called u-1."""
    for route, rule in PROBES.items():
        patch.setitem(ACCESS, route, rule)
    patch.setattr(bodies, "BATCHES", bodies.BATCHES | {template for _, template in PROBES})
    store, audit = MemoryKeys(), list[AuditLine]()
    clock, steady = ManualClock(NOW_MS), ManualClock(5_000)
    tokens = Tokens([SECRET], clock)
    service = SimpleNamespace(troubled=False)

    def keep(lines: Sequence[AuditLine], _oldest_ms: int) -> None:
        audit.extend(lines)

    options: dict[str, Any] = {"audit": keep, "ready": list, "clock": clock, "steady": steady} | rim_options
    rim = Rim(settings or Settings(), store, tokens, **options)
    modules = (operations, reference, token_routes, probes())
    app = create_app(rim, SimpleNamespace(service=service), modules=modules)
    scene = Scene(app, clock, steady, store, tokens, audit, service)
    for role in (Role.SERVICE, Role.ADMIN):
        scene.credentials[role] = scene.key(role).text
    scene.credentials[Role.LEARNER] = tokens.mint("u-1", 600, frozenset(Scope)).text
    return scene


def rule_of(method: str, template: str) -> Rule:
    return ACCESS[method, template]


@contextlib.contextmanager
def served(scene: Scene, settings: Settings | None = None) -> Iterator[tuple[str, int]]:
    """Serve an app on a socket of this machine; return the address."""
    bounds = bounded(settings or Settings())
    config = uvicorn.Config(scene.app, "127.0.0.1", 0, http=bounds, log_config=None, access_log=False)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    until = time.monotonic() + SOON_S
    while not running.started:
        assert thread.is_alive() and time.monotonic() < until
        time.sleep(0.01)
    host, port = running.servers[0].sockets[0].getsockname()[:2]
    try:
        yield host, port
    finally:
        running.should_exit = True
        thread.join(SOON_S)
        assert not thread.is_alive()
