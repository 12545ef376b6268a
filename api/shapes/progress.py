"""XP and level, as clients read them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.receipts import Receipts
from api.wire import Wire
from engine.rules import Rules


class NextLevel(Wire):
    """The level that comes next."""

    level: int = Field(description="Its number, from 1.", examples=[3])
    name: str = Field(description="Its name.", examples=["Student"])
    xp: int = Field(description="All XP that it takes.", examples=[250])


class Entitlement(Wire):
    """Something that a level brings, for your platform to honour."""

    level: int = Field(description="The level that brought it.", examples=[8])
    level_name: str = Field(description="Its name.", examples=["Guru"])
    reward: str = Field(description="What it is, as the rules say it.", examples=["5% discount"])


class XpState(Wire):
    """A learner's XP and level now."""

    user_id: str = Field(description="The learner.", examples=["u-17"])
    total_xp: int = Field(description="All XP.", examples=[150])
    level: int = Field(description="From 1.", examples=[2])
    level_name: str = Field(description="The level's name.", examples=["Learner"])
    next_level: NextLevel | None = Field(description="null on the last level.")
    progress: float = Field(description="Of the way to the next level, 0-100; 100 on the last.", examples=[33.3])
    xp_to_next_level: int | None = Field(description="XP that are missing; null on the last level.", examples=[100])
    rewards: list[str] = Field(description="What the present level brings.", examples=[[]])
    entitlements: list[Entitlement] = Field(description="What all levels so far have brought.")
    rank: int = Field(description="Among all learners by all XP: 1 + the number of those who have more.", examples=[4])
    learners: int = Field(description="How many learners there are.", examples=[1200])


def xp_state(user_id: str, record: Any, rules: Rules, receipts: Receipts, rank: int, learners: int) -> XpState:
    """Return a learner's XP and level.

    Args:
        user_id: the learner.
        record: one row of `engine.record.LEARNER`.
        rules: of the product.
        receipts: knows how far it is to the next level.
        rank: all-time.
        learners: on the same board.
    """
    xp, level = int(record["view"]["xp"]), int(record["view"]["level"])
    reached, coming = rules.levels[:level], rules.levels[level : level + 1]
    return XpState(
        user_id=user_id,
        total_xp=xp,
        level=level,
        level_name=reached[-1].name,
        next_level=next((NextLevel(level=level + 1, name=each.name, xp=each.xp) for each in coming), None),
        progress=receipts.progress(xp, level),
        xp_to_next_level=next((each.xp - xp for each in coming), None),
        rewards=list(reached[-1].rewards),
        entitlements=[
            Entitlement(level=number, level_name=each.name, reward=reward)
            for number, each in enumerate(reached, start=1)
            for reward in each.rewards
        ],
        rank=rank,
        learners=learners,
    )
