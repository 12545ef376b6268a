"""What is held of one learner, as those who ask are told it."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from actors.register import Profile


class LearnerView(NamedTuple):
    """All that is held of one learner, as of now."""

    record: NDArray[Any]  # one row of LEARNER, read-only
    profile: Profile
    day: int  # the learner's local day
    minute: int  # and minute of it
    triggers: int  # bits of engine.notifications.catalogue.TRIGGERS
