"""The daily login: the door that answers with the streak."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import ConfigDict, Field

from actors.answers import Receipt
from actors.views import LearnerView
from api.access import Caller
from api.context import Engine
from api.events import EventBody, LearnerId, ShortText
from api.problems import responses
from api.routes.intake import IdempotencyKey, one
from api.shapes import days
from api.shapes.risk import instant
from api.wire import Wire
from engine import calendar
from engine.rules import Rules

router = APIRouter(prefix="/api/engagement", tags=["streak"])

_LOGIN = "daily_login"


class Login(Wire):
    """A login."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"userId": "u-17", "timezone": "Europe/Berlin"}]})

    user_id: LearnerId = Field(examples=["u-17"])
    timezone: ShortText | None = Field(None, description="The learner's zone now; default: the profile's.")
    event_id: ShortText | None = Field(None, description="Default: one for each local day, so it counts once a day.")


class Milestone(Wire):
    """A streak milestone."""

    days: int = Field(examples=[7])
    xp: int = Field(examples=[50])
    freezes: int = Field(examples=[1])


class LoginReceipt(Wire):
    """The streak after a login."""

    user_id: str = Field(examples=["u-17"])
    event_id: str = Field(examples=["daily_login/2026-11-22"])
    status: Literal["accepted", "late", "duplicate"]
    current_streak: int = Field(examples=[7])
    consecutive_day: bool = Field(description="The day before was a streak day, too.")
    missed_days: int = Field(description="Days missed just before it, 0 where there was no streak day before.")
    freezes_used: int | None = Field(description="Freezes that bridged them; null where that is not known any more.")
    freezes: int = Field(description="Held now.")
    milestone: Milestone | None = Field(description="Reached by this login.")
    xp_awarded: int = Field(description="The reward, milestone included.", examples=[60])
    total_xp: int


@router.post("/streak", summary="Record the daily login", response_model=LoginReceipt, responses=responses(422, 503))
async def login(engine: Engine, caller: Caller, body: Login, key: IdempotencyKey = None) -> dict[str, Any]:
    """Record today's login, once a local day, and answer with the streak."""
    event_id, now_ms = body.event_id or key, engine.clock()  # one instant, or midnight could lie between id and event
    if event_id is None:
        event_id = f"{_LOGIN}/{calendar.date_of(await asyncio.to_thread(_today, engine, body, now_ms))}"
    told = {"userId": body.user_id, "action": _LOGIN, "eventId": event_id, "timezone": body.timezone}
    event = EventBody.model_validate({**told, "occurredAt": instant(now_ms)})
    accepted, receipt = await one(engine, caller, event, None)
    view = await asyncio.to_thread(engine.service.learner, body.user_id)
    status = engine.receipts.told(body.user_id, event_id, receipt)["status"]
    return {
        "userId": body.user_id,
        "eventId": accepted.event_id,
        "status": status,
        "freezes": receipt.freezes,
        "xpAwarded": receipt.xp_awarded,
        "totalXp": receipt.xp,
        **run_told(view, receipt, engine.rules),
    }


def _today(engine: Engine, body: Login, now_ms: int) -> int:
    """Return the learner's local day."""
    if body.timezone is not None:
        day, _ = calendar.local(np.array([now_ms]), calendar.zone(body.timezone))
        return int(day[0])
    return engine.service.today(body.user_id, now_ms)


def run_told(view: LearnerView, receipt: Receipt, rules: Rules) -> dict[str, Any]:
    """Return what a login's receipt says of the run, and the learner's record of the days before that login.

    So it says the same when the login is sent again, days later.
    """
    record = view.record[0]
    today, ago = int(record["as_of"]), days.missed_before(record, receipt.day)
    between = [
        day.state
        for day in days.calendar(record, today, min(today - receipt.day + 1 + (ago or 0), days.MOST), rules)
        if receipt.day - (ago or 0) <= day.day < receipt.day
    ]
    missed = len(between) - between.count("none")  # a day that the learner's own time skipped was not missed
    reached = next((each.threshold for each in receipt.outcomes if each.kind == "milestone_reached"), None)
    milestone = None
    if reached is not None:
        freezes = int(reached in rules.streak.freezes_at)
        milestone = {"days": reached, "xp": rules.actions["streak_milestone"].xp, "freezes": freezes}
    return {
        "currentStreak": receipt.streak,
        "consecutiveDay": ago is not None and missed == 0,
        "missedDays": missed,
        "freezesUsed": None if "unknown" in between else between.count("frozen"),
        "milestone": milestone,
    }
