"""Requests: their JSON, their batches, the ids of their statements, and what is hostile in them."""

from __future__ import annotations

import contextlib
import json
import pickle
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.xapi.errors import MediaTypeError, XapiError
from api.xapi.mapping import Mapped, Skipped, load
from api.xapi.reading import parse, read_statements
from api.xapi.versions import V1
from engine import rules
from tests.api.xapi.samples import ADL, MOODLE_SUBMITTED, REAL, simplest

MAPPING = load(rules.load())
DEEP = 100_000


def read(payload: Any, **named: Any) -> list[Mapped | Skipped]:
    return read_statements(payload, V1, MAPPING, **named)


def test_a_batch_is_answered_in_order() -> None:
    batch = list(REAL.values())
    made = read(parse(json.dumps(batch).encode(), "application/json; charset=utf-8"))
    assert len(made) == len(batch)
    for statement, answer in zip(batch, made, strict=True):
        if "id" in statement:
            assert answer.statement_id == statement["id"]
    assert read([]) == []


def test_one_wrong_statement_refuses_the_batch_and_is_named() -> None:
    batch = [simplest(id=str(uuid.UUID(int=k))) for k in range(5)]
    batch[3]["verb"] = {"id": "completed"}
    with pytest.raises(XapiError, match=r"^statement 3: verb\.id; got 'completed'; expected an IRI"):
        read(batch)


def test_an_unknown_verb_is_skipped_and_the_batch_goes_on() -> None:
    made = read([simplest(), simplest(id=str(uuid.UUID(int=1)), verb={"id": "urn:x:unknown"})])
    assert [type(each) for each in made] == [Mapped, Skipped]


def test_two_statements_of_one_id_are_refused() -> None:
    with pytest.raises(XapiError, match="two statements with the id 12345678-1234-5678-1234-567812345678"):
        read([simplest(), simplest(verb={"id": f"{ADL}failed"})])


def test_ids_are_compared_whatever_their_case() -> None:
    upper = simplest(id="ABCDEF00-1234-5678-1234-567812345678")
    assert read(upper)[0].statement_id == upper["id"].lower()
    with pytest.raises(XapiError, match="two statements"):
        read([upper, simplest(id=upper["id"].lower())])


def test_a_statement_without_id_is_the_same_when_it_is_sent_again() -> None:
    first, again = read(MOODLE_SUBMITTED), read(dict(reversed(MOODLE_SUBMITTED.items())))
    assert first == again
    assert uuid.UUID(first[0].statement_id)
    assert read({**MOODLE_SUBMITTED, "timestamp": "2026-03-03T19:05:00+02:00"})[0].statement_id != first[0].statement_id


def test_a_statement_without_id_and_timestamp_is_a_new_one_each_time() -> None:
    ids = iter([uuid.UUID(int=1), uuid.UUID(int=2)])
    bare = simplest(id=None, timestamp=None)
    made = [read(bare, new_id=lambda: next(ids))[0].statement_id for _ in range(2)]
    assert made == [str(uuid.UUID(int=1)), str(uuid.UUID(int=2))]


def test_put_gives_one_statement_its_id() -> None:
    wanted = "ABCDEF00-1234-5678-1234-567812345678"
    assert read(simplest(id=None), statement_id=wanted)[0].statement_id == wanted.lower()
    assert read(simplest(id=wanted.lower()), statement_id=wanted)[0].statement_id == wanted.lower()
    for payload, named in ((simplest(), wanted), ([simplest(id=None)], wanted), (simplest(id=None), "17")):
        with pytest.raises(XapiError):
            read(payload, statement_id=named)


@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=abc", "Multipart/Form-Data", "multipart/mixed"])
def test_attachments_are_refused_with_what_to_do(kind: str) -> None:
    with pytest.raises(MediaTypeError, match="fileUrl") as refused:
        parse(b"--abc", kind)
    assert refused.value.status == 415


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_other_content_is_refused(kind: str | None) -> None:
    with pytest.raises(MediaTypeError, match="application/json"):
        parse(b"{}", kind)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nothing", b"{'a': 1}", b"\xff\xfe{}", b'"\xed\xa0\x80"', b"{}{}", b"NaN", b"[Infinity]",
        b"-Infinity", b'{"a": 1, "a": 2}', b'[{"a": {"b": 1, "c": 2, "b": 1}}]',
        b"[" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"1" * 5_000,
    ],
    ids=range(15),
)  # fmt: skip
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(XapiError) as refused:
        parse(body, "application/json")
    assert refused.value.status == 400
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "payload", [None, 17, "statement", True, [None], [[simplest()]], ["{}"], {}, [{}]], ids=range(9)
)
def test_what_is_no_statement_is_refused(payload: Any) -> None:
    with pytest.raises(XapiError):
        read(payload)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"http://example.com/deeper": value}
    return value


@pytest.mark.parametrize("levels", [5, 500, DEEP])
@pytest.mark.parametrize("place", ["context", "object", "result", "id"])
def test_depth_is_refused_or_borne(levels: int, place: str) -> None:
    extended = {"extensions": deep(levels)} if place != "id" else deep(levels)
    for own_id in (None, "12345678-1234-5678-1234-567812345678"):
        with contextlib.suppress(XapiError):
            assert len(read(simplest(**{"id": own_id, place: extended}))) == 1


@pytest.mark.parametrize(
    "name",
    ["'; DROP TABLE events; --", "{{7*7}}", "${jndi:ldap://x}", "<script>alert(1)</script>", "../../etc/passwd",
     "\u202egnp", "a" * 128, "%s%n"],
    ids=range(8),
)  # fmt: skip
def test_texts_stay_texts(name: str) -> None:
    (made,) = read(simplest(actor={"account": {"homePage": "https://lms.example.org", "name": name}}))
    assert isinstance(made, Mapped)
    assert made.event["userId"] == name


@pytest.mark.parametrize("name", ["", " ", "\t", "a\x00b", "a\nb", "\ud800", "a\udfff", "\x7f"], ids=range(8))
def test_names_that_cannot_be_stored_are_refused(name: str) -> None:
    with pytest.raises(XapiError, match=r"account\.name"):
        read(simplest(actor={"account": {"homePage": "https://lms.example.org", "name": name}}))


def test_what_the_intake_could_not_take_is_skipped_or_left_out() -> None:
    def only(**over: Any) -> Mapped | Skipped:
        return read(simplest(**over))[0]

    long = only(actor={"account": {"homePage": "https://lms.example.org", "name": "a" * 129}})
    assert isinstance(long, Skipped)
    assert long.reason.startswith("userId: ")
    old = only(timestamp="1969-12-31T23:59:59Z")
    assert isinstance(old, Skipped)
    assert old.reason.startswith("occurredAt: ")
    course = only(context={"contextActivities": {"grouping": [{"id": f"urn:x:{'a' * 500}"}]}})
    assert isinstance(course, Mapped)
    assert "courseId" not in course.event


def test_errors_cross_processes_whole() -> None:
    with pytest.raises(XapiError) as refused:
        read({})
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301  # our own bytes
    assert (str(again), type(again)) == (str(refused.value), XapiError)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: json.dumps(text).encode()))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    try:
        payload = parse(body, "application/json")
    except XapiError:
        return
    with pytest.raises(XapiError):
        read(payload if payload != [] else [[]])


@given(st.permutations(list(REAL.values())))
def test_a_statement_means_the_same_wherever_it_stands(batch: list[Any]) -> None:
    timed = [statement for statement in batch if "timestamp" in statement]
    assert read(timed) == [made for statement in timed for made in read(statement)]
