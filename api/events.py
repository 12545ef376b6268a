"""Events as clients send them: what is accepted, what is refused and why, before anything is journalled."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import to_json

from actors.intake import EventIn, event_key
from engine import calendar
from engine.arrival import LATE, TOO_OLD, age_verdict
from engine.errors import InputError, did_you_mean
from engine.rules import SCORED, Rules

_NO_CONTROL = r"^[^\x00-\x1f\x7f]+$"
LearnerId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_NO_CONTROL)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROL)]


Number = Annotated[float, Field(strict=True)]
"""A number as JSON has it, where pydantic would take "1" and true for one, too."""


MOST_PROPERTIES = 64
"""Members of an event's `properties`."""

MOST_PROPERTIES_BYTES = 16 << 10
"""All of them as JSON without blanks: what nobody reads need not be much."""


class Properties(BaseModel):
    """What some senders put beside the event, within bounds: read where the event itself says nothing."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    value: Number | None = None
    course_id: ShortText | None = Field(None, validation_alias=AliasChoices("courseId", "course_id"))

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        others = self.model_extra or {}
        if len(others) > MOST_PROPERTIES:
            raise ValueError(f"at most {MOST_PROPERTIES} members, not {len(others)}")
        if others and (size := len(to_json(others))) > MOST_PROPERTIES_BYTES:
            raise ValueError(f"at most {MOST_PROPERTIES_BYTES} bytes of JSON, not {size}")
        return self


EXAMPLE: dict[str, Any] = {
    "userId": "u-17",
    "action": "lesson_complete",
    "eventId": "lesson-42-done",
    "occurredAt": "2026-11-22T18:30:00Z",
    "timezone": "Europe/Berlin",
    "courseId": "python-101",
}
"""Of an event, for the reference."""


class EventBody(BaseModel):
    """One event. The names of Segment's ``track`` call are accepted, too."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [EXAMPLE]},
    )

    user_id: LearnerId = Field(
        validation_alias=AliasChoices("userId", "learnerId"),
        description=(
            "The learner, by your own id; taken as it stands. Ids that differ in case or in Unicode's normal form only,"
            " though they look the same, are different learners."
        ),
    )
    action: ShortText = Field(
        validation_alias=AliasChoices("action", "event"), description="An action of the rules, such as lesson_complete."
    )
    event_id: ShortText | None = Field(
        None,
        validation_alias=AliasChoices("eventId", "messageId"),
        description="Your id of this event. Sent again under the same id it counts once and answers as the first time.",
    )
    occurred_at: AwareDatetime | None = Field(
        None,
        validation_alias=AliasChoices("occurredAt", "timestamp"),
        description="When it happened, ISO 8601 with a zone; default: now.",
    )
    value: Number | None = Field(None, description="A score from 0 to 1, minutes, ... by action.")
    timezone: ShortText | None = Field(
        None, description="IANA name of the learner's zone at that moment; default: the profile's."
    )
    course_id: ShortText | None = Field(None, validation_alias=AliasChoices("courseId", "course_id"))
    properties: Properties | None = None
    type: str | None = Field(None, pattern="^track$", description="Accepted for Segment's sake.")

    @field_validator("occurred_at", mode="before")
    @classmethod
    def _no_number(cls, told: object) -> object:
        """Refuse numbers, also in quotes: pydantic would guess by their size whether they are seconds or less."""
        if told is None or isinstance(told, datetime) or (isinstance(told, str) and told[4:5] == "-"):
            return told
        raise ValueError("an instant with a zone, such as 2026-11-22T18:30:00Z")

    @field_validator("occurred_at", mode="after")
    @classmethod
    def _of_our_time(cls, instant: datetime | None) -> datetime | None:
        if instant is not None and not 1970 <= instant.year <= 2199:
            raise ValueError("an instant between 1970 and 2199")
        return instant


class Accepted(NamedTuple):
    """An event that the engine will take in."""

    row: EventIn
    event_id: str  # under which it is known from now on


