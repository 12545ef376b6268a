"""The inbox: messages inside the platform."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path

from actors.delivery.responses import Kind, Response
from api.access import Caller, own
from api.context import Context, Engine
from api.events import LearnerId
from api.problems import Refused, responses
from api.shapes.inbox import InboxState, MessageMark, message_told

router = APIRouter(prefix="/api/engagement/learners/{userId:path}", tags=["messages"])

Learner = Annotated[LearnerId, Path(alias="userId", description="The learner, by your own id.", examples=["u-17"])]


@router.get("/inbox", summary="Read the inbox", responses=responses(404))
async def read_inbox(engine: Engine, caller: Caller, learner_id: Learner) -> InboxState:
    """Return a learner's messages. New ones come over `/api/engagement/live`, too, as they are delivered."""
    own(caller, learner_id)
    return await asyncio.to_thread(_inbox, engine, learner_id)


def _inbox(engine: Context, learner_id: str) -> InboxState:
    engine.service.learner(learner_id)  # refuses one who is unknown
    found = engine.delivery.inbox.of_learner(learner_id, engine.clock())
    unread = sum(message.read_ms is None for message in found)
    return InboxState.model_validate({"messages": [message_told(each) for each in found], "unread": unread})


@router.patch("/inbox", summary="Mark a message", status_code=204, responses=responses(404, 422))
async def mark_message(engine: Engine, caller: Caller, learner_id: Learner, body: MessageMark) -> None:
    """Mark a message as read or dismissed; the first time counts, and doing so again does no harm."""
    own(caller, learner_id)
    await asyncio.to_thread(_mark, engine, learner_id, body)


def _mark(engine: Context, learner_id: str, body: MessageMark) -> None:
    now_ms = engine.clock()
    if not engine.delivery.inbox.mark(learner_id, body.message_id, body.mark, now_ms):
        raise Refused(404, "messageId", body.message_id, "a message in the learner's inbox")
    engine.delivery.responses.note(Response(body.message_id, Kind.OPENED, learner_id, now_ms))
