"""What a refusal looks like on the wire: RFC 9457, one shape for every status, and its OpenAPI entry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from engine.errors import EngageError

MEDIA_TYPE = "application/problem+json"
SCHEMA = "#/components/schemas/Problem"
MOST_ITEMS = 20
"""Of the wrong fields of a request, so many are told: 10,000 bad ones are not answered with 10,000 reasons."""

_LONGEST = 200  # characters of a client's own text that are shown back
_TYPE = "urn:problem-type:engage:"


class Kind(NamedTuple):
    """What a status means here.

    Args:
        slug: end of the problem's `type`, stable, for programs.
        title: the same for people.
        about: when it is given, for the OpenAPI document.
    """

    slug: str
    title: str
    about: str


KINDS = {
    400: Kind("malformed", "The request cannot be read", "Broken JSON, UTF-8, gzip or headers."),
    401: Kind("unknown-caller", "Who is asking is not known", "No credentials, or none that are valid."),
    403: Kind("not-allowed", "This is not allowed", "The caller's role or scopes do not cover this, or these data."),
    404: Kind("not-found", "There is no such thing", "No such route, or nothing known under this name."),
    405: Kind("wrong-method", "The path knows other methods", "See the header Allow."),
    406: Kind("not-acceptable", "The answer cannot be given in that form", "See the header Accept."),
    408: Kind("too-slow", "The request took too long to arrive", "Its body had not come in time."),
    409: Kind("conflict", "This contradicts what is already there", "It cannot be done as things stand."),
    413: Kind("too-large", "The body is too large", "As sent or as unpacked; the limit is named."),
    415: Kind("wrong-encoding", "The body cannot be understood", "Its Content-Type or Content-Encoding is not known."),
    422: Kind(
        "invalid", "The request does not say what is needed", "Each wrong field is named, and what was expected."
    ),
    429: Kind("too-many", "Too many requests", "Try again after the seconds in Retry-After."),
    431: Kind("large-headers", "The headers are too large", "The limit is named."),
    500: Kind("failed", "Something went wrong here", "An error of ours; requestId finds it in the log."),
    503: Kind("unavailable", "This cannot be done at present", "Try again after the seconds in Retry-After."),
}
RETRY_AFTER = {408, 429, 503}
"""Statuses of which the same request may succeed later."""

RETRY_S = 1
"""What Retry-After says where nothing better is known."""


class Item(BaseModel):
    """One thing that is wrong."""

    item: str = Field(description="What is wrong: a field, a header, a learner.", examples=["body.timestamp"])
    got: str | None = Field(None, description="What was found there, shortened.", examples=['"yesterday"'])
    expected: str | None = Field(None, description="What would have been right.", examples=["an instant (RFC 3339)"])
    remedy: str | None = Field(None, description="What to do about it.")


class Problem(Item):
    """A refusal (RFC 9457, `application/problem+json`)."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="What kind of problem it is, stable.", examples=[_TYPE + KINDS[422].slug])
    title: str = Field(description="The same for people.", examples=[KINDS[422].title])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="The whole story in a sentence.")
    requestId: str | None = Field(None, description="Finds the request in the service's log.")  # noqa: N815  # the wire's
    errors: list[Item] | None = Field(None, description="Where several things are wrong: each, the first ones of many.")


class Refused(HTTPException):
    """A refusal that a route or a middleware raises; engine and actors know no HTTP and raise `EngageError` instead.

    Args:
        status: HTTP status, one of `KINDS`.
        what: the item that is wrong, named as the client knows it.
        got: what was found there.
        expected: what would have been right.
        remedy: what to do about it.
        headers: to send along.
    """

    def __init__(
        self,
        status: int,
        what: str,
        got: str = "",
        expected: str = "",
        remedy: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.error = EngageError(cut(what), cut(got), cut(expected), cut(remedy))
        super().__init__(status, str(self.error), dict(headers) if headers else None)


def cut(text: str) -> str:
    """Return a text that fits an answer: a client's own input is never sent back at length."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def shown(value: object) -> str:
    """Return a value of a request as it is shown back: as JSON writes it, and short whatever it is.

    >>> shown("x" * 10_000)[:4], shown(None), shown([1, 2]), shown({"a": 1}), shown(1.5)
    ('"xxx', 'null', 'a list of 2', 'an object', '1.5')
    """
    if isinstance(value, str):
        return json.dumps(value if len(value) <= _LONGEST else value[:_LONGEST] + "...")
    if value is None or isinstance(value, bool | float):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "a number of more than 64 bits"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return "an object"


def item(error: EngageError) -> dict[str, str]:
    """Return an error's parts as the wire names them, without those that say nothing."""
    parts = {"item": error.what, "got": error.got, "expected": error.expected, "remedy": error.remedy}
    return {name: cut(text) for name, text in parts.items() if text}


def answer(
    status: int,
    error: EngageError,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """Return a refusal as a response.

    Args:
        status: HTTP status.
        error: what is wrong.
        request_id: of the request, None = it has none.
        headers: to send along.
        errors: all that is wrong, where that is more than one thing.
    """
    kind = KINDS.get(status) or KINDS[400 if status < 500 else 500]
    content: dict[str, Any] = {
        "type": _TYPE + kind.slug,
        "title": kind.title,
        "status": status,
        "detail": str(EngageError(*map(cut, error.args))),
        **item(error),
    }
    if request_id is not None:
        content["requestId"] = request_id
    if errors:
        content["errors"] = errors
    sent = dict(headers) if headers else {}
    if status in RETRY_AFTER:
        sent.setdefault("Retry-After", str(RETRY_S))
    # ASCII alone: half a surrogate pair, which JSON can say and UTF-8 cannot, must not make the answer fail.
    return Response(json.dumps(content), status, sent, MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the entries of the OpenAPI document for these refusals: ``responses=problems.responses(404, 409)``.

    What the rim itself may answer (401, 403, 413, 422, 429 ...) is added to every route by `api.openapi`.
    """
    return {status: _documented(status) for status in sorted(statuses)}


def _documented(status: int) -> dict[str, Any]:
    kind = KINDS[status]
    entry: dict[str, Any] = {
        "description": f"{kind.title}. {kind.about}",
        "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMA}}},
    }
    if status in RETRY_AFTER:
        entry["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return entry
