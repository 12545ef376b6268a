"""The parts of statements: actors, verbs, activities, results.

Whatever the specification makes mandatory is refused when it is missing or wrong: unknown keys, wrong case, nulls,
numbers as text, two identifiers of an actor. Sources: xAPI 1.0.3 part two (section 2.2 what to reject, 2.4 the
properties); IEEE 9274.1.1 (xAPI 2.0) sections 4.2.1 and 4.2.2.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.alias_generators import to_camel

from api.xapi.types import Duration, Extensions, Iri, Languages, Mailto, Name, Sha1, Text, Uuid


class Part(BaseModel):
    """What all parts have in common: known keys only, no nulls, no silent conversions."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, alias_generator=to_camel, protected_namespaces=()
    )

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, data: Any) -> Any:
        if isinstance(data, dict):
            nulls = [key for key, value in data.items() if value is None]
            if nulls:
                raise ValueError(f"{nulls[0]!r} left out instead of null")
        return data


class Account(Part):
    """A user account on some system."""

    home_page: Iri
    name: Name


class _Actor(Part):
    name: Text | None = None
    mbox: Mailto | None = None
    mbox_sha1sum: Sha1 | None = Field(None, alias="mbox_sha1sum")
    openid: Iri | None = None
    account: Account | None = None

    def identifiers(self) -> list[str]:
        """Return the names of the inverse functional identifiers that are given."""
        return [name for name in ("mbox", "mbox_sha1sum", "openid", "account") if getattr(self, name) is not None]


class Agent(_Actor):
    """A person or system, with exactly one identifier."""

    object_type: Literal["Agent"] = "Agent"

    @model_validator(mode="after")
    def _one_identifier(self) -> Self:
        if len(self.identifiers()) != 1:
            raise ValueError("exactly one of mbox, mbox_sha1sum, openid and account")
        return self


class Group(_Actor):
    """Several agents: identified like one of them, or anonymous with its members listed."""

    object_type: Literal["Group"]
    member: list[Agent] | None = None

    @model_validator(mode="after")
    def _identified_or_listed(self) -> Self:
        if len(self.identifiers()) > 1 or not (self.identifiers() or self.member):
            raise ValueError("a group with exactly one identifier, or with none and its members")
        return self


class Verb(Part):
    """What was done; only the IRI has a meaning, the display is for people."""

    id: Iri
    display: Languages | None = None


class Component(Part):
    """One option, step or the like of an interaction."""

    id: Text
    description: Languages | None = None


class Definition(Part):
    """Metadata of an activity."""

    name: Languages | None = None
    description: Languages | None = None
    type: Iri | None = None
    more_info: Iri | None = None
    interaction_type: (
        Literal[
            "true-false", "choice", "fill-in", "long-fill-in", "matching", "performance", "sequencing", "likert",
            "numeric", "other",
        ]
        | None
    ) = None  # fmt: skip
    correct_responses_pattern: list[Text] | None = None
    choices: list[Component] | None = None
    scale: list[Component] | None = None
    source: list[Component] | None = None
    target: list[Component] | None = None
    steps: list[Component] | None = None
    extensions: Extensions | None = None

    @model_validator(mode="after")
    def _interaction(self) -> Self:
        lists = (self.choices, self.scale, self.source, self.target, self.steps)
        for components in lists:
            ids = [component.id for component in components or ()]
            if len(ids) != len(set(ids)):
                raise ValueError("components of an interaction with an id each of their own")
        described = self.correct_responses_pattern is not None or any(part is not None for part in lists)
        if described and self.interaction_type is None:
            raise ValueError("an interactionType, since an interaction is described")
        return self


class Activity(Part):
    """What a learner did something with."""

    object_type: Literal["Activity"] = "Activity"
    id: Iri
    definition: Definition | None = None

    @property
    def type(self) -> str | None:
        """IRI of its type, if it says so."""
        return self.definition.type if self.definition else None


class ObjectAgent(Agent):
    """An agent as the object of a statement, which has to say that it is one."""

    object_type: Literal["Agent"]


class StatementRef(Part):
    """A pointer to another statement."""

    object_type: Literal["StatementRef"]
    id: Uuid


class Score(Part):
    """How well it went."""

    scaled: float | None = Field(None, ge=-1, le=1)
    raw: float | None = None
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError("min less than max")
        low, high = self.min, self.max
        if self.raw is not None and ((low is not None and self.raw < low) or (high is not None and self.raw > high)):
            raise ValueError("raw between min and max")
        return self


class Result(Part):
    """A measured outcome."""

    score: Score | None = None
    success: bool | None = None
    completion: bool | None = None
    response: Text | None = None
    duration: Duration | None = None
    extensions: Extensions | None = None


def kind_or(default: str) -> Discriminator:
    """Tell objects apart by their objectType, which may be left out for the default."""

    def kind(value: Any) -> str:
        named = value.get("objectType", default) if isinstance(value, dict) else getattr(value, "object_type", default)
        return named if isinstance(named, str) else type(named).__name__

    return Discriminator(kind)


AnyActor = Annotated[Annotated[Agent, Tag("Agent")] | Annotated[Group, Tag("Group")], kind_or("Agent")]