class Gate:
    """Accepts or refuses single events, on the rules and the clock alone.

    Args:
        rules: of the product.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._sendable = {name: code for name, code in rules.codes.items() if not rules.actions[name].derived}
        self._zones = frozenset(calendar.zone_names())
        # The rule as plain Python, over plain numbers: for one event at a time, entering compiled code costs more.
        self._limits = {name: int(rules.record[name]) for name in ("grace_ms", "horizon_ms", "future_ms")}
        self._age_verdict = getattr(age_verdict, "py_func", age_verdict)

    def accept(self, body: EventBody, now_ms: int, *, client: bool = False, default_id: str | None = None) -> Accepted:
        """Return what the engine takes in.

        Args:
            body: the event.
            now_ms: instant of its arrival, UTC.
            client: a learner's own token sends it, so only some actions may be sent.
            default_id: its id where it has none of its own.

        Raises:
            InputError: it is refused; nothing has happened.
        """
        action = self._action(body.action, client=client)
        value = body.value
        course = body.course_id
        if body.properties is not None:
            value = body.properties.value if value is None else value
            course = course or body.properties.course_id
        if value is not None and body.action in SCORED and not 0 <= value <= 1:
            raise InputError("value", repr(value), "a score from 0 to 1", "Divide a percentage by 100.")
        if value is not None and abs(value) > 1e9:
            raise InputError("value", repr(value), "a number up to 1e9")
        if body.timezone is not None and body.timezone not in self._zones:
            calendar.zone(body.timezone)  # refuses it, with the nearest name
        occurred_ms = now_ms if body.occurred_at is None else _ms(body.occurred_at)
        self._check_age(occurred_ms, now_ms)
        event_id = body.event_id or default_id or self._own_id(body, occurred_ms, value, course)
        detail = [event_id, course, body.timezone]
        number = math.nan if value is None else value
        row = EventIn(body.user_id, event_key(event_id), occurred_ms, now_ms, action, number, body.timezone, detail)
        return Accepted(row, event_id)

    def _action(self, name: str, *, client: bool) -> int:
        code = self._sendable.get(name)
        if code is None:
            if name in self._rules.codes:
                raise InputError("action", repr(name), "an action that can be sent", "The engine makes it itself.")
            raise InputError("action", repr(name), "an action of the rules", did_you_mean(name, self._sendable))
        if client and not self._rules.actions[name].client:
            raise InputError("action", repr(name), "an action that learners may send", "Send it with a service's key.")
        return code

    def _check_age(self, occurred_ms: int, now_ms: int) -> None:
        verdict = self._age_verdict(occurred_ms, now_ms, self._limits)
        if verdict <= LATE:
            return
        limits = self._rules.limits
        if verdict == TOO_OLD:
            got, expected = f"an instant {(now_ms - occurred_ms) / calendar.MS_PER_DAY:.0f} days ago", "at most"
            remedy = "History is brought in before a learner goes live: see `engage import`."
            raise InputError("occurredAt", got, f"{expected} {limits.horizon_days} days", remedy)
        got = f"an instant {(occurred_ms - now_ms) / calendar.MS_PER_MINUTE:.0f} minutes ahead"
        raise InputError("occurredAt", got, f"at most {limits.future_minutes}", "Check the sender's clock.")

    @staticmethod
    def _own_id(body: EventBody, occurred_ms: int, value: float | None, course: str | None) -> str:
        """Return an id made of what the event says; without an instant of its own, every sending is a new event."""
        if body.occurred_at is None:
            return f"engage-{uuid.uuid4()}"
        return id_of_content(body.user_id, occurred_ms, body.action, value, course)


def id_of_content(learner: str, occurred_ms: int, action: str, value: float | None, course: str | None) -> str:
    """Return the id of an event that has none of its own: whoever says the same of it again means the same event."""
    text = "\x1f".join(["" if part is None else str(part) for part in (learner, occurred_ms, action, value, course)])
    return f"engage-{event_key(text):016x}"


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
