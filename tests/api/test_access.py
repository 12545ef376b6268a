"""Who may do what: every route and every role."""

from __future__ import annotations

import asyncio
import pkgutil
from dataclasses import replace
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Send

import api.routes
from api import exchange
from api.access import ACCESS, Role, Scope, Table, own, routes
from api.access import Principal as Caller
from api.app import ROUTES, create_app
from api.envelope import Envelope
from api.guard import Guard
from api.problems import Refused
from api.settings import Settings
from engine.errors import EngageError
from tests.api.rim import Scene, make_scene, rule_of, served

# These two are written down again, apart from ACCESS: whoever opens a route wider has to say so twice.
FOR_EVERYBODY = {
    ("GET", path) for path in ("/health", "/ready", "/version", "/openapi.json", "/docs", "/xapi/about")
} | {  # what follows carries a signature, in its path or its headers
    ("GET", "/unsubscribe/{token}"),
    ("POST", "/unsubscribe/{token}"),
    ("GET", "/opened/{token}"),
    ("GET", "/go/{token}"),
    ("POST", "/api/engagement/deliveries"),
}
FOR_LEARNERS = {
    ("POST", "/api/engagement/track"),
    ("POST", "/api/engagement/events"),
    ("POST", "/api/engagement/xp"),
    ("GET", "/api/engagement/xp"),
    ("POST", "/api/engagement/streak"),
    ("GET", "/api/engagement/streak"),
    ("GET", "/api/engagement/leaderboard"),
    ("GET", "/api/engagement/live"),
    ("GET", "/api/engagement/learners/{userId:path}/profile"),
    ("PATCH", "/api/engagement/learners/{userId:path}/profile"),
    ("PUT", "/api/engagement/learners/{userId:path}/profile"),
    ("GET", "/api/engagement/learners/{userId:path}/export"),
    ("GET", "/api/engagement/learners/{userId:path}/inbox"),
    ("PATCH", "/api/engagement/learners/{userId:path}/inbox"),
}


def the_app(scene: Scene) -> FastAPI:
    """Return the app with the routes that people get; what stands behind them is not there."""
    return create_app(replace(scene.app.state.rim, registry=CollectorRegistry()))


def all_routes() -> list[tuple[str, str]]:
    app = FastAPI(openapi_url=None)
    for module in ROUTES:
        app.router.routes.extend(module.router.routes)
    return [(method, template) for template, methods in routes(app).items() for method in sorted(methods)]


async def _answers(_scope: Any, _receive: Receive, send: Send) -> None:
    """Stand in for a route that has asked `own`."""
    principal = exchange.of(_scope).principal
    if principal is not None:
        principal.asked = True
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def ask_the_guard(scene: Scene, method: str, template: str, headers: dict[str, str]) -> httpx.Response:
    doors = next(layer.kwargs["doors"] for layer in the_app(scene).user_middleware if "doors" in layer.kwargs)
    guarded = Envelope(Guard(_answers, doors), lambda *_: None, 10_000)

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(guarded)
        async with httpx.AsyncClient(transport=transport, base_url="http://engage") as client:
            path = template.replace("{", "").replace("}", "")
            return await client.request(method, path, headers=headers)

    return asyncio.run(call())


@pytest.mark.parametrize(("method", "template"), all_routes())
def test_every_route_lets_in_those_whom_the_table_names(scene: Scene, method: str, template: str) -> None:
    rule = rule_of(method, template)  # KeyError = somebody forgot to decide
    for role in (None, *Role):
        answer = ask_the_guard(scene, method, template, scene.bearer(role) if role else {})
        allowed = not rule.roles or role in rule.roles
        expected = 200 if allowed else 403 if role else 401
        assert answer.status_code == expected, role


@pytest.mark.parametrize(("method", "template"), all_routes())
def test_what_strangers_and_learners_reach_is_known(method: str, template: str) -> None:
    rule = rule_of(method, template)
    if not rule.roles:
        assert (method, template) in FOR_EVERYBODY
    if Role.LEARNER in rule.roles:
        assert (method, template) in FOR_LEARNERS
    elif rule.roles:
        assert Role.ADMIN in rule.roles


@pytest.mark.parametrize("scope", Scope)
def test_a_key_opens_what_its_scopes_cover(scene: Scene, scope: Scope) -> None:
    narrow = scene.key(Role.ADMIN, {scope})
    for method, template in all_routes():
        rule = rule_of(method, template)
        answer = ask_the_guard(scene, method, template, {"Authorization": f"Bearer {narrow.text}"})
        assert answer.status_code == (200 if rule.scope in {None, scope} or not rule.roles else 403)


def test_every_module_of_routes_is_served_and_every_route_decided(scene: Scene) -> None:
    served_modules = {module.__name__ for module in ROUTES}
    assert {f"api.routes.{module.name}" for module in pkgutil.iter_modules(api.routes.__path__)} == served_modules
    assert set(all_routes()) <= set(ACCESS)
    the_app(scene)  # starts


def made_of(add: Any) -> ModuleType:
    module = ModuleType("more")
    router = APIRouter()
    add(router)
    module.__dict__["router"] = router
    return module


async def _nothing() -> None:
    return None


def test_an_app_with_an_undecided_route_does_not_start(scene: Scene) -> None:
    module = made_of(lambda router: router.get("/new")(_nothing))
    with pytest.raises(EngageError, match="route GET /new; got no entry in api"):
        create_app(scene.app.state.rim, modules=(module,))


@pytest.mark.parametrize("kind", ["mount", "websocket"])
def test_an_app_with_something_that_no_table_covers_does_not_start(scene: Scene, kind: str) -> None:
    add = {"mount": lambda made: made.mount("/f", _answers), "websocket": lambda made: made.websocket("/s")(_nothing)}
    with pytest.raises(EngageError, match="a plain HTTP route"):
        create_app(scene.app.state.rim, modules=(made_of(add[kind]),))


