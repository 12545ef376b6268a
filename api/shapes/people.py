"""How learners appear to others, as they have chosen to be shown."""

from __future__ import annotations

from pydantic import Field

from actors.views import LearnerView
from api.wire import Wire
from engine.rules import Rules

ANONYMOUS = "Anonymous learner"


class BoardLine(Wire):
    """One line of a leaderboard."""

    rank: int = Field(description="Shared by equal XP; the next rank is skipped then: 1, 1, 3.", examples=[1])
    user_id: str | None = Field(description="null for learners who are anonymous.", examples=["u-17"])
    display_name: str | None = Field(
        description=f"From the profile; `{ANONYMOUS}` for those who so chose.", examples=["Ada"]
    )
    picture_url: str | None = Field(description="From the profile.", examples=["https://cdn.example.org/u-17.png"])
    level: int = Field(description="From 1.", examples=[2])
    level_name: str = Field(description="The level's name.", examples=["Learner"])
    xp: int = Field(description="Of the period.", examples=[150])
    anonymous: bool = Field(description="Whether the learner is shown to others without name.", examples=[False])


def board_line(rank: int, xp: int, user_id: str, view: LearnerView, rules: Rules, *, known: bool) -> BoardLine:
    """Return a line of a leaderboard.

    Args:
        rank: of the learner.
        xp: of the period.
        user_id: the learner.
        view: what is held of the learner.
        rules: of the product.
        known: whoever asks may know who it is, also where the learner is anonymous.
    """
    anonymous = bool(view.profile.get("anonymous"))
    shown = known or not anonymous
    level = int(view.record["view"]["level"][0])
    return BoardLine(
        rank=rank,
        user_id=user_id if shown else None,
        display_name=view.profile.get("displayName") if shown else ANONYMOUS,
        picture_url=view.profile.get("pictureUrl") if shown else None,
        level=level,
        level_name=rules.levels[level - 1].name,
        xp=xp,
        anonymous=anonymous,
    )
