"""The doors to the one intake: `track`, `events` and `xp`.

Whatever door an event comes through, its id counts once for its learner, and whoever sends it again gets the first
receipt.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import Field, StringConstraints
from pydantic_core import to_json

from actors.answers import Receipt
from api.access import Caller, Principal, Role, own
from api.batches import MOST_EVENTS, MOST_OWN_EVENTS, NDJSON, read_batch
from api.bodies import MOST_SINGLE
from api.context import Context, Engine
from api.events import EXAMPLE, Accepted, EventBody
from api.problems import Item, item, responses
from api.receipts import EventReceipt
from api.wire import Wire
from engine.errors import InputError

router = APIRouter(prefix="/api/engagement", tags=["events"])

_Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$")]
IdempotencyKey = Annotated[
    _Key | None,  # ASCII: nobody can tell in which encoding a client meant anything else
    Header(
        alias="Idempotency-Key",
        description="Id of the event where the body names none: sent again under the same key it counts once.",
    ),
]


class Refusal(Item):
    """An item of a batch that was not taken."""

    status: Literal["refused"]


class BatchReceipt(Wire):
    """What became of a batch, item by item in its order; good items count also where others are refused."""

    accepted: int
    late: int
    duplicate: int
    refused: int
    results: list[EventReceipt | Refusal]


class XpReceipt(Wire):
    """What an award of XP brought."""

    user_id: str = Field(examples=["u-17"])
    event_id: str = Field(examples=["lesson-42"])
    status: Literal["accepted", "late", "duplicate"]
    xp_awarded: int = Field(examples=[50])
    new_xp: int = Field(description="All XP now.", examples=[150])
    new_level: int = Field(examples=[2])
    level_name: str = Field(examples=["Learner"])
    leveled_up: bool
    progress: float = Field(description="Of the way to the next level, 0-100; 100 on the last.", examples=[33.3])


async def settle(engine: Context, accepted: Sequence[Accepted]) -> list[Receipt]:
    """Hand events to their actors and wait until they are durable; return the receipts in order."""
    loop = asyncio.get_running_loop()
    receipts: list[Any] = [None] * len(accepted)
    for places, promise in engine.service.submit([each.row for each in accepted], loop.create_future):
        for place, receipt in zip(places, await promise, strict=True):
            receipts[place] = receipt
    return receipts


async def one(engine: Context, caller: Principal, body: EventBody, key: str | None) -> tuple[Accepted, Receipt]:
    """Take one event in, through whichever door."""
    own(caller, body.user_id)
    accepted = engine.gate.accept(body, engine.clock(), client=caller.role is Role.LEARNER, default_id=key)
    return accepted, (await settle(engine, [accepted]))[0]


def _json(content: Any) -> Response:
    return Response(to_json(content), media_type="application/json")


@router.post(
    "/track",
    summary="Send one event",
    response_model=EventReceipt,
    responses=responses(422, 503),
)
async def track(engine: Engine, caller: Caller, body: EventBody, key: IdempotencyKey = None) -> Response:
    """Take in one event; the answer comes when it is durable, and says what it brought."""
    accepted, receipt = await one(engine, caller, body, key)
    return _json(engine.receipts.told(body.user_id, accepted.event_id, receipt))


@router.post(
    "/events",
    summary="Send a batch of events",
    response_model=BatchReceipt,
    responses=responses(400, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": (
                f"1 to {MOST_EVENTS:,} events, and from a learner's own token {MOST_OWN_EVENTS} in"
                f" {MOST_SINGLE >> 10} KiB; `Content-Encoding: gzip` is understood."
            ),
            "content": {
                "application/json": {
                    "schema": {
                        "type": "array",
                        "maxItems": MOST_EVENTS,
                        "items": {"$ref": "#/components/schemas/EventBody"},
                    },
                    "example": [EXAMPLE],
                },
                NDJSON[0]: {
                    "schema": {"type": "string", "description": "One event a line."},
                    "example": json.dumps(EXAMPLE),
                },
            },
        }
    },
)
async def events(engine: Engine, caller: Caller, request: Request) -> Response:
    """Take in a batch. Each item is judged by itself: good ones are kept when others are refused."""
    now_ms, client = engine.clock(), caller.role is Role.LEARNER
    most = MOST_OWN_EVENTS if client else MOST_EVENTS
    read = read_batch(await request.body(), request.headers.get("content-type", ""), most)
    caller.charge(len(read))
    results: list[Any] = [None] * len(read)
    accepted: list[Accepted] = []
    places: list[int] = []
    for place, body in enumerate(read):
        if isinstance(body, dict):
            results[place] = {"status": "refused", **body}
            continue
        own(caller, body.user_id)
        try:
            accepted.append(engine.gate.accept(body, now_ms, client=client))
            places.append(place)
        except InputError as error:
            results[place] = {"status": "refused", **item(error)}
    own(caller, caller.learner_id)
    tally = {"accepted": 0, "late": 0, "duplicate": 0, "refused": len(read) - len(accepted)}
    for place, each, receipt in zip(places, accepted, await settle(engine, accepted), strict=True):
        told = engine.receipts.told(each.row.learner, each.event_id, receipt)
        results[place] = told
        tally[told["status"]] += 1
    return _json({**tally, "results": results})


@router.post(
    "/xp",
    summary="Award XP for an action",
    response_model=XpReceipt,
    responses=responses(422, 503),
)
async def award(engine: Engine, caller: Caller, body: EventBody, key: IdempotencyKey = None) -> Response:
    """Take in one event, as `track` does, and answer in terms of XP and level."""
    accepted, receipt = await one(engine, caller, body, key)
    told = engine.receipts.told(body.user_id, accepted.event_id, receipt)
    kept = ("userId", "eventId", "status", "xpAwarded", "levelName", "leveledUp")
    progress = engine.receipts.progress(receipt.xp, receipt.level)
    return _json(
        {**{name: told[name] for name in kept}, "newXp": receipt.xp, "newLevel": receipt.level, "progress": progress}
    )