def test_a_route_hidden_behind_another_is_refused() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/things/{id}")(_nothing)
    app.get("/things/all")(_nothing)
    rules = {("GET", "/things/{id}"): ACCESS["GET", "/health"], ("GET", "/things/all"): ACCESS["GET", "/metrics"]}
    with pytest.raises(EngageError, match=r"hidden behind /things/\{id\}"):
        Table(app, rules)


def test_a_learner_gets_own_data_alone(scene: Scene) -> None:
    assert scene.ask("GET", "/probe/own", Role.LEARNER, params={"userId": "u-1"}).json() == {"userId": "u-1"}
    for params in ({"userId": "u-2"}, {}, {"userId": "U-1"}, {"userId": "u-1 "}):
        refused = scene.ask("GET", "/probe/own", Role.LEARNER, params=params)
        assert refused.status_code == 403
        assert "u-2" not in refused.text
    for role in (Role.SERVICE, Role.ADMIN):
        assert scene.ask("GET", "/probe/own", role, params={"userId": "u-2"}).status_code == 200


def test_own_speaks_of_a_learner_even_without_an_id() -> None:
    learner = Caller("learner:", Role.LEARNER, frozenset(), None)
    with pytest.raises(Refused):
        own(learner, None)


def test_a_route_that_forgets_to_ask_whose_data_it_gives_answers_no_learner(scene: Scene) -> None:
    answer = scene.ask("GET", "/probe/forgetful", Role.LEARNER)
    assert answer.status_code == 500 and "everybody" not in answer.text
    assert scene.ask("GET", "/probe/forgetful", Role.SERVICE).status_code == 200


def test_unknown_paths_and_methods_are_told_apart(scene: Scene) -> None:
    assert scene.ask("GET", "/nothing").status_code == 404
    assert scene.ask("GET", "/health/").status_code == 404  # no redirect that would lose a body
    refused = scene.ask("DELETE", "/probe/items/1")
    assert refused.status_code == 405 and refused.headers["allow"] == "GET"
    assert scene.ask("GET", "/probe/items/1%2F2").status_code == 404


def test_metrics_are_open_where_the_operator_says_so(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scene.ask("GET", "/metrics", None).status_code == 401
    opened = make_scene(monkeypatch, Settings(public_metrics=True))
    assert opened.ask("GET", "/metrics", None).status_code == 200
    assert "security" not in opened.app.openapi()["paths"]["/metrics"]["get"]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "bearer x", "Bearer engage_", "Bearer a b", "Token x", "Bearer \xff"],
)
def test_what_is_no_valid_credential_is_refused_and_told_how(scene: Scene, header: str) -> None:
    answer = scene.ask("GET", "/probe/shared", None, headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="engage"')
    assert answer.json()["remedy"].startswith("Send the header Authorization: Bearer")


def test_two_credentials_are_none(scene: Scene) -> None:
    bearers = [("Authorization", scene.bearer(role)["Authorization"]) for role in (Role.ADMIN, Role.LEARNER)]

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(scene.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://engage") as client:
            return await client.get("/probe/shared", headers=bearers)

    assert asyncio.run(call()).status_code == 401


def test_the_scheme_is_read_in_any_case(scene: Scene) -> None:
    header = scene.bearer(Role.SERVICE)["Authorization"].replace("Bearer", "bEARER")
    assert scene.ask("GET", "/probe/shared", None, headers={"Authorization": header}).status_code == 200


def test_over_a_socket_nobody_gets_in_without_credentials(scene: Scene) -> None:
    with served(scene) as (host, port), httpx.Client(base_url=f"http://{host}:{port}") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/probe/shared").status_code == 401
        assert client.get("/probe/shared", headers=scene.bearer(Role.LEARNER)).json() == {"who": "learner:u-1"}
        assert client.get("/metrics", headers=scene.bearer(Role.LEARNER)).status_code == 403


def test_what_admins_see_is_on_record_first(scene: Scene) -> None:
    scene.ask("GET", "/probe/own", Role.ADMIN, params={"userId": "u-7"})
    scene.ask("GET", "/probe/own", Role.SERVICE, params={"userId": "u-8"})
    scene.ask("POST", "/probe/things", Role.ADMIN, json={"name": "u-9"})  # sends, sees nothing
    scene.ask("GET", "/probe/items/x", Role.ADMIN)
    scene.ask("GET", "/health", Role.ADMIN)
    told = [(line.role, line.method, line.path, line.status, line.learner, line.at_ms) for line in scene.audit]
    now = scene.clock()
    assert told == [
        ("admin", "GET", "/probe/own", 200, "u-7", now),
        ("admin", "GET", "/probe/items/{item_id}", 422, None, now),
    ]
    assert scene.audit[0].who.startswith("key:")


def test_an_admin_sees_nothing_that_cannot_be_put_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.ports import JournalError

    def full(_lines: object, _oldest_ms: int) -> None:
        raise JournalError("database", "no room left")

    scene = make_scene(monkeypatch, audit=full)
    answer = scene.ask("GET", "/probe/own", Role.ADMIN, params={"userId": "u-7"})
    assert answer.status_code == 503 and "u-7" not in answer.text
    assert scene.ask("GET", "/probe/own", Role.SERVICE, params={"userId": "u-7"}).status_code == 200


def test_settings_refuse_what_makes_no_sense() -> None:
    from engine.errors import InputError

    for wrong in ({"port": 70_000}, {"body_timeout_s": 0}, {"allowed_origins": ("*",)}, {"max_body_bytes": 1}):
        with pytest.raises(InputError):
            replace(Settings(), **wrong)
