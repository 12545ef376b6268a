"""Statements are taken as the specification has them; whatever it makes mandatory is refused when it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.xapi.errors import XapiError
from api.xapi.mapping import load
from api.xapi.reading import read_statements
from api.xapi.versions import V1, V2, VERSIONS
from engine import rules
from tests.api.xapi.samples import ADL, LONG, PLANNED, REAL, TYPE, V2_ASSESSED, VOIDING, Json, changed, simplest

MAPPING = load(rules.load())

ACTIVITY = {"objectType": "Activity", "id": "http://example.com/a"}
AGENT = {"mbox": "mailto:a@example.com"}
GROUP = {"objectType": "Group", "member": [AGENT]}
REFERENCE = {"objectType": "StatementRef", "id": "e05aa883-acaf-40ad-bf54-02c8ce485fb0"}
ATTACHMENT = LONG["attachments"][0]


def read(statement: Any, version: str = V1) -> Any:
    return read_statements(statement, version, MAPPING)


def properties(part: Json, above: str = "") -> Iterator[str]:
    """Return the path of every property at any depth, those of extensions apart."""
    for name, value in part.items():
        if "/" not in name:
            yield above + name
            if isinstance(value, dict):
                yield from properties(value, f"{above}{name}.")


PATHS = list(properties(LONG))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", REAL)
def test_statements_of_real_tools_are_taken(name: str, version: str) -> None:
    assert len(read(REAL[name], version)) == 1


def test_context_agents_are_taken_in_2_and_refused_in_1() -> None:
    read(V2_ASSESSED, V2)
    with pytest.raises(XapiError, match=r"context\.contextAgents"):
        read({**V2_ASSESSED, "version": "1.0.0"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("actor", {"name": "nobody"}),
        ("actor", {**AGENT, "openid": "http://ana.example.org"}),
        ("actor", {"mbox": "ana@example.com"}),
        ("actor", {"mbox": "mailto:ana"}),
        ("actor", {"mbox": "mailto:a@b@example.com"}),
        ("actor", {"mbox_sha1sum": "ebd31e95"}),
        ("actor", {"mboxSha1sum": "ebd31e95054c018b10727ccffd2ef2ec3a016ee9"}),
        ("actor", {"openid": "ana"}),
        ("actor", {"account": {"name": "ana"}}),
        ("actor", {"account": {"homePage": "lms.example.org", "name": "ana"}}),
        ("actor", {"account": {"homePage": "https://lms.example.org", "name": " "}}),
        ("actor", {"account": {"homePage": "https://lms.example.org", "name": 17}}),
        ("actor", {"account": {"homepage": "https://lms.example.org", "name": "ana"}}),
        ("actor", {"objectType": "agent", **AGENT}),
        ("actor", {"objectType": ["Agent"], **AGENT}),
        ("actor", {"objectType": "Group"}),
        ("actor", {"objectType": "Group", "member": []}),
        ("actor", {"objectType": "Group", "member": [GROUP]}),
        ("actor", {**AGENT, "member": [AGENT]}),
        ("actor", "mailto:ana@example.com"),
        ("verb", {"id": "completed"}),
        ("verb", {"id": ""}),
        ("verb", {"display": {"en": "completed"}}),
        ("verb", {"id": f"{ADL}completed", "display": "completed"}),
        ("verb", {"id": f"{ADL}completed", "display": {"not a tag": "completed"}}),
        ("verb", {"id": f"{ADL}completed", "display": {"en": 1}}),
        ("verb", "completed"),
        ("object", {}),
        ("object", {"id": "unit 1"}),
        ("object", {"objectType": "Thing", "id": "http://example.com/a"}),
        ("object", {"objectType": "Agent", "name": "without an identifier"}),
        ("object", {"objectType": "StatementRef", "id": "17"}),
        ("object", {"objectType": "StatementRef"}),
        ("object", AGENT),
        ("object", {**ACTIVITY, "definition": {"type": "course"}}),
        ("object", {**ACTIVITY, "definition": {"interactionType": "guess"}}),
        ("object", {**ACTIVITY, "definition": {"correctResponsesPattern": ["1"]}}),
        ("object", {**ACTIVITY, "definition": {"interactionType": "choice", "choices": [{"id": "1"}, {"id": "1"}]}}),
        ("object", {**ACTIVITY, "definition": {"extensions": {"no IRI": 1}}}),
        ("object", changed(PLANNED, "object.id", VOIDING["object"]["id"])["object"]),
        ("object", changed(PLANNED, "object.object", PLANNED["object"])["object"]),
        ("object", changed(PLANNED, "object.verb", {"id": "visited"})["object"]),
        ("result", {"score": {"scaled": 1.01}}),
        ("result", {"score": {"scaled": "0.5"}}),
        ("result", {"score": {"scaled": True}}),
        ("result", {"score": {"scaled": float("nan")}}),
        ("result", {"score": {"raw": float("inf")}}),
        ("result", {"score": {"raw": 5, "max": 4}}),
        ("result", {"score": {"raw": -1, "min": 0}}),
        ("result", {"score": {"min": 1, "max": 1}}),
        ("result", {"success": "true"}),
        ("result", {"completion": 1}),
        ("result", {"duration": "P4W1D"}),
        ("result", {"duration": "12:30"}),
        ("result", {"duration": "PT"}),
        ("result", {"duration": "P0003-01-29T04:35:59"}),
        ("result", {"duration": 750}),
        ("result", {"success": None}),
        ("result", {"Success": True}),
        ("context", {"registration": "17"}),
        ("context", {"contextActivities": {"parents": []}}),
        ("context", {"contextActivities": {"parent": "http://example.com/a"}}),
        ("context", {"team": AGENT}),
        ("context", {"statement": {"id": REFERENCE["id"]}}),
        ("context", {"language": "English, mostly"}),
        ("context", {"extensions": {"": 1}}),
        ("id", "17"),
        ("id", "{12345678-1234-5678-1234-567812345678}"),
        ("id", 17.0),
        ("timestamp", "yesterday"),
        ("timestamp", 1_772_474_700),
        ("timestamp", "2026-03-02"),
        ("timestamp", "2026-02-30T12:00:00Z"),
        ("timestamp", "2026-03-02T12:00:00-00:00"),
        ("timestamp", "2026-03-02T12:00:00-0000"),
        ("timestamp", "2026-03-02T12:00:00-00"),
        ("timestamp", "2026-03-02T12:00:00+25:00"),
        ("timestamp", "0001-01-01T00:00:00+01:00"),
        ("timestamp", "\u0662026-03-02T12:00:00Z"),
        ("stored", "yesterday"),
        ("authority", {"name": "nobody"}),
        ("authority", GROUP),
        ("version", "1"),
        ("attachments", [{key: value for key, value in ATTACHMENT.items() if key != "sha2"}]),
        ("attachments", [{key: value for key, value in ATTACHMENT.items() if key != "fileUrl"}]),
        ("attachments", [{**ATTACHMENT, "length": "2048"}]),
        ("attachments", ATTACHMENT),
        ("voided", True),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_breaks_the_specification_is_refused_by_its_name(path: str, value: Any, version: str) -> None:
    with pytest.raises(XapiError) as refused:
        read(changed(simplest(), path, value), version)
    assert refused.value.status == 400
    assert path in f"{refused.value.what} {refused.value.expected}"
    assert refused.value.expected


@pytest.mark.parametrize("name", ["actor", "verb", "object"])
def test_a_statement_says_who_did_what_with_what(name: str) -> None:
    statement = simplest()
    del statement[name]
    with pytest.raises(XapiError, match=f"^{name}; got nothing"):
        read(statement)


@pytest.mark.parametrize(
    "path", [*LONG, "result.duration", "context.platform", "object.definition", "actor.account.name"]
)
def test_nulls_are_refused_everywhere_but_in_extensions(path: str) -> None:
    with pytest.raises(XapiError):
        read(changed(LONG, path, None))


@pytest.mark.parametrize("key", ["revision", "platform"])
@pytest.mark.parametrize("other", [REFERENCE, {"objectType": "Agent", **AGENT}])
def test_revision_and_platform_are_for_activities(key: str, other: Json) -> None:
    with pytest.raises(XapiError, match=r"revision and context\.platform"):
        read(simplest(object=other, context={key: "1"}))


@pytest.mark.parametrize(
    ("timestamp", "instant"),
    [
        ("2026-03-02T18:05:00Z", "2026-03-02T18:05:00.000Z"),
        ("2026-03-02t18:05:00z", "2026-03-02T18:05:00.000Z"),
        ("2026-03-02T18:05:00.123456789+02:00", "2026-03-02T16:05:00.123Z"),
        ("2026-03-02T00:05:00+05:30", "2026-03-01T18:35:00.000Z"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_instants_become_utc(timestamp: str, instant: str, version: str) -> None:
    (made,) = read(simplest(timestamp=timestamp), version)
    assert made.event["occurredAt"] == instant


@pytest.mark.parametrize(
    ("timestamp", "instant"),
    [
        ("2026-03-02T18:05:00", "2026-03-02T18:05:00.000Z"),
        ("2026-03-02T18:05", "2026-03-02T18:05:00.000Z"),
        ("2026-03-02T18:05:00+01", "2026-03-02T17:05:00.000Z"),
        ("2026-03-02T18:05:00+0100", "2026-03-02T17:05:00.000Z"),
        ("2026-03-02T18:05:00,5Z", "2026-03-02T18:05:00.500Z"),
    ],
)
def test_forms_beyond_rfc_3339_are_taken_in_1_and_refused_in_2(timestamp: str, instant: str) -> None:
    (made,) = read(simplest(timestamp=timestamp), V1)
    assert made.event["occurredAt"] == instant
    with pytest.raises(XapiError, match="timestamp of RFC 3339"):
        read(simplest(timestamp=timestamp), V2)


def test_versions_of_statements_have_to_fit_in_1_and_never_hinder_in_2() -> None:
    read(simplest(version="1.0.0"), V1)
    read(simplest(version="1.0.0"), V2)
    read(simplest(version="2.0.0"), V2)
    with pytest.raises(XapiError, match="version"):
        read(simplest(version="2.0.0"), V1)


def test_a_voiding_statement_names_the_voided_one() -> None:
    with pytest.raises(XapiError, match="StatementRef"):
        read(simplest(verb={"id": f"{ADL}voided"}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(PATHS), json_values, st.sampled_from(VERSIONS))
def test_whatever_stands_anywhere_is_taken_or_refused_and_never_breaks(path: str, value: Any, version: str) -> None:
    try:
        (made,) = read(changed(LONG, path, value), version)
    except XapiError:
        return
    assert made.statement_id


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=5) | json_values)
def test_whatever_is_sent_is_taken_or_refused_and_never_breaks(payload: Any) -> None:
    try:
        read(payload)
    except XapiError:
        return
    assert payload == []


@given(st.floats(-1, 1), st.none() | st.sampled_from([f"{TYPE}assessment", f"{TYPE}course"]))
def test_every_score_in_range_is_taken(scaled: float, kind: str | None) -> None:
    thing = {"id": "http://example.com/a"} | ({"definition": {"type": kind}} if kind else {})
    (made,) = read(simplest(object=thing, result={"score": {"scaled": scaled}}))
    assert made.event.get("value", 0.0) == (max(0.0, scaled) if kind == f"{TYPE}assessment" else 0.0)
