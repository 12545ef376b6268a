"""Statements of xAPI 1.0.3 and 2.0 as the specification has them, and nothing else.

Sources: xAPI 1.0.3 part two, sections 2.3.2 (voiding) and 2.4; IEEE 9274.1.1 (xAPI 2.0) sections 4.2.2.5 and 4.2.4.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, Tag, ValidationInfo, field_validator, model_validator

from api.xapi.parts import Activity, Agent, AnyActor, Group, ObjectAgent, Part, Result, StatementRef, Verb, kind_or
from api.xapi.types import Extensions, Instant, Iri, Language, Languages, Sha2, Text, Uuid, Version
from api.xapi.versions import V1

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
"""The one verb that the specification itself reserves."""


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value  # a single activity is allowed, for statements of 0.95


Activities = Annotated[list[Activity], BeforeValidator(_as_list)]


class ContextActivities(Part):
    """Activities that this one is part of or has to do with."""

    parent: Activities | None = None
    grouping: Activities | None = None
    category: Activities | None = None
    other: Activities | None = None


class ContextAgent(Part):
    """An agent that a statement of 2.0 has to do with."""

    object_type: Literal["contextAgent"]
    agent: Agent
    relevant_types: Annotated[list[Iri], Field(min_length=1)] | None = None


class ContextGroup(Part):
    """A group that a statement of 2.0 has to do with."""

    object_type: Literal["contextGroup"]
    group: Group
    relevant_types: Annotated[list[Iri], Field(min_length=1)] | None = None


class Context(Part):
    """What gives a statement more meaning."""

    registration: Uuid | None = None
    instructor: AnyActor | None = None
    team: Group | None = None
    context_activities: ContextActivities | None = None
    context_agents: list[ContextAgent] | None = None
    context_groups: list[ContextGroup] | None = None
    revision: Text | None = None
    platform: Text | None = None
    language: Language | None = None
    statement: StatementRef | None = None
    extensions: Extensions | None = None

    @field_validator("context_agents", "context_groups")
    @classmethod
    def _since_2(cls, value: Any, info: ValidationInfo) -> Any:
        if (info.context or {}).get("version") == V1:
            raise ValueError("none of these in a request of xAPI 1.0: they came with 2.0")
        return value


class Attachment(Part):
    """The header of an attachment; its data would have to come as another part of a multipart request."""

    usage_type: Iri
    display: Languages
    description: Languages | None = None
    content_type: Text
    length: int = Field(ge=0)
    sha2: Sha2
    file_url: Iri | None = None

    @model_validator(mode="after")
    def _elsewhere(self) -> Self:
        if self.file_url is None:
            raise ValueError("a fileUrl: attachments themselves are not stored here")
        return self


class _Claim(Part):
    actor: AnyActor
    verb: Verb
    result: Result | None = None
    context: Context | None = None
    timestamp: Instant | None = None
    attachments: list[Attachment] | None = None


def _about_activity(claim: SubStatement | Statement) -> None:
    context = claim.context
    if context and not isinstance(claim.object, Activity) and not (context.revision is context.platform is None):
        raise ValueError("no context.revision and context.platform, which are for statements about an Activity")


_PlainObject = (
    Annotated[Activity, Tag("Activity")]
    | Annotated[ObjectAgent, Tag("Agent")]
    | Annotated[Group, Tag("Group")]
    | Annotated[StatementRef, Tag("StatementRef")]
)


class SubStatement(_Claim):
    """A statement within a statement: something planned or imagined, not something that happened."""

    object_type: Literal["SubStatement"]
    object: Annotated[_PlainObject, kind_or("Activity")]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _about_activity(self)
        return self


class Statement(_Claim):
    """Who did what with what, and how it went."""

    id: Uuid | None = None
    object: Annotated[_PlainObject | Annotated[SubStatement, Tag("SubStatement")], kind_or("Activity")]
    stored: Instant | None = None
    authority: AnyActor | None = None
    version: Version | None = None

    @field_validator("version")
    @classmethod
    def _version_fits(cls, value: str | None, info: ValidationInfo) -> str | None:
        # 1.0.3 has to refuse others; 2.0 should not refuse a statement for its version alone.
        if value is not None and (info.context or {}).get("version") == V1 and not value.startswith("1.0."):
            raise ValueError("1.0.x, as the request is of xAPI 1.0")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _about_activity(self)
        if self.verb.id == VOIDED and not isinstance(self.object, StatementRef):
            raise ValueError("a StatementRef as object, since the statement voids another")
        if isinstance(self.authority, Group) and len(self.authority.member or ()) != 2:
            raise ValueError("as authority an Agent, or a Group of exactly two: application and user")
        return self
