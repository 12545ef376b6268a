"""The decision log: each decision with all that it was made on, its propensity and, a week later, what became of it.

It is what learning policies learn from, and what any policy can be evaluated on off-policy. One table, the same in a
simulation and live.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from engine import bitmaps
from engine.compiled import compiled
from engine.policies.base import Context, Decision
from engine.policies.features import COUNT, features
from engine.record import NOTIFICATION_TYPES, Records

Reward = Literal["active_1", "active_3", "active_7"]
"""A reward by name: active days of so many, that of the decision included."""


def days_of(reward: Reward) -> int:
    """Return over how many days a reward looks."""
    return int(reward.removeprefix("active_"))


REWARD_DAYS: tuple[int, ...] = tuple(days_of(name) for name in get_args(Reward))
"""Days after a decision, its own included, whose active days are counted."""
MATURE_DAYS = max(REWARD_DAYS)
"""Days that must have ended until all rewards of a decision are known."""
RESTED_LIMIT_DAYS = 255
UNKNOWN = -1

DECISION = np.dtype(
    [
        ("learner", "<u4"),  # number in the whole population
        ("day", "<i4"),  # local day
        ("risk", "<f8"),  # 0-100, NaN = not scored
        ("propensity", "<f8"),  # probability in (0, 1] of the choice
        ("standing", "|u1"),  # code
        ("eligible", "<u2"),  # bits by type
        ("possible", "<u4"),  # what the policy might have chosen, bits by type and `NOTHING_BIT`
        ("chosen", "|i1"),  # type, -1 = nothing
        ("sent", "|i1"),  # type that reached the learner, -1 = nothing did
        ("features", "<i2", (COUNT,)),  # in 1/256, by `engine.policies.features.NAMES`
        ("rested_days", "|u1", (NOTIFICATION_TYPES,)),  # since the last send by type; 255 = longer ago, or never
        *((f"active_{days}", "|i1") for days in REWARD_DAYS),  # active days of so many, the decision's included; -1 = ?
    ],
    align=True,
)
"""One decision."""


def described(records: Records, rows: NDArray[np.int64], context: Context, decision: Decision) -> NDArray[Any]:
    """Return decisions on some learners, before anything comes of them.

    All policies' logs look alike, so any policy can be asked about them, also one that reads what this one did not.

    Args:
        records: one row a learner, as the context has them.
        rows: of the learners whose decisions are wanted.
        context: on which it was decided.
        decision: on everyone in the context.
    """
    log = np.zeros(len(rows), DECISION)
    for name in ("risk", "standing", "eligible"):
        log[name] = getattr(context, name)[rows]
    log["learner"], log["day"] = context.learners[rows], context.day
    log["chosen"], log["sent"] = decision.kinds[rows], UNKNOWN
    log["propensity"], log["possible"] = decision.propensity[rows], decision.possible[rows]
    log["features"] = context.features[rows] if len(context.features) else features(records, rows)
    log["rested_days"] = rested_days(records, rows, context.day)
    for days in REWARD_DAYS:
        log[f"active_{days}"] = UNKNOWN
    return log


def rested_days(records: Records, rows: NDArray[np.int64], day: int) -> NDArray[np.uint8]:
    """Return the days since each type was last sent to some learners, 0-255, shape (n, types)."""
    last = records["sent_days"][rows].astype(np.int64)
    return np.where(last == 0, RESTED_LIMIT_DAYS, np.clip(day - last, 0, RESTED_LIMIT_DAYS)).astype(np.uint8)


def reward(log: NDArray[Any], records: Records, rows: NDArray[np.int64], ended_day: int) -> None:
    """Enter the rewards that are known once a local day has ended.

    Args:
        log: rows of `DECISION`, changed here.
        records: of the learners, whose days are known up to ``ended_day``.
        rows: the record of each decision's learner.
        ended_day: the last local day that has ended.
    """
    for days in REWARD_DAYS:
        _count(log["day"], records, rows, days, ended_day, log[f"active_{days}"])


@compiled
def _count(decided: Any, records: Any, rows: Any, days: int, ended_day: int, out: Any) -> None:
    for i in range(len(rows)):
        last = int(decided[i]) + days - 1
        if last <= ended_day:
            active = bitmaps.window(records[rows[i]]["active_bits"], last)
            out[i] = bitmaps.count(active & ((1 << days) - 1))
