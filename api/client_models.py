"""What the Python client sends, gets and raises; `api.client` is the client itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from engine.errors import EngageError


class ClientError(EngageError):
    """A call did not succeed."""


class UnreachableError(ClientError):
    """No whole answer came, however often it was tried; the events may or may not have counted. Send them again."""


class RefusedError(ClientError):
    """The service refused the call.

    Args:
        status: HTTP status.
        problem: its ``problem+json``: ``type, title, detail, item, got, expected, remedy, errors``, as far as given.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        told = {name: str(problem.get(name) or "") for name in ("item", "title", "got", "expected", "remedy")}
        super().__init__(told["item"] or told["title"] or f"HTTP status {status}", *list(told.values())[2:])
        self.args = (status, dict(problem))  # what it is made of, so that it pickles whole
        self.status = status
        self.problem = dict(problem)


class BusyError(RefusedError):
    """No good answer came for as long as this client is patient (408, 429, 500, 502-504); a later call may get one."""


class AccessError(RefusedError):
    """The key is unknown, or may not do this (401, 403)."""


class Told(BaseModel):
    """An answer: fields that this client does not know are kept in ``model_extra`` and otherwise ignored."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="allow", frozen=True)


def _name(value: object) -> object:
    return value.get("id") if isinstance(value, Mapping) else value


class Receipt(Told):
    """What became of an event, and how its learner stands after it."""

    status: Literal["accepted", "duplicate", "late", "refused"]
    event_id: str = ""
    xp_awarded: int = 0
    total_xp: int = 0
    level: int = 0
    level_name: str = ""
    leveled_up: bool = False
    streak: int = 0
    freezes: int = 0
    achievements: list[Annotated[str, BeforeValidator(_name)]] = []  # ids of those that the event unlocked
    outcomes: list[dict[str, Any]] = []
    item: str = ""  # of an item that a batch refused: what is wrong with it ...
    expected: str = ""  # ... and what would have been right


class Xp(Told):
    """A learner's XP and level."""

    user_id: str = ""
    total_xp: int = 0
    level: int = 0
    level_name: str = ""
    progress: float = 0.0  # of the way to the next level, 0-100
    xp_to_next_level: int | None = None
    rank: int | None = None


class Streak(Told):
    """A learner's streak."""

    user_id: str = ""
    current_streak: int = 0
    longest_streak: int = 0
    freezes: int = 0
    done_today: bool = False
    at_risk: bool = False  # a run is alive, and today does not count yet


class Risk(Told):
    """How likely a learner is to drop off: 0-100, and the band that this falls in."""

    user_id: str = ""
    drop_off_risk: float | None = None
    band: str = ""
    confidence: float | None = None
    reasons: list[Any] = []


class Standing(Told):
    """One entry of a leaderboard."""

    rank: int
    user_id: str | None = None
    display_name: str | None = None
    xp: int = 0


class Leaderboard(Told):
    """The best of a period."""

    period: str = ""
    entries: list[Standing] = []
    standing: Standing | None = None  # of the learner that was asked for


class Event(BaseModel):
    """An event to send; without an id it gets one here, which every attempt carries."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True, allow_inf_nan=False
    )

    user_id: str
    action: str
    event_id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    occurred_at: AwareDatetime | None = None
    value: float | None = None
    timezone: str | None = None
    course_id: str | None = None
