"""The OpenAPI document: it is whole, and the service keeps to it, whatever is sent and whoever asks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from prometheus_client import CollectorRegistry
from schemathesis import Case, SerializationContext

from actors.delivery.inbox import InboxMessage
from actors.delivery.outbox import Item
from api import streams
from api.access import Role
from api.app import create_app
from api.clock import wall_clock
from api.delivery_settings import DeliverySettings, GatewaySettings
from api.problems import KINDS, MEDIA_TYPE, SCHEMA
from api.rim import Rim
from api.settings import Rate, Settings
from api.signatures import sign
from api.tokens import Tokens
from tests.api.rim import SECRET, MemoryKeys
from tests.api.site import SOON_S, Site, open_site
from tests.receivers import SECRET as GATEWAY_SECRET

NOW = "2026-11-22T19:00"  # the document's examples are of that evening
DRAWN = 8  # for each operation and role, beside each value, type and bound of the schema in turn
UNBOUNDED = Settings(learner_rate=Rate(1e6, 10**6), service_rate=Rate(1e6, 10**6), stranger_rate=Rate(1e6, 10**6))
REFUSALS = [400, 401, 403, 404, 405, 413, 415, 422]
PUSH = GatewaySettings(url="http://127.0.0.1:9/", secret=GATEWAY_SECRET)  # nobody is there
PATHS = "/api/engagement/learners/{userId}"


def the_document() -> dict[str, Any]:
    """Return the document of the app with all its routes; nothing stands behind them."""
    tokens = Tokens([SECRET], wall_clock)
    return create_app(Rim(Settings(), MemoryKeys(), tokens, print, list, registry=CollectorRegistry())).openapi()


DOCUMENT = the_document()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
each_operation = pytest.mark.parametrize("name", OPERATIONS)
_CHECKED = {
    "checks": {
        # What a schema allows may be refused all the same: an unknown action, an instant of last year.
        "positive_data_acceptance": {"enabled": False},
        "negative_data_rejection": {"expected-statuses": REFUSALS},
    },
    "generation": {"allow-extra-parameters": False, "with-security-parameters": False},
    "operations": [
        {
            "include-path": "/api/engagement/events",  # refuses items, not the batch
            "checks": {"negative_data_rejection": {"enabled": False}},
        },
        {
            "include-path": [
                f"{PATHS}/{part}" for part in ("profile", "export", "inbox")
            ],  # DELETE is for a learner of that very name
            "checks": {"allow_header_conformance": {"enabled": False}},
        },
    ],
}
CHECKED = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict(_CHECKED))


@schemathesis.serializer("application/x-ndjson")
def lines(_context: SerializationContext, value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service of which there is something to tell; its streams end at once, and nobody asks too often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "LONGEST_S", -1.0)
        with open_site(tmp_path_factory.mktemp("site"), "2026-11-08T12:00", settings=UNBOUNDED) as opened:
            opened.profile("u-17", displayName="Ada")
            opened.days(14, "u-17", "u-18")
            opened.advance(hours=7)
            until = time.monotonic() + SOON_S
            while not opened.get("/reports/weekly", Role.ADMIN)["reports"]:
                assert time.monotonic() < until
                time.sleep(0.05)
            yield opened


@pytest.mark.parametrize("role", Role)
@CHECKED.parametrize()
@settings(max_examples=DRAWN, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_sent_is_answered_as_the_document_says(case: Case, site: Site, role: Role) -> None:
    base, who = str(site.http.base_url), site.bearer(role, "u-17")
    case.call_and_validate(base, headers=who, timeout=SOON_S)


def test_nothing_of_it_has_stopped_the_service(site: Site) -> None:
    assert site.http.get("/ready").status_code == 200
    assert site.track("u-18")["status"] == "accepted"


@each_operation
def test_every_operation_is_told_in_words(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"] and operation["tags"] and operation["operationId"]
    assert len(operation["description"].split("**Who**")[0]) > 20
    for parameter in operation.get("parameters", []):
        assert parameter.get("description"), parameter["name"]


@each_operation
def test_every_refusal_is_one_of_ours(name: str) -> None:
    told = OPERATIONS[name]["responses"]
    refusals = {int(status) for status in told if status >= "4"}
    assert len(told) - len(refusals) == 1 and refusals <= set(KINDS)
    for status in refusals:
        assert told[str(status)]["content"] == {MEDIA_TYPE: {"schema": {"$ref": SCHEMA}}}
        assert told[str(status)]["description"].startswith(KINDS[status].title)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["schemas"][name] if name else schema


def bodies() -> Iterator[tuple[str, str, Any]]:
    for name, operation in OPERATIONS.items():
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            own = [content["example"]] if "example" in content else resolved(content["schema"]).get("examples", [None])
            yield from ((name, media_type, example) for example in own)


def send(site: Site, send_id: str) -> None:
    """Let a send have come by every way of which examples speak."""
    delivery, now_ms = site.context.delivery, site.clock()
    delivery.inbox.put(
        InboxMessage(f"{send_id}/in_app", "u-17", "gentle_reminder", "t", "t", "ltr", "en", None, now_ms)
    )
    delivery.tasks.add(
        send_id.replace("gentle_reminder", "human_outreach") + "/operator", "u-17", "t", "t", "t", now_ms
    )
    delivery.outbox.put([Item(f"{send_id}/push", "push", "u-17", due_ms=now_ms + 1, expires_ms=now_ms + 2)], now_ms)


@pytest.mark.parametrize(("name", "media_type", "example"), list(bodies()))
def test_examples_of_bodies_work_as_they_stand(
    name: str, media_type: str, example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert example is not None
    method, path = name.split()
    with open_site(tmp_path, NOW, delivery=DeliverySettings(push=PUSH)) as fresh:
        for learner in ("u-17", "u-18"):
            fresh.track(learner)
        send(fresh, "u-17/gentle_reminder/20414")
        sent = {"content": example} if isinstance(example, str) else {"json": example}
        url = httpx.URL(path.replace("{userId}", "u-17"))
        if path == "/xapi/statements" and method == "PUT":
            url = url.copy_set_param("statementId", "7b6f1b0e-5d0c-4f3a-8f5c-0d9c6c1d7e11")
        headers = {"Content-Type": media_type, "X-Experience-API-Version": "1.0.3"} | fresh.bearer(Role.SERVICE)
        if path.endswith("/deliveries"):
            sent = {"content": json.dumps(example)}
            headers |= sign(PUSH.secret.encode(), "report", fresh.clock() // 1_000, sent["content"].encode())
        answer = fresh.http.request(method, url, headers=headers, **sent)
        assert answer.status_code in (200, 204), answer.text
        assert '"refused":1' not in answer.text


def test_every_field_of_a_body_has_a_name_in_camel_case_or_of_an_other_specification() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            assert "_" not in field, f"{name}.{field}"
