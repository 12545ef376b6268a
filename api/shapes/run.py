"""The streak, as clients read it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field

from actors.views import LearnerView
from api.shapes import days
from api.wire import Wire
from engine import bitmaps
from engine.calendar import date_of
from engine.record import NEVER
from engine.rules import Rules


class NextMilestone(Wire):
    """The milestone that the run reaches next."""

    days: int = Field(description="Length of the run that reaches it.", examples=[7])
    xp: int = Field(description="XP that it brings.", examples=[50])
    freezes: int = Field(description="Freezes that it brings.", examples=[1])
    days_to: int = Field(description="Streak days that are missing.", examples=[3])


class ReachedMilestone(Wire):
    """A milestone that runs have reached."""

    days: int = Field(description="Length of the run.", examples=[7])
    times: int = Field(description="How many runs have reached it.", examples=[2])


class CalendarDay(Wire):
    """One local day of the learner."""

    date: dt.date = Field(description="The learner's local day.", examples=["2026-11-22"])
    state: days.State = Field(
        description=(
            "done: it counted for the streak. frozen: a freeze bridged it. active: something was done, but nothing that"
            " counts for the streak. missed: it is over, and nothing was done. unknown: nothing was done, and it is too"
            " long ago to tell whether a freeze bridged it. none: before the learner began, or not over yet, or a day"
            " that the learner's own time skipped."
        ),
        examples=["done"],
    )
    active: bool = Field(
        description="Anything was done on it, whether it counts for the streak or not.", examples=[True]
    )


class StreakState(Wire):
    """A learner's streak now, on the learner's own local day."""

    user_id: str = Field(description="The learner.", examples=["u-17"])
    today: dt.date = Field(description="The learner's local day.", examples=["2026-11-22"])
    current_streak: int = Field(description="Days of the run that is alive; frozen days do not count.", examples=[4])
    longest_streak: int = Field(description="The longest run so far.", examples=[11])
    freezes: int = Field(description="Held now: each bridges one missed day.", examples=[1])
    freezes_used: int = Field(description="Taken by missed days so far.", examples=[2])
    active_today: bool = Field(description="Anything was done today.", examples=[True])
    done_today: bool = Field(description="Something was done today that counts for the streak.", examples=[True])
    at_risk: bool = Field(description="A run is alive, and today does not count yet.", examples=[False])
    missed_days: int = Field(
        description="Days missed just before today, since the last that counted; frozen ones, too.", examples=[0]
    )
    next_milestone: NextMilestone | None = Field(description="null beyond the last one.")
    milestones: list[ReachedMilestone] = Field(description="Milestones reached so far.")
    calendar: list[CalendarDay] = Field(description="The last days, oldest first, today last.")


def streak_state(user_id: str, view: LearnerView, record: Any, count: int, rules: Rules) -> StreakState:
    """Return a learner's streak.

    Args:
        user_id: the learner.
        view: what is held of the learner.
        record: of the learner, on today.
        count: days of the calendar.
        rules: of the product.
    """
    today = max(view.day, int(record["as_of"]))  # an event of another zone may have begun a day early
    walk = record["view"]
    alive = int(walk["streak"])
    began = int(record["as_of"]) != NEVER
    done_today = began and bool(bitmaps.has_day(record["qualifying_bits"], today))
    reached = zip(rules.streak.milestones, walk["milestones"].tolist(), strict=False)  # the record has room for more
    return StreakState(
        user_id=user_id,
        today=date_of(today),
        current_streak=alive,
        longest_streak=int(walk["longest_streak"]),
        freezes=int(walk["freezes"]),
        freezes_used=int(walk["freezes_used"]),
        active_today=began and bool(bitmaps.has_day(record["active_bits"], today)),
        done_today=done_today,
        at_risk=alive > 0 and not done_today,
        missed_days=(days.missed_before(record, today) or 0) if began else 0,
        next_milestone=_next_milestone(alive, rules),
        milestones=[ReachedMilestone(days=length, times=times) for length, times in reached if times],
        calendar=[
            CalendarDay(date=date_of(day.day), state=day.state, active=day.active)
            for day in days.calendar(record, today, count, rules)
        ],
    )


def _next_milestone(alive: int, rules: Rules) -> NextMilestone | None:
    length = next((length for length in rules.streak.milestones if length > alive), None)
    if length is None:
        return None
    xp, freezes = rules.actions["streak_milestone"].xp, int(length in rules.streak.freezes_at)
    return NextMilestone(days=length, xp=xp, freezes=freezes, days_to=length - alive)
