"""xAPI in: statements of other learning software, as events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response

from api.access import Caller
from api.batches import MOST_EVENTS
from api.context import Context, Engine
from api.events import EventBody
from api.problems import Refused, responses
from api.routes.intake import settle
from api.xapi import reading, versions
from api.xapi.errors import TooLargeError, XapiError
from api.xapi.mapping import Mapped
from engine.errors import InputError

router = APIRouter(prefix="/xapi", tags=["xAPI"])

Version = Annotated[
    str | None,
    Header(alias=versions.HEADER, description="1.0.x or 2.0.x; without it nothing is taken.", examples=[versions.V1]),
]
_STATEMENT = {"type": "object", "description": "A statement, as xAPI defines it."}
_EXAMPLE = {
    "actor": {"account": {"homePage": "https://learn.example.org", "name": "u-17"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
    "object": {
        "id": "https://learn.example.org/lessons/42",
        "definition": {"type": "http://adlnet.gov/expapi/activities/lesson"},
    },
    "timestamp": "2026-11-22T18:30:00Z",
}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "example": _EXAMPLE}}
    return {"requestBody": {"required": True, "content": content}}


async def _take(engine: Context, request: Request, version: str, statement_id: str | None) -> list[str]:
    """Take in a request's statements, all or none; return their ids."""
    payload = reading.parse(await request.body(), request.headers.get("content-type"))
    if isinstance(payload, list) and len(payload) > MOST_EVENTS:
        raise TooLargeError("batch", f"{len(payload)} statements", f"at most {MOST_EVENTS:,} in one request")
    read = reading.read_statements(payload, version, engine.statements, statement_id=statement_id)
    mapped = [each for each in read if isinstance(each, Mapped)]
    now_ms = engine.clock()
    accepted = [engine.gate.accept(EventBody.model_validate(each.event), now_ms) for each in mapped]
    if accepted:
        await settle(engine, accepted)
    return [each.statement_id for each in read]


async def _answer(engine: Context, request: Request, header: str | None, statement_id: str | None) -> Response:
    try:
        version = versions.negotiate(header)
        ids = await _take(engine, request, version, statement_id)
    except InputError as error:
        status = error.status if isinstance(error, XapiError) else 400
        sent = {versions.HEADER: versions.V1}
        raise Refused(status, error.what, error.got, error.expected, error.remedy, sent) from None
    sent = {versions.HEADER: version}
    return JSONResponse(ids, headers=sent) if statement_id is None else Response(status_code=204, headers=sent)


@router.post(
    "/statements",
    summary="Store statements",
    responses=responses(400, 403, 413, 415, 503),
    openapi_extra=_body({"anyOf": [_STATEMENT, {"type": "array", "items": _STATEMENT, "maxItems": MOST_EVENTS}]}),
)
async def post(engine: Engine, caller: Caller, request: Request, version: Version = None) -> list[str]:
    """Take in one statement or a list of them, all or none; the answer is their ids.

    A statement's id is its event's id, so it counts once however often it is sent. Statements that mean nothing here
    are taken and count nothing.
    """
    return await _answer(engine, request, version, None)  # type: ignore[return-value]  # the schema, for people


@router.put(
    "/statements",
    summary="Store one statement under its id",
    status_code=204,
    responses=responses(400, 403, 415, 503),
    openapi_extra=_body(_STATEMENT),
)
async def put(
    engine: Engine,
    caller: Caller,
    request: Request,
    statement_id: Annotated[
        str,
        Query(
            alias="statementId",
            description="UUID of the statement.",
            examples=["7b6f1b0e-5d0c-4f3a-8f5c-0d9c6c1d7e11"],
            json_schema_extra={"format": "uuid"},
        ),
    ],
    version: Version = None,
) -> Response:
    """Take in one statement."""
    return await _answer(engine, request, version, statement_id)


@router.get("/about", summary="Versions of xAPI that are spoken")
async def about() -> dict[str, Any]:
    """Return the versions that are spoken."""
    return versions.about()
