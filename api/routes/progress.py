"""XP and level of a learner."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from api.context import Context, Engine
from api.problems import responses
from api.roster import Table
from api.shapes.progress import XpState, xp_state
from api.shapes.today import on_today
from api.subject import Subject

router = APIRouter(prefix="/api/engagement", tags=["progress"])


@router.get("/xp", summary="XP, level and rank", responses=responses(404, 422))
async def read_xp(engine: Engine, learner_id: Subject) -> XpState:
    """Return a learner's XP and level, the way to the next one, and the rank among all."""
    return await asyncio.to_thread(_state, engine, learner_id, await engine.roster.table())


def _state(engine: Context, learner_id: str, table: Table) -> XpState:
    view = engine.service.learner(learner_id)
    record = on_today([view], engine.rules)[0]
    number = engine.roster.number(learner_id, view)
    rank = table.rank(number, int(record["view"]["xp"]))
    learners = len(table) + (not table.knows(number))
    return xp_state(learner_id, record, engine.rules, engine.receipts, rank, learners)
