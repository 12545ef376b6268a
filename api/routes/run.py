"""The streak of a learner: its state, and a calendar of recent days."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from api.context import Context, Engine
from api.problems import responses
from api.shapes.run import StreakState, streak_state
from api.shapes.today import on_today
from api.subject import Subject

router = APIRouter(prefix="/api/engagement", tags=["streak"])

Days = Annotated[int, Query(ge=1, le=84, description="Days of the calendar, today included.")]


@router.get("/streak", summary="The streak and its calendar", responses=responses(404, 422))
async def read_streak(engine: Engine, learner_id: Subject, days: Days = 28) -> StreakState:
    """Return a learner's streak on the learner's own local day, and what became of the days before."""
    return await asyncio.to_thread(_state, engine, learner_id, days)


def _state(engine: Context, learner_id: str, days: int) -> StreakState:
    view = engine.service.learner(learner_id)
    return streak_state(learner_id, view, on_today([view], engine.rules)[0], days, engine.rules)
