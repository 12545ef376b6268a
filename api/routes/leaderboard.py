"""Leaderboards."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Caller, Role, own
from api.context import Engine
from api.problems import responses
from api.shapes.board import Board, Period, board
from api.subject import UserId

router = APIRouter(prefix="/api/engagement", tags=["progress"])


@router.get("/leaderboard", summary="The best of a day, a week or all time", responses=responses(404, 422))
async def read_board(
    engine: Engine,
    caller: Caller,
    period: Annotated[Period, Query(description="On each learner's own local date.")] = "weekly",
    limit: Annotated[int, Query(ge=1, le=100, description="Lines from the top.")] = 10,
    neighbours: Annotated[int, Query(ge=0, le=10, description="Lines on either side of the learner's own.")] = 2,
    user_id: UserId = None,
) -> Board:
    """Return the best of a period, and where the learner stands who asks or is asked for.

    Learners who so chose are anonymous to all but themselves and admins.
    """
    subject = user_id or caller.learner_id
    if subject is not None:
        own(caller, subject)
    table = await engine.roster.table()
    knows_all = caller.role is Role.ADMIN
    return await asyncio.to_thread(
        board, engine.roster, table, period, limit, neighbours, subject, engine.rules, knows_all=knows_all
    )
