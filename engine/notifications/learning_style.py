"""Learning style: what a learner says of it, else what the learner has done most of lately."""

from __future__ import annotations

from typing import Any, get_args

from engine.notifications.facts import Style
from engine.rules import KINDS

_KINDS = {"video": ("video",), "reading": ("reading",), "practice": ("quiz", "assignment"), "social": ("social",)}
_FOUR_WEEKS = 2  # place of the half-life of 28 days in ``LEARNER.decayed``


def learning_style(record: Any, said: str | None) -> str | None:
    """Return a learner's style, None = not known.

    Recent is what counts with a half-life of 28 days, and all of the last days that may still change.

    Args:
        record: one row of `LEARNER`.
        said: what the profile says; a word that no language has a phrase for says nothing.
    """
    if said in get_args(Style):
        return said
    recent = record["decayed"][:, _FOUR_WEEKS] + record["open_kinds"].sum(axis=0)
    used = {style: sum(float(recent[KINDS.index(kind)]) for kind in kinds) for style, kinds in _KINDS.items()}
    most = max(used, key=lambda style: used[style])
    return most if used[most] > 0 else None
