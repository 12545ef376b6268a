"""How campaigns do."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Caller, own
from api.campaign_report import Decided
from api.context import Context, Engine
from api.problems import responses
from api.shapes.campaigns import CampaignReport, arm_told
from engine.calendar import MS_PER_DAY, date_of
from engine.policies.decisions import MATURE_DAYS

router = APIRouter(prefix="/api/engagement", tags=["reports"])

MOST_DAYS = 366


@router.get("/reports/campaigns", summary="How campaigns do", responses=responses(422, 503))
async def campaign_report(
    engine: Engine,
    caller: Caller,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="Days of decisions, up to a week ago.")] = 28,
) -> CampaignReport:
    """Return what every campaign's arms sent, what came of it, and how much of that would have come without.

    Rewards of a decision are known a week later, so the newest decisions are not in it. That learners return after a
    message does not say that they do because of it: `effects` do, where a policy left something to chance or a campaign
    has a holdout. Each report reads the journals: some seconds for some millions of decisions.
    """
    own(caller, None)
    async with engine.readers:
        return await asyncio.to_thread(_report, engine, days)


def _report(engine: Context, days: int) -> CampaignReport:
    until = engine.clock() // MS_PER_DAY - 1 - MATURE_DAYS
    since = until + 1 - days
    decided = Decided.read(engine.service, engine.campaigns, since, until)
    arms = decided.arms(engine.delivery.responses.since(since * MS_PER_DAY - MS_PER_DAY))
    return CampaignReport(since=date_of(since), until=date_of(until), arms=[arm_told(arm) for arm in arms])
