"""Views: what is held of learners, as those who ask are told it; nothing that a message depends on changes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.loop import Loop
from actors.register import Profile, Register
from engine.record import canonical_bytes, column


class LearnerView(NamedTuple):
    """All that is held of one learner, as of now."""

    record: NDArray[Any]  # one row of LEARNER, read-only
    profile: Profile
    day: int  # the learner's local day
    minute: int  # and minute of it
    triggers: int  # bits of engine.notifications.catalogue.TRIGGERS


class Views:
    """Answers about the learners of a loop.

    Attributes:
        loop: holds their records.
        register: knows who they are.
    """

    loop: Loop
    register: Register

    def learner(self, learner_id: str, now_ms: int) -> LearnerView:
        """Return all that is held of a learner; `InputError` if nobody has that id."""
        row = self.register.row(learner_id)
        at = np.array([row])
        day, minute = self.register.local(at, np.array([now_ms]), [None])
        day = np.maximum(day, self.loop.records["as_of"][at])  # who goes west does not live a day again
        profile, triggers = self.register.profiles.get(row, {}), self.loop.triggers_of(row)
        return LearnerView(self.loop.records[at], profile, int(day[0]), int(minute[0]), triggers)

    def learners(self, rows: list[int], now_ms: int) -> list[LearnerView | None]:
        """Return all that is held of the learners of rows, None = erased."""
        found = (self.register.ids[row] for row in rows)
        return [None if name is None else self.learner(name, now_ms) for name in found]

    def today(self, learner_id: str, now_ms: int) -> int:
        """Return a learner's local day, also of one who is new."""
        day, _ = self.register.local(self.register.place([learner_id])[0], np.array([now_ms]), [None])
        return int(day[0])

    def ids(self, start: int) -> list[str | None]:
        """Return the ids of rows from ``start`` on; None = erased."""
        return self.register.ids[start:]

    def unknown(self, learner_ids: list[str]) -> list[str]:
        """Return which of some ids nobody has."""
        known = self.register.known(learner_ids)
        return [each for each in learner_ids if each not in known]

    def columns(self, names: list[str], now_ms: int) -> dict[str, NDArray[Any]]:
        """Return fields of all records, ``view.xp`` among them, and ``today``, each learner's local day."""
        today = np.maximum(self.register.now(now_ms)[0], self.loop.records["as_of"])
        return {"today": today, **{name: column(self.loop.records, name).copy() for name in names}}

    def profiles(self, rows: list[int]) -> list[Profile]:
        """Return the profiles of rows, empty where there is none."""
        return [self.register.profiles.get(row, {}) for row in rows]

    def canonical(self, _arm: int, rows: Any) -> bytes:
        """Return the given records as the digest takes them."""
        return canonical_bytes(self.loop.records[np.asarray(rows)])
