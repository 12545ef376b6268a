"""Intake: events on their way from the rim to a learner actor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine import events

MOST_EVENTS = 4_096
"""Events of one message: 160 KB, a journal row that is written in one go, and a fold of some milliseconds."""


class EventIn(NamedTuple):
    """One event as the rim has accepted it."""

    learner: str
    key: int  # from `event_key`
    occurred_ms: int
    arrived_ms: int
    action: int  # code of the rules
    value: float  # NaN = none
    zone: str | None  # IANA name the event itself carries
    detail: Any  # what the sender said of it beside, for people; None = nothing


def event_key(event_id: str) -> int:
    """Return the 64-bit key by which the engine knows an event's id.

    >>> event_key("lesson-7-done") == event_key("lesson-7-done")
    True
    """
    return int.from_bytes(hashlib.blake2b(event_id.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Intake:
    """Events as they come in, all accepted by the rim.

    Args:
        events: rows of `EVENT`; ``learner`` is a place in ``learners``, local day and minute are still open.
        learners: ids, each once.
        zones: zone that each event itself names, None = none; empty = none at all.
        details: what the sender said of each event beside, for people; empty = nothing.
    """

    events: events.Events
    learners: list[str]
    zones: list[str | None]
    details: list[Any]

    @classmethod
    def of(cls, rows: Sequence[EventIn]) -> Intake:
        """Pack events for one actor; their order is kept."""
        learners, keys, occurred, arrived, actions, values, zones, details = zip(*rows, strict=True)
        places: dict[str, int] = {}
        batch = events.empty(len(rows))
        batch["learner"] = [places.setdefault(learner, len(places)) for learner in learners]
        batch["event_id"], batch["action"], batch["value"] = keys, actions, values
        batch["occurred_ms"], batch["arrived_ms"] = occurred, arrived
        own = list(zones) if any(zones) else []
        return cls(batch, list(places), own, list(details) if any(details) else [])
