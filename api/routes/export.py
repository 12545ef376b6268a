"""Export of all that is held of a learner."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from actors.holdings import holdings
from actors.views import LearnerView
from api.access import Caller, Role, own
from api.batches import NDJSON
from api.closing import ClosingStream
from api.context import Context, Engine
from api.problems import Refused, responses
from api.routes.profiles import Learner
from api.shapes.export import Lines, head

router = APIRouter(prefix="/api/engagement/learners/{userId:path}", tags=["learners"])

_CHUNK_BYTES = 64 << 10
_DESCRIPTION = (
    "One JSON object a line, told apart by `part`: about, profile, record (each field with unit and meaning), then all"
    " that was journalled, in order: appeared, event, outcome, send, daily (signals and risk as they stood when a local"
    " day began), decided, decision, reward, placed, dropped, moved, withheld (what campaigns wanted and what became of"
    " it), profile_change; then message (the inbox), delivery, response, task; at last end, with how many lines came"
    " before: without it, it is not whole."
)


@router.get(
    "/export",
    summary="Export all that is held of a learner",
    response_class=StreamingResponse,
    responses={
        **responses(404, 422),
        200: {"description": _DESCRIPTION, "content": {NDJSON[0]: {"schema": {"type": "string"}}}},
    },
)
async def export(engine: Engine, caller: Caller, learner_id: Learner) -> ClosingStream:
    """Return all that is held of a learner: profile, record, every journalled event and what it brought."""
    own(caller, learner_id)
    if caller.role is Role.LEARNER and caller.name in engine.exporting:  # each reads the journal of many learners
        raise Refused(429, "exports", "one of yours", "one at a time", "Wait for its end.", {"Retry-After": "5"})
    view = await asyncio.to_thread(engine.service.learner, learner_id)
    return ClosingStream(_counted(engine, caller.name, learner_id, view), NDJSON[0])


async def _counted(engine: Context, name: str, learner_id: str, view: LearnerView) -> AsyncGenerator[bytes]:
    """Yield an export, and let it be known that it is under way."""
    engine.exporting.add(name)
    try:
        async with contextlib.aclosing(_read(engine, _lines(engine, learner_id, view))) as chunks:
            async for chunk in chunks:
                yield chunk
    finally:
        engine.exporting.discard(name)


async def _read(engine: Context, lines: Iterator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    """Yield an export, read on threads, a piece at a time: a client that reads slowly holds nobody up."""
    chunks = _chunks(lines)
    while True:
        async with engine.readers:
            chunk = await asyncio.to_thread(next, chunks, b"")
        if not chunk:
            return
        yield chunk


def _lines(engine: Context, learner_id: str, view: LearnerView) -> Iterator[dict[str, Any]]:
    yield from head(learner_id, view, engine.clock(), engine.rules)
    row = int(view.record["learner"][0])
    lines = Lines(learner_id, engine.rules, engine.happenings)
    for entry in engine.service.entries(engine.service.lane(learner_id).log):
        for held in holdings(entry, row, learner_id):
            yield lines.line(held)
    yield from engine.delivery.held(learner_id)


def _chunks(lines: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Yield lines in pieces that are worth a thread's while each, and a last line that says that all came."""
    count, size, waiting = 0, 0, list[bytes]()
    for line in lines:
        waiting.append(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        count, size = count + 1, size + len(waiting[-1])
        if size > _CHUNK_BYTES:
            yield b"".join(waiting)
            size, waiting = 0, []
    yield b"".join(waiting) + json.dumps({"part": "end", "lines": count}).encode() + b"\n"
