"""Reading a request: its JSON, its statements, and the event or the reason that each one makes."""

from __future__ import annotations

import json
import reprlib
import uuid
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from pydantic import ValidationError

from api.xapi.errors import MediaTypeError, XapiError
from api.xapi.mapping import Mapped, Mapping, Skipped
from api.xapi.statements import Statement

_CONTENT = uuid.UUID("5f2f3f4e-7c5e-5d8a-9a43-6b1d3a1f0c11")  # namespace of ids made of a statement's content
_TAGS = {"Activity", "Agent", "Group", "StatementRef", "SubStatement"}  # what Pydantic adds to a place in a union
_EXPECTED = {
    "extra_forbidden": "a property of the specification, letter by letter",
    "union_tag_invalid": f"an objectType of the specification ({', '.join(sorted(_TAGS))})",
    "missing": "this property, which the specification requires",
}
_SHOWN = 80  # characters of a wrong value that an error repeats


def parse(body: bytes, content_type: str | None) -> object:
    """Return the JSON of a request.

    The specification wants UTF-8 and each property at most once; numbers that JSON does not know are refused, too.

    Raises:
        MediaTypeError: not ``application/json``; attachments (``multipart/mixed``) are not kept here.
        XapiError: not JSON, too deep, or a property twice.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        remedy = "Send application/json; an attachment that has a fileUrl may be named in it."
        raise MediaTypeError("Content-Type", kind, "application/json: attachments are not kept here", remedy)
    if kind != "application/json":
        raise MediaTypeError("Content-Type", kind or "nothing", "application/json")
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise XapiError("body", "JSON that is nested too deep", "a statement or an array of statements") from None
    except ValueError as error:  # of json, of UTF-8, and of integers with thousands of digits
        raise XapiError("body", str(error)[:_SHOWN], "JSON in UTF-8") from None


def read_statements(
    payload: object,
    version: str,
    mapping: Mapping,
    *,
    statement_id: str | None = None,
    new_id: Callable[[], uuid.UUID] = uuid.uuid4,
) -> list[Mapped | Skipped]:
    """Return what comes of each statement of a request, in order.

    A statement without an id gets one, as the specification asks: made of its content where it says when it happened,
    so that sent again it is the same; else a new one, because two equal statements may well be two events. An event
    without ``occurredAt`` occurred when it arrived.

    Args:
        payload: what `parse` returned: one statement, or an array.
        version: what `api.xapi.versions.negotiate` returned.
        mapping: from `api.xapi.mapping.load`.
        statement_id: of ``PUT ...?statementId=``: one statement, which has this id or none.
        new_id: chance, for statements without id and timestamp.

    Raises:
        XapiError: a statement is wrong or to be refused; nothing of the batch is to be taken.
    """
    batch = payload if isinstance(payload, list) and statement_id is None else [payload]
    made: list[Mapped | Skipped] = []
    for place, item in enumerate(batch):
        where = f"statement {place}: " if isinstance(payload, list) else ""
        statement = _validated(item, version, where)
        own = _own_id(statement, item, statement_id, where) or str(new_id())
        try:
            made.append(mapping.map(statement, own))
        except XapiError as error:
            raise type(error)(where + error.what, error.got, error.expected, error.remedy) from None
    twice = _twice(each.statement_id for each in made)
    if twice is not None:
        raise XapiError("batch", f"two statements with the id {twice}", "each id once in a batch")
    return made


def _validated(item: object, version: str, where: str) -> Statement:
    if not isinstance(item, dict):
        raise XapiError(f"{where}body", type(item).__name__, "a statement: an object")
    try:
        return Statement.model_validate(item, context={"version": version})
    except RecursionError:
        raise XapiError(f"{where}body", "an object that is nested too deep", "a statement") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part not in _TAGS) or "statement"
        got = reprlib.repr(first["input"]) if first["type"] != "missing" else "nothing"  # short, however deep it is
        expected = _EXPECTED.get(first["type"]) or first["msg"].removeprefix("Value error, ")
        raise XapiError(where + place[:_SHOWN], got, expected) from None


def _own_id(statement: Statement, item: dict[str, Any], wanted: str | None, where: str) -> str | None:
    given = statement.id.lower() if statement.id else None
    if wanted is not None:
        try:
            own = str(uuid.UUID(wanted))
        except ValueError:
            raise XapiError("statementId", repr(wanted[:_SHOWN]), "a UUID") from None
        if given not in (None, own):
            raise XapiError("id", str(given), f"the id of the request's statementId, {own}")
        return own
    if given is not None or statement.timestamp is None:
        return given
    try:
        content = json.dumps(item, sort_keys=True, ensure_ascii=True)
    except (RecursionError, ValueError):
        raise XapiError(f"{where}body", "an object that is nested too deep", "a statement") from None
    return str(uuid.uuid5(_CONTENT, content))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"the property {_twice(name for name, _ in pairs)!r} twice in one object")
    return found


def _twice(names: Iterable[str]) -> str | None:
    """Return the first name that stands there a second time."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
