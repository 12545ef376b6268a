"""Responses: links in messages, and what gateways report of what they were given."""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
from pathlib import Path as File
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from jinja2 import Environment, StrictUndefined
from pydantic import ConfigDict, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from actors.delivery.responses import Kind
from actors.delivery.responses import Response as Heard
from actors.register import UnknownLearnerError
from api.context import Context, Engine
from api.delivery import bounce
from api.links import LONGEST, Link, Purpose
from api.problems import Refused, responses
from api.signatures import verify
from api.wire import Wire
from engine.errors import InputError

router = APIRouter(tags=["messages"])

_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_AT_ONCE_MS = 5_000
"""Whoever opens so soon after the handing over is a scanner on the way, no reader."""
_MACHINES = ("GoogleImageProxy", "YahooMailProxy", "ggpht.com", "bot", "Barracuda", "Proofpoint", "Mimecast")
_APPLE = "Mozilla/5.0"  # all that Apple's Mail Privacy Protection says of itself
_PAGE = Environment(autoescape=True, undefined=StrictUndefined).from_string(
    File(__file__).with_name("unsubscribe.html.j2").read_text("utf-8")
)

Token = Annotated[
    str, Path(max_length=LONGEST, pattern=r"^[A-Za-z0-9_.-]+$", description="The signed part of the link.")
]


class Report(Wire):
    """What a gateway says of what it was given."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "u-17/gentle_reminder/20414/push", "event": "delivered"}]}
    )

    id: str = Field(max_length=1_024, description="As it was given.")
    event: Literal["delivered", "opened", "clicked", "bounced", "complained"] = Field(
        description="What happened; a bounced or complaining address is not used again."
    )


def _link(engine: Context, purpose: Purpose, token: str) -> Link:
    link = engine.delivery.linker.read(purpose, token)
    if link is None:
        raise Refused(404, "link", "", "one from a message", "Open the message again, and use the link as it is.")
    return link


@router.get("/unsubscribe/{token}", summary="Ask whether to unsubscribe", response_class=HTMLResponse)
async def ask_to_unsubscribe(engine: Engine, token: Token) -> HTMLResponse:
    """Show a page with one button; reading it changes nothing, since scanners of mail open every link."""
    link = _link(engine, "unsubscribe", token)
    return HTMLResponse(_PAGE.render(channel=link.channel, done=False))


@router.post("/unsubscribe/{token}", summary="Unsubscribe by one click", response_class=HTMLResponse)
async def unsubscribe(engine: Engine, token: Token) -> HTMLResponse:
    """Take the consent to the message's channel back: RFC 8058, and the button of the page."""
    link = _link(engine, "unsubscribe", token)
    try:
        await asyncio.to_thread(engine.service.learner, link.learner)
    except UnknownLearnerError:  # nothing is held of the learner, so nothing is sent
        return HTMLResponse(_PAGE.render(channel=link.channel, done=True))
    promise: concurrent.futures.Future[Any] = concurrent.futures.Future()
    engine.service.set_profile(promise, link.learner, {"consents": {link.channel: False}})
    await asyncio.shield(asyncio.wrap_future(promise))
    await asyncio.to_thread(_note, engine, link, Kind.UNSUBSCRIBED)
    return HTMLResponse(_PAGE.render(channel=link.channel, done=True))


@router.get("/opened/{token}", summary="Tell that an e-mail was shown", response_class=Response)
async def opened(engine: Engine, request: Request, token: Token) -> Response:
    """Return an image of one pixel, and note who loaded it: a reader's program, or a machine on the way."""
    link = _link(engine, "opened", token)
    await asyncio.to_thread(_note_opening, engine, link, request.headers.get("user-agent", ""))
    return Response(_PIXEL, media_type="image/gif", headers={"Cache-Control": "no-store"})


def _note_opening(engine: Context, link: Link, agent: str) -> None:
    handed_ms = engine.delivery.responses.of([link.id]).get(link.id, {}).get(Kind.DELIVERED)
    soon = handed_ms is None or engine.clock() - handed_ms < _AT_ONCE_MS
    machine = soon or agent == _APPLE or any(name.lower() in agent.lower() for name in _MACHINES)
    _note(engine, link, Kind.OPENED_BY_MACHINE if machine else Kind.OPENED)


@router.get("/go/{token}", summary="Follow a message's link", response_class=RedirectResponse, status_code=302)
async def go(engine: Engine, token: Token) -> RedirectResponse:
    """Note the click, and lead to the platform: always to the address that the service was started with."""
    link = _link(engine, "go", token)
    await asyncio.to_thread(_note, engine, link, Kind.CLICKED)
    target = engine.delivery.linker.action_url
    if target is None:
        raise Refused(404, "link", "no address that messages lead to", "one in the settings of delivery")
    return RedirectResponse(target, status_code=302)


@router.post(
    "/api/engagement/deliveries", summary="Report a delivery", status_code=204, responses=responses(401, 404, 422)
)
async def report(engine: Engine, request: Request, body: Report) -> None:
    """Take in what a gateway says of a notification; signed as requests to it are, with the same secret."""
    raw = await request.body()
    try:
        verify(engine.delivery.secrets, request.headers, raw, engine.clock() // 1_000)
    except InputError as error:
        raise Refused(401, error.what, error.got, error.expected, error.remedy) from None
    await asyncio.to_thread(_report, engine, body)


def _report(engine: Context, body: Report) -> None:
    item = engine.delivery.outbox.find(body.id)
    if item is None:
        raise Refused(404, "id", body.id, "that of a notification")
    kind = Kind(body.event)
    if kind in {Kind.BOUNCED, Kind.COMPLAINED}:
        delivery = engine.delivery
        bounce(
            engine.service, delivery.suppressed, delivery.responses, item.id, item.learner, item.channel,
            engine.clock(), kind,
        )  # fmt: skip  # what it is about stands on one line
    else:
        _note(engine, Link(item.id, item.learner, item.channel), kind)


def _note(engine: Context, link: Link, kind: Kind) -> None:
    if engine.delivery.outbox.find(link.id) is None:
        return  # its learner has been erased, of whom nothing is kept, or it is of a year ago
    engine.delivery.responses.note(Heard(link.id, kind, link.learner, engine.clock()))
