"""Reports of jobs, for those who run the platform."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from actors.service import Service
from actors.storage.reports import Report, ReportStore
from api.access import Caller, own
from api.context import Engine
from api.problems import responses
from api.week import DAYS, MONTH_DAYS, monday_of
from api.weekly import NAME, TOP
from api.wire import Wire
from engine import calendar

router = APIRouter(prefix="/api/engagement", tags=["reports"])

MOST_REPORTS = 53
"""Of one page: a year's."""
_WEEK = r"^[12]\d{3}-W(0[1-9]|[1-4]\d|5[0-3])$"


class Active(Wire):
    """Learners who did anything, each on their own local days."""

    daily: float = Field(description="Mean of the seven days.", examples=[412.6])
    by_day: list[int] = Field(description="Monday to Sunday.")
    weekly: int = Field(examples=[1290])
    monthly: int = Field(description=f"In the {MONTH_DAYS} days that end with Sunday.", examples=[2712])


class StandingCount(Wire):
    """Learners of one standing as Sunday ended."""

    standing: str = Field(
        description="A band of risk, dropped_off, not_started, or not_scored (lately active, but nobody was scored).",
        examples=["high"],
    )
    learners: int = Field(examples=[118])
    share: float | None = Field(description="Of all learners; null where there are none.", examples=[0.041])


class SendCount(Wire):
    """Notifications of one type that were sent on the days of the week."""

    type: str = Field(examples=["streak_warning"])
    sent: int = Field(examples=[96])
    returned: int = Field(
        description="After how many the learner was active on the same local day or the next. That says what followed, "
        "not what it was caused by: an experiment with a holdout does.",
        examples=[51],
    )
    open: int = Field(description="How many could still be followed by that when the report was made.", examples=[3])
    return_rate: float | None = Field(description="Of those not open; null where there are none.", examples=[0.548])


class Riser(Wire):
    """A learner whose risk has risen."""

    user_id: str = Field(examples=["u-17"])
    risk_before: float = Field(description="At the week's first daily scoring.", examples=[22.4])
    risk_after: float = Field(description="At its last, as Sunday ended.", examples=[71.9])


class Earner(Wire):
    """A learner by the XP of the week."""

    user_id: str = Field(examples=["u-17"])
    xp: int = Field(examples=[640])


class WeeklyReport(Wire):
    """How an ISO week went, as it was known when the report was made; what arrived later is not in it."""

    week: str = Field(examples=["2026-W14"])
    begins: date = Field(description="Its Monday.", examples=["2026-03-30"])
    ends: date = Field(description="Its Sunday.", examples=["2026-04-05"])
    made_at: datetime
    learners: int = Field(description="Known by Sunday.", examples=[2890])
    new_learners: int = Field(description="Whose first active day lies in the week.", examples=[74])
    active: Active
    standings: list[StandingCount]
    sends: list[SendCount]
    streaks_ended: int = Field(description="This and what follows: booked on a day of the week.", examples=[41])
    streaks_restored: int = Field(description="By events that came late.", examples=[2])
    freezes_used: int = Field(examples=[63])
    freezes_refunded: int = Field(description="By events that came late.", examples=[5])
    risers: list[Riser] = Field(description=f"The {TOP} whose risk rose most.")
    top_earners: list[Earner] = Field(description=f"The {TOP} with the most XP of the week.")


class WeeklyReports(Wire):
    """A page of reports."""

    reports: list[WeeklyReport] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="Ask for the next page with it; null on the last.")


@router.get("/reports/weekly", summary="Weekly reports", responses=responses(422, 503))
async def weekly_reports(
    engine: Engine,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=MOST_REPORTS, description="Reports of a page.")] = 10,
    cursor: Annotated[str | None, Query(pattern=_WEEK, description="As the page before gave it.")] = None,
) -> WeeklyReports:
    """Return how the last weeks went, newest first. A week's report is made on the Monday after, at 13:00 UTC."""
    own(caller, None)
    return await asyncio.to_thread(_page, engine.service, ReportStore(engine.database), limit, cursor)


def _page(service: Service, store: ReportStore, limit: int, cursor: str | None) -> WeeklyReports:
    found = store.newest(NAME, limit + 1, before=cursor)
    more = len(found) > limit
    told = [_told(report, service) for report in found[:limit]]
    return WeeklyReports(reports=told, next_cursor=found[limit - 1].period if more else None)


def _told(report: Report, service: Service) -> WeeklyReport:
    body = report.body
    monday = monday_of(report.period)

    def named(rows: list[list[Any]]) -> list[tuple[str, list[Any]]]:
        """Return rows with the ids of their learners, without those who have been erased."""
        ids = [(service.lanes[log].id_of(row), rest) for log, row, *rest in rows]
        return [(learner, rest) for learner, rest in ids if learner is not None]

    return WeeklyReport(
        week=report.period,
        begins=calendar.date_of(monday),
        ends=calendar.date_of(monday + DAYS - 1),
        made_at=datetime.fromtimestamp(report.created_ms / 1000, UTC),
        learners=body["learners"],
        new_learners=body["new"],
        active=Active(
            daily=round(sum(body["by_day"]) / DAYS, 2),
            by_day=body["by_day"],
            weekly=body["weekly"],
            monthly=body["monthly"],
        ),
        standings=[
            StandingCount(standing=name, learners=count, share=_share(count, body["learners"]))
            for name, count in body["standings"].items()
        ],
        sends=[
            SendCount(type=kind, sent=sent, returned=back, open=open_, return_rate=_share(back, sent - open_))
            for kind, (sent, back, open_) in body["sends"].items()
        ],
        **{name: body[name] for name in ("streaks_ended", "streaks_restored", "freezes_used", "freezes_refunded")},
        risers=[
            Riser(user_id=learner, risk_before=before, risk_after=after)
            for learner, (before, after) in named(body["risers"])
        ],
        top_earners=[Earner(user_id=learner, xp=xp) for learner, (xp,) in named(body["earners"])],
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
