"""Outcomes: what changed for a learner, as the difference between the view before and after.

Every outcome is the move of a counter: up by one is a fact (``milestone_reached`` 7 for the 2nd time), down by one its
correction by a late event (``milestone_withdrawn``). Ids are made of ordinals (learner, kind, threshold, n-th time), so
that the same fact has the same id however often it is derived.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import view
from engine.compiled import compiled
from engine.record import LEARNER

OUTCOME = np.dtype(
    [
        ("learner", "<u4"),  # row of the learner in its actor
        ("day", "<i4"),  # the learner's local day on which it was derived
        ("threshold", "<i4"),  # milestone in days, level, place of the achievement; 0 = none
        ("ordinal", "<i4"),  # the n-th time; for XP the new total
        ("amount", "<i4"),  # XP gained; else 1
        ("kind", "<i4"),  # code: place in KINDS; four bytes, so that a row has no padding and equal rows equal bytes
    ],
    align=True,
)

KINDS = (
    "xp",
    "xp_withdrawn",
    "level_up",
    "level_withdrawn",
    "milestone_reached",
    "milestone_withdrawn",
    "freeze_awarded",
    "freeze_withdrawn",
    "freeze_lost",
    "freeze_loss_withdrawn",
    "freeze_used",
    "freeze_refunded",
    "streak_ended",
    "streak_restored",
    "achievement_unlocked",
    "achievement_withdrawn",
)
"""Names of the kinds; each fact at an even place is followed by its correction."""

MARGIN = 8_192
"""Free rows that a buffer needs before a learner is compared: more than one batch can move a learner's counters."""

XP, LEVEL, MILESTONE, AWARDED, LOST, USED, ENDED, ACHIEVEMENT = range(0, len(KINDS), 2)

_BEFORE = np.dtype([(name, *LEARNER.fields[name][:1]) for name in ("view", "achievements")], align=True)  # type: ignore[index]  # LEARNER has fields


def scratch() -> Any:
    """Return a row that holds a learner's view before a change."""
    return np.zeros(1, _BEFORE)[0]


def id_of(learner_id: str, outcome: Any) -> str:
    """Return the deterministic id of an outcome: the same fact always has the same id."""
    return f"{learner_id}/{KINDS[outcome['kind']]}/{outcome['threshold']}/{outcome['ordinal']}"


@compiled
def remember(r: Any, before: Any) -> None:
    """Keep what a later `compare` needs."""
    view.copy_walk(r["view"], before["view"])
    before["achievements"] = r["achievements"]


@compiled
def _emit(out: Any, used: int, r: Any, kind: int, threshold: int, ordinal: int, amount: int) -> int:
    row = out[used]
    row["learner"] = r["learner"]
    row["day"] = r["as_of"]
    row["threshold"] = threshold
    row["ordinal"] = ordinal
    row["amount"] = amount
    row["kind"] = kind
    return used + 1


@compiled
def _moved(out: Any, used: int, r: Any, kind: int, threshold: int, old: int, new: int) -> int:
    """Write one outcome for each step of a counter: the kind on its way up, the correction on its way down."""
    for ordinal in range(old + 1, new + 1):
        used = _emit(out, used, r, kind, threshold, ordinal, 1)
    for ordinal in range(old, new, -1):
        used = _emit(out, used, r, kind + 1, threshold, ordinal, 1)
    return used


@compiled
def compare(r: Any, before: Any, rules: Any, out: Any, used: int) -> int:
    """Append the outcomes that lead from ``before`` to the record's present view.

    Args:
        r: the record, refreshed.
        before: filled by `remember`.
        rules: one row of `engine.rules.RULES`.
        out: rows of `OUTCOME` with at least `MARGIN` free ones.
        used: rows already in use.

    Returns:
        rows in use afterwards.
    """
    old, new = before["view"], r["view"]
    gained = int(new["xp"]) - int(old["xp"])
    if gained > 0:
        used = _emit(out, used, r, XP, 0, int(new["xp"]), gained)
    elif gained < 0:
        used = _emit(out, used, r, XP + 1, 0, int(new["xp"]), -gained)
    for level in range(int(old["level"]) + 1, int(new["level"]) + 1):
        used = _emit(out, used, r, LEVEL, level, 1, 1)
    for level in range(int(old["level"]), int(new["level"]), -1):
        used = _emit(out, used, r, LEVEL + 1, level, 1, 1)
    for place in range(int(rules["milestone_count"])):
        days = int(rules["milestone_days"][place])
        used = _moved(out, used, r, MILESTONE, days, int(old["milestones"][place]), int(new["milestones"][place]))
    used = _moved(out, used, r, AWARDED, 0, int(old["freezes_awarded"]), int(new["freezes_awarded"]))
    used = _moved(out, used, r, LOST, 0, int(old["freezes_lost"]), int(new["freezes_lost"]))
    used = _moved(out, used, r, USED, 0, int(old["freezes_used"]), int(new["freezes_used"]))
    used = _moved(out, used, r, ENDED, 0, int(old["streaks_ended"]), int(new["streaks_ended"]))
    changed = int(before["achievements"]) ^ int(r["achievements"])
    for place in range(int(rules["achievement_count"])):
        if (changed >> place) & 1:
            lost = (int(before["achievements"]) >> place) & 1
            used = _emit(out, used, r, ACHIEVEMENT + lost, place, 1, 1)
    return used
