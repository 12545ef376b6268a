"""Refusals: one shape, whatever went wrong, and nothing in it that is nobody's business."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest

from api import problems, refusals
from api.access import Role
from api.problems import KINDS, MEDIA_TYPE, MOST_ITEMS, Problem, Refused, shown
from engine.errors import EngageError, InputError
from tests.api.rim import ERRORS, Scene, served

SECRETS = ("swordfish", "db-7", "ann@", "Traceback", "ZeroDivision", "rim.py", "epoch 7")


def checked(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return a refusal after making sure that it is a proper one."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert len(answer.content) < 2_000 + 1_000 * MOST_ITEMS
    told: dict[str, Any] = answer.json()
    Problem.model_validate(told)
    assert told["status"] == status
    assert told["type"] == f"urn:problem-type:engage:{KINDS[status].slug}"
    assert told["requestId"] == answer.headers["x-request-id"]
    return told


@pytest.mark.parametrize(
    ("how", "status", "item"),
    [
        ("input", 422, "action"),
        ("engine", 500, "this request"),
        ("journal", 503, "the service"),
        ("fenced", 503, "the service"),
        ("python", 500, "this request"),
    ],
)
def test_errors_of_the_engine_become_refusals(
    scene: Scene, how: str, status: int, item: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = scene.ask("GET", f"/probe/fails/{how}")
    told = checked(answer, status)
    assert told["item"] == item
    assert not [word for word in SECRETS if word in answer.text]
    assert ("retry-after" in answer.headers) == (status == 503)
    # An event without an id of the sender's would be another one: "safe to send again" is true of ids alone.
    assert ("under the same ids" in told["remedy"]) == (status >= 500)
    if status >= 500:  # the operator reads all of it, under the id that the client was given
        assert told["requestId"] in caplog.text and str(ERRORS[how]) in caplog.text
        assert ("Traceback" in caplog.text) == (status == 500)


def test_an_input_error_says_all_that_it_knows(scene: Scene) -> None:
    told = checked(scene.ask("GET", "/probe/fails/input"), 422)
    del told["requestId"]
    assert told == {
        "type": "urn:problem-type:engage:invalid",
        "title": "The request does not say what is needed",
        "status": 422,
        "detail": "action; got 'leson'; expected an action of the rules. Did you mean 'lesson'?",
        "item": "action",
        "got": "'leson'",
        "expected": "an action of the rules",
        "remedy": "Did you mean 'lesson'?",
    }


@pytest.mark.parametrize(
    ("body", "item", "got", "expected"),
    [
        ({}, "body.name", "nothing", "a value"),
        ({"name": 5}, "body.name", "5", "a valid string"),
        ({"name": "x", "size": "big"}, "body.size", '"big"', "a valid number, unable to parse string as a number"),
        ({"name": {"a": 1}}, "body.name", "an object", "a valid string"),
        ({"name": [1, 2]}, "body.name", "a list of 2", "a valid string"),
        ({"name": None}, "body.name", "null", "a valid string"),
        ([1], "body", "a list of 1", "a valid dictionary or object to extract fields from"),
    ],
)
def test_a_wrong_field_is_named(scene: Scene, body: Any, item: str, got: str, expected: str) -> None:
    told = checked(scene.ask("POST", "/probe/things", json=body), 422)
    assert (told["item"], told["got"], told["expected"]) == (item, got, expected)
    assert told["errors"][0] == {"item": item, "got": got, "expected": expected}


def test_a_wrong_parameter_is_named(scene: Scene) -> None:
    told = checked(scene.ask("GET", "/probe/items/x"), 422)
    assert told["item"] == "path.item_id" and told["got"] == '"x"'


def test_a_body_without_a_type_is_told_which(scene: Scene) -> None:
    told = checked(scene.ask("POST", "/probe/things", content=b'{"name":"u-1"}'), 422)
    assert told["item"] == "header Content-Type" and told["expected"] == "application/json"


def test_a_missing_body_is_named(scene: Scene) -> None:
    assert checked(scene.ask("POST", "/probe/things"), 422)["item"] == "body"


def test_a_clients_input_is_never_sent_back_at_length(scene: Scene) -> None:
    for name in (["x"] * 50_000, {"k" * 100_000: 1}, 10**4_000):
        told = checked(scene.ask("POST", "/probe/things", json={"name": name}), 422)
        assert len(told["got"]) < 250
    told = checked(scene.ask("POST", "/probe/things", json={"name": "u", "size": "x" * 100_000}), 422)
    assert len(told["got"]) < 250
    told = checked(scene.ask("GET", "/probe/items/" + "x" * 5_000), 422)
    assert len(told["got"]) < 250


def test_half_characters_do_not_break_a_refusal() -> None:
    answer = problems.answer(422, InputError("name", shown("\ud800"), "text \ud800"))
    assert json.loads(answer.body)["item"] == "name"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        (2**64, "a number of more than 64 bits"),
        (b"abc", "3 bytes"),
        ((1, 2), "a list of 2"),
        ({}, "an object"),
        ("a\nb", '"a\\nb"'),
    ],
    ids=str,
)
def test_values_are_shown_as_json_says_them(value: object, text: str) -> None:
    assert shown(value) == text


def test_what_fastapi_raises_itself_has_the_same_shape() -> None:
    from fastapi import HTTPException

    for error, status, item in (
        (HTTPException(418, "tea"), 418, "tea"),
        (HTTPException(400, "There was an error parsing the body"), 400, "the body is no JSON that can be read"),
    ):
        answer = refusals.refuse(error, "r-1")
        told = json.loads(answer.body)
        assert (answer.status_code, told["status"], told["item"]) == (status, status, item)


def test_a_field_of_a_list_is_named_by_its_place() -> None:
    error = {"type": "x", "loc": ("body", "events", 3, "userId"), "msg": "Input should be fine", "input": 1}
    assert refusals.wrong_field(error).what == "body.events[3].userId"
    assert refusals.wrong_field({**error, "loc": ()}).what == "the body"
    assert refusals.wrong_field({**error, "type": "extra_forbidden"}).expected == "none of that name"


def test_only_the_first_of_many_wrong_fields_are_told(scene: Scene) -> None:
    from fastapi.exceptions import RequestValidationError

    wrong = [{"type": "missing", "loc": ("body", k), "msg": "Field required", "input": {}} for k in range(10_000)]
    told = json.loads(refusals.refuse(RequestValidationError(wrong), "r-1").body)
    assert len(told["errors"]) == MOST_ITEMS


def test_a_new_kind_of_error_gets_the_status_of_what_it_derives_from(monkeypatch: pytest.MonkeyPatch) -> None:
    class BusyError(EngageError):
        pass

    class BusierError(BusyError):
        pass

    assert refusals.status_of(BusierError("queue")) == 500
    monkeypatch.setitem(refusals.STATUSES, BusyError, 429)
    assert refusals.status_of(BusierError("queue")) == 429
    assert refusals.refuse(BusierError("queue"), "r").headers["retry-after"] == "1"


def test_a_refusal_carries_its_headers() -> None:
    error = Refused(429, "x", headers={"Retry-After": "7"})
    assert refusals.refuse(error, None).headers["retry-after"] == "7"


def test_refusals_over_a_socket(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    headers = scene.bearer(Role.SERVICE)
    with served(scene) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", headers=headers) as client:
        checked(client.get("/nothing"), 404)
        checked(client.put("/health"), 405)
        checked(client.get("/probe/fails/python"), 500)
        checked(client.get("/probe/fails/journal"), 503)
        checked(client.post("/probe/things", json={}), 422)
        assert client.get("/health").status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR and record.exc_info]
