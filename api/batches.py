"""Batches of events as clients send them: a JSON array, an envelope around one, or a line for each (NDJSON)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import FailFast, Field, TypeAdapter, ValidationError

from api import refusals
from api.bodies import read_json
from api.events import EventBody
from api.problems import Refused, item
from engine.errors import InputError

MOST_EVENTS = 2_000
"""Events of one request: about half a megabyte of JSON, and half of what one message to an actor holds."""

MOST_OWN_EVENTS = 100
"""... and of one that a learner's own token sends: what a person does, gathered while a device was offline."""

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonlines")
_ENVELOPES = ("events", "batch")  # ours, and Segment's
_MOST_FIELDS = 100  # of one event: each that is not known is an error of its own, and there is room for a million
# It gives up early: to tell all that is wrong with a million items would take seconds, in which nobody else is served.
_WHOLE = TypeAdapter(Annotated[list[EventBody], FailFast(), Field(max_length=MOST_EVENTS)])
_ONE = TypeAdapter(EventBody)

Read = list[EventBody | dict[str, str]]
"""Each item of a batch: an event, or what is wrong with it."""


def read_batch(body: bytes, content_type: str, most: int = MOST_EVENTS) -> Read:
    """Return the items of a batch, in order.

    Args:
        body: of the request.
        content_type: of it; NDJSON by its names, else JSON.
        most: items that it may hold, `MOST_EVENTS` or fewer.

    Raises:
        Refused: nothing of it can be read, or it holds too many.
    """
    if content_type.partition(";")[0].strip().lower() in NDJSON:
        return [_line(line) for line in _sized([line for line in body.splitlines() if line.strip()], most)]
    try:
        return _sized(list(_WHOLE.validate_json(body)), most)  # the quick way, if all is well
    except ValidationError:
        return [_checked(each) for each in _items(body, most)]


def _sized(found: list[Any], most: int) -> list[Any]:
    if not 1 <= len(found) <= most:
        remedy = "Send it in parts." if found else ""
        raise Refused(413 if found else 422, "events", f"{len(found)}", f"1 to {most:,} in one request", remedy)
    return found


def _items(body: bytes, most: int) -> list[Any]:
    try:
        told = read_json(body)
    except InputError as error:
        raise Refused(400, error.what, error.got, error.expected) from None
    if isinstance(told, dict):
        told = next((told[name] for name in _ENVELOPES if name in told), None)
    if not isinstance(told, list):
        raise Refused(422, "body", "no list of events", "a JSON array, or an object with `events`", "See docs/api.md.")
    return _sized(told, most)


def _checked(told: Any) -> EventBody | dict[str, str]:
    if isinstance(told, dict) and len(told) > _MOST_FIELDS:
        return item(InputError("event", f"{len(told)} fields", f"at most {_MOST_FIELDS}"))
    try:
        return _ONE.validate_python(told)
    except ValidationError as error:
        return item(refusals.wrong_field(error.errors(include_url=False)[0]))


def _line(line: bytes) -> EventBody | dict[str, str]:
    try:
        return _ONE.validate_json(line) if line.count(b":") < _MOST_FIELDS else _checked(read_json(line))
    except ValidationError as error:
        return item(refusals.wrong_field(error.errors(include_url=False)[0]))
    except InputError as error:
        return item(error)
