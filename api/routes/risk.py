"""Risk of drop-off: of single learners on demand, and the list of those at risk."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from actors.register import UnknownLearnerError
from actors.views import LearnerView
from api import cursors
from api.access import Caller, own
from api.context import Context, Engine
from api.events import LearnerId
from api.problems import responses
from api.roster import Table
from api.shapes import at_risk
from api.shapes.at_risk import AtRiskPage, Sort, at_risk_page
from api.shapes.risk import BAND, RiskState
from api.wire import Wire

router = APIRouter(prefix="/api/engagement", tags=["risk"])

MOST_LEARNERS = 100
_KIND = "calculate"
_CURSOR = cursors.encode(_KIND, 49)
Cursor = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Calculate(Wire):
    """Whose risk is asked for: one learner's, some learners', or that of a page of all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"userId": "u-17"}, {"userIds": ["u-17", "u-18"]}, {"limit": 50}]}
    )

    user_id: LearnerId | None = Field(None, description="One learner.", examples=["u-17"])
    user_ids: Annotated[list[LearnerId], Field(min_length=1, max_length=MOST_LEARNERS)] | None = Field(
        None, description="Some learners.", examples=[["u-17", "u-18"]]
    )
    cursor: Cursor | None = Field(
        None, description="The nextCursor of the page before, for a page of all learners.", examples=[_CURSOR]
    )
    limit: Annotated[int, Field(ge=1, le=MOST_LEARNERS, strict=True)] = Field(
        50, description="Learners of a page of all.", examples=[50]
    )

    @model_validator(mode="after")
    def _one_way(self) -> Calculate:
        ways = {"userId": self.user_id, "userIds": self.user_ids, "cursor": self.cursor}
        if len([name for name, value in ways.items() if value is not None]) > 1:
            raise ValueError("one of userId, userIds and cursor, or none of them for the first page of all")
        return self


class RiskPage(Wire):
    """The risk of several learners."""

    results: list[RiskState] = Field(description="In the order asked for; a page of all in order of appearance.")
    unknown: list[str] = Field(description="Those of whom nothing is known.", examples=[[]])
    next_cursor: str | None = Field(description="For the next page of all; null on the last.", examples=[_CURSOR])


@router.post("/calculate", summary="Risk of drop-off now", responses=responses(404, 422))
async def calculate(engine: Engine, caller: Caller, body: Calculate) -> RiskState | RiskPage:
    """Return the risk of one learner, or of several, as of this moment: reasons and interventions with it.

    Nothing is sent, and nothing changes.
    """
    if body.user_id is not None:
        own(caller, body.user_id)
        return await asyncio.to_thread(_one, engine, body.user_id)
    if body.user_ids is not None:
        caller.about = tuple(dict.fromkeys(body.user_ids))  # each of them is on record
        return await asyncio.to_thread(_some, engine, body.user_ids)
    return await asyncio.to_thread(_page, engine, await engine.roster.table(), body.cursor, body.limit)


def _one(engine: Context, user_id: str) -> RiskState:
    return engine.risks.states([user_id], [engine.service.learner(user_id)])[0]


def _some(engine: Context, user_ids: list[str]) -> RiskPage:
    views: dict[str, LearnerView] = {}
    unknown: list[str] = []
    for user_id in dict.fromkeys(user_ids):
        try:
            views[user_id] = engine.service.learner(user_id)
        except UnknownLearnerError:
            unknown.append(user_id)
    results = engine.risks.states(list(views), list(views.values()))
    return RiskPage(results=results, unknown=unknown, next_cursor=None)


def _page(engine: Context, table: Table, cursor: str | None, limit: int) -> RiskPage:
    after = -1 if cursor is None else int(cursors.decode(cursor, _KIND, [int])[0])
    numbers = table.number[table.number > after][: limit + 1].tolist()
    more = len(numbers) > limit
    numbers = numbers[:limit]
    named = zip(map(engine.roster.id_of, numbers), engine.roster.views(numbers), strict=True)
    there = [(user_id, view) for user_id, view in named if user_id is not None and view is not None]
    results = engine.risks.states([user_id for user_id, _ in there], [view for _, view in there])
    return RiskPage(results=results, unknown=[], next_cursor=cursors.encode(_KIND, numbers[-1]) if more else None)


Bands = Annotated[
    list[Annotated[str, StringConstraints(max_length=64)]] | None,
    Query(alias="band", max_length=8, description=f"Only these; may be given several times. {BAND}"),
]
MinRisk = Annotated[
    float | None,
    Query(
        alias="minRisk",
        ge=0,
        le=100,
        allow_inf_nan=False,
        description=f"Only from this risk on; {at_risk.AT_RISK:g} where neither it nor a band is given.",
    ),
]
Order = Annotated[
    Sort,
    Query(description="-risk: the highest first. lastActive: whoever was active longest ago first. Else reversed."),
]


@router.get("/at-risk", summary="Learners at risk", responses=responses(422))
async def list_at_risk(
    engine: Engine,
    caller: Caller,
    band: Bands = None,
    min_risk: MinRisk = None,
    sort: Order = "-risk",
    cursor: Annotated[Cursor | None, Query(description="The nextCursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Learners of a page.")] = 50,
) -> AtRiskPage:
    """Return learners at risk, a page of them, with how risk is spread over all, as of a moment ago.

    Pages follow each other by risk and learner, so whoever comes in between moves nobody to another page.
    """
    own(caller, None)
    query = at_risk.Query(band or [], min_risk, sort, cursor, limit)
    table = await engine.roster.table()
    return await asyncio.to_thread(at_risk_page, engine.roster, table, query, engine.rules)
