"""The best use of a fixed number of calls: tutors have so much time, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.notifications.catalogue import catalogue
from engine.policies.base import NO_MESSAGE, Context, Policy, State

_TYPE = "human_outreach"


@dataclass(frozen=True)
class OutreachCapacity(Policy):
    """Calls the ``calls_a_day`` eligible learners of all who come first, ties by number of the learner.

    Args:
        calls_a_day: how many tutors can make, over all learners of the arm.
        first: who comes first: the highest ``risk``, or the ``intermediate`` one, whose risk is nearest to a half.
    """

    name: ClassVar[str] = "outreach_capacity"
    shares: ClassVar[bool] = True
    calls_a_day: int = 20
    first: Literal["risk", "intermediate"] = "risk"

    def __post_init__(self) -> None:
        """Refuse a number of calls below 0."""
        self._need("calls_a_day", self.calls_a_day >= 0, "0 or more")

    def gather(self, context: Context, matured: NDArray[Any]) -> State:
        """Return a partition's own first learners, with what they are ordered by."""
        rows = np.flatnonzero(context.may(catalogue().code(_TYPE)) & ~np.isnan(context.risk))
        risk = context.risk[rows]
        rank = risk if self.first == "risk" else -np.abs(risk - 50.0)
        return self._cut(rank, context.learners[rows], context.day)

    def merge(self, state: State, parts: Sequence[State]) -> State:
        """Return the first learners of all partitions."""
        ranks, learners = (np.concatenate([part[name] for part in parts]) for name in ("rank", "learner"))
        return self._cut(ranks, learners, int(parts[0]["day"]))

    def _cut(self, rank: NDArray[np.float64], learners: NDArray[np.int64], day: int) -> State:
        first = np.lexsort((learners, -rank))[: self.calls_a_day]
        return {"rank": rank[first], "learner": learners[first], "day": np.array(day)}

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return a call for each learner whom today's state names, if still eligible; nothing for all others."""
        code = catalogue().code(_TYPE)
        named = context.state.get("learner", np.zeros(0, np.int64))
        today = bool(context.state) and int(context.state["day"]) == context.day
        called = context.may(code) & np.isin(context.learners, named if today else named[:0])
        return context.sure(np.where(called, code, NO_MESSAGE).astype(np.int8))
