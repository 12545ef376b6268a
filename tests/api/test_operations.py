"""What operators ask, and the documentation that the rim completes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from actors.storage import trouble
from api.access import Role
from api.problems import KINDS
from api.routes.operations import VERSION
from api.routes.reference import example
from tests.api.rim import SOON_S, Scene, make_scene, rule_of, served
from tests.api.site import open_site


def test_it_says_that_it_lives_and_what_it_is(scene: Scene) -> None:
    assert scene.ask("GET", "/health", None).json() == {"status": "ok"}
    assert scene.ask("GET", "/version", None).json() == {"name": "engagement-engine", "version": VERSION}


def test_it_says_that_it_is_not_ready_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reasons: list[str] = ["no connection to db-7"]
    scene = make_scene(monkeypatch, ready=lambda: reasons)
    answer = scene.ask("GET", "/ready", None)
    assert answer.status_code == 503 and answer.json()["got"] == "not ready"
    assert "db-7" in caplog.text and "db-7" not in answer.text
    assert answer.headers["retry-after"] and scene.ask("GET", "/health", None).status_code == 200
    reasons.clear()
    assert scene.ask("GET", "/ready", None).status_code == 200


def test_it_is_not_ready_while_a_journal_cannot_be_written(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.service.troubled = True
    answer = scene.ask("GET", "/ready", None)
    assert answer.status_code == 503 and answer.headers["retry-after"] and answer.json()["got"] == "not ready"
    assert "cannot be written" in caplog.text and "cannot be written" not in answer.text
    scene.service.troubled = False
    assert scene.ask("GET", "/ready", None).status_code == 200


def test_it_is_not_ready_while_another_holds_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "RETRY_S", 0.1)
    event = {"userId": "ann", "action": "note"}
    with open_site(tmp_path) as site, closing(sqlite3.connect(tmp_path / "engage.db", timeout=SOON_S)) as other:
        site.track()
        assert site.http.get("/ready").status_code == 200
        other.execute("BEGIN IMMEDIATE")
        assert site.ask("POST", "/track", json=event).status_code == 503
        refused = site.http.get("/ready")
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert refused.json()["title"] == KINDS[503].title
        assert site.http.get("/health").status_code == 200
        other.rollback()
        assert site.ask("POST", "/track", json=event).status_code == 200
        assert site.http.get("/ready").status_code == 200


def test_metrics_count_by_route_and_never_by_person(scene: Scene) -> None:
    for number in range(3):
        scene.ask("GET", f"/probe/items/{number}")
    scene.ask("GET", "/probe/own", Role.LEARNER, params={"userId": "u-1"})
    for path in ("/wp-admin.php", "/probe/nothing/u-17"):
        scene.ask("GET", path)
    scene.ask("PROPFIND", "/health")
    text = scene.ask("GET", "/metrics").text
    assert 'engage_http_answers_total{method="GET",route="/probe/items/{item_id}",status="200"} 3.0' in text
    assert 'engage_http_seconds_count{method="GET",route="/probe/own"} 1.0' in text
    assert 'engage_http_answers_total{method="other",route="none",status="404"} 2.0' in text
    assert "u-1" not in text and "wp-admin" not in text and "PROPFIND" not in text


def test_metrics_over_a_socket(scene: Scene) -> None:
    headers = scene.bearer(Role.SERVICE)
    with served(scene) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", headers=headers) as client:
        assert client.get("/ready").json() == {"status": "ok"}
        assert 'route="/ready",status="200"' in client.get("/metrics").text


def test_the_document_tells_roles_and_refusals_of_every_route(scene: Scene) -> None:
    document = scene.ask("GET", "/openapi.json", None).json()
    assert document["components"]["securitySchemes"].keys() == {"apiKey", "learnerToken"}
    assert "HTTPValidationError" not in json.dumps(document)
    for template, operations in document["paths"].items():
        for method, operation in operations.items():
            rule = rule_of(method.upper(), template)
            needs = [name for scheme in operation.get("security", []) for name in scheme]
            expected = ["apiKey", "learnerToken"] if Role.LEARNER in rule.roles else ["apiKey"]
            assert needs == (expected if rule.roles else [])
            assert ("401" in operation["responses"]) == bool(rule.roles)
            if "requestBody" in operation:
                assert {"400", "408", "413", "415", "422"} <= operation["responses"].keys()
            for status, told in operation["responses"].items():
                if int(status) >= 400:
                    schema = told["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}
            assert "**Who**: " in operation["description"]
    referred = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert referred <= document["components"]["schemas"].keys()


def test_the_page_shows_every_route(scene: Scene) -> None:
    page = scene.ask("GET", "/docs", None).text
    for template in scene.app.openapi()["paths"]:
        assert f"<code>{template}</code>" in page
    assert "{{" not in page and "Undefined" not in page


def test_examples_are_made_of_any_schema() -> None:
    own = {"type": "object", "properties": {"me": {"$ref": "#/components/schemas/Own"}, "n": {"type": "integer"}}}
    assert json.dumps(example({"$ref": "#/components/schemas/Own"}, {"Own": own})).count("me") == 6  # and it ends
    many = {"type": "array", "items": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}}
    assert example(many, {}) == ["2026-11-22T18:30:00Z"]
    assert example({"enum": ["a", "b"]}, {}) == "a" and example({"const": 1}, {}) == 1
    assert example({"type": "boolean", "default": False}, {}) is False
    assert example({}, {}) is None and example({"type": "array"}, {}) == []
