"""The live stream."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from api.access import Caller, Principal, Role, own
from api.closing import ClosingStream
from api.context import Engine
from api.problems import Refused, responses
from api.streams import MOST_LISTENERS
from api.subject import UserId

router = APIRouter(prefix="/api/engagement", tags=["live"])

MOST_EACH = 5
"""Streams that one learner may have at a time, as on several devices."""

LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=4_000, description="Of the last event that came: what followed is told."),
]
_DESCRIPTION = (
    "Server-sent events. `event` is the kind of an outcome (`xp`, `level_up`, `milestone_reached`, `freeze_used`,"
    " `achievement_unlocked` ...), `send` (a notification), or `risk` (a fresh risk); `data` is an object with"
    " `userId`; `id` is a position that resumes the stream: one part for each journal, joined by dots. Events without"
    " data only carry a newer id. Risks are not repeated to those who come back: ask for the present one."
)


@router.get(
    "/live",
    summary="What happens, live",
    response_class=StreamingResponse,
    responses={
        **responses(422, 429, 503),
        200: {"description": _DESCRIPTION, "content": {"text/event-stream": {"schema": {"type": "string"}}}},
    },
)
async def live(
    engine: Engine,
    caller: Caller,
    user_id: UserId = None,
    last_event_id: LastEventId = None,
    follow: Annotated[
        bool, Query(description="false: end after what was missed, for clients that ask now and then.")
    ] = True,
) -> ClosingStream:
    """Tell outcomes, notifications and changes of risk as they happen: a learner's own, or for admins everybody's.

    A stream ends after a quarter of an hour, with its credentials, or when it is read too slowly; come back with
    Last-Event-ID and nothing is missed.
    """
    subject = user_id or caller.learner_id
    own(caller, subject)
    if subject is None and caller.role is not Role.ADMIN:
        raise Refused(403, "query.userId", "nothing", "a learner", "Only admins may listen to everybody: name one.")
    _room(engine.streams.of(caller.name), len(engine.streams), caller)
    after = None if last_event_id is None else engine.streams.resume(last_event_id, subject)

    def until() -> bool:
        return caller.until_ms is not None and engine.clock() >= caller.until_ms

    events = engine.streams.stream(caller.name, subject, after, until, follow=follow)
    return ClosingStream(events, "text/event-stream", {"X-Accel-Buffering": "no"})


def _room(mine: int, everybody: int, caller: Principal) -> None:
    """Refuse a stream where there are too many."""
    wait = {"Retry-After": "5"}
    if caller.role is Role.LEARNER and mine >= MOST_EACH:
        raise Refused(429, "streams", f"{mine} of yours", f"at most {MOST_EACH}", "Close one first.", wait)
    if everybody >= MOST_LISTENERS:
        raise Refused(503, "streams", f"{everybody}", f"at most {MOST_LISTENERS}", "Try again later.", wait)
