"""From statements to events, by data: `mapping.toml` says what a verb on a type of activity is worth."""

from __future__ import annotations

import functools
import hashlib
import json
import string
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from api.events import EventBody, ShortText
from api.xapi.errors import ForbiddenStatementError, XapiError
from api.xapi.parts import Activity, Agent, Result
from api.xapi.statements import VOIDED, Statement
from api.xapi.types import minutes
from engine.errors import InputError, did_you_mean
from engine.rules import Rules

DEFAULT_FILE = Path(__file__).with_name("mapping.toml")
_COURSE = TypeAdapter(ShortText)
IGNORE = "ignore"
OTHER = "other"
_PLACEHOLDERS = {
    "account": {"name", "homePage"},
    "mbox": {"address", "sha1"},
    "mbox_sha1sum": {"sha1"},
    "openid": {"openid"},
}


@dataclass(frozen=True)
class Mapped:
    """A statement that is an event.

    Args:
        statement_id: its id, given or made.
        event: what the intake takes: ``userId, action, eventId`` and, where known, ``occurredAt, value, courseId``.
    """

    statement_id: str
    event: dict[str, Any]


@dataclass(frozen=True)
class Skipped:
    """A good statement of which no event comes.

    Args:
        statement_id: its id, given or made.
        reason: why not, for people.
    """

    statement_id: str
    reason: str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Learner(_Strict):
    account: str
    home_pages: tuple[str, ...]
    mbox: str
    mbox_sha1sum: str
    openid: str


class _Unwanted(_Strict):
    groups: Literal["refuse", "skip"]
    voiding: Literal["refuse", "skip"]


class _Agreement(_Strict):
    completion: bool | None = None
    success: bool | None = None


class Mapping(_Strict):
    """The rules of `mapping.toml`, validated by `load`.

    **Who a learner is** follows from the one identifier of the actor, by the templates of ``[learner]``: an account's
    ``name`` (the id that the platform knows the learner by and sends to ``track``, too), else the ``mbox_sha1sum``,
    given or made of the ``mbox`` (one id for both, and no address is kept), else the ``openid``.

    **Which course** it was: the first activity of type ``course`` among object, parent and grouping; where none says
    its type, the first of grouping, else of parent (the specification's own example puts the course into grouping and
    the test into parent). An IRI that is too long for the id of a course is left out.
    """

    learner: _Learner
    unwanted: _Unwanted
    verbs: dict[str, tuple[str, ...]]
    types: dict[str, tuple[str, ...]]
    actions: dict[str, dict[str, str]]
    ignored: dict[str, str]
    requires: dict[str, _Agreement]
    values: dict[str, Literal["score", "minutes"]]

    @functools.cached_property
    def _verb_of(self) -> dict[str, str]:
        return {iri: word for word, iris in self.verbs.items() for iri in iris}

    @functools.cached_property
    def _type_of(self) -> dict[str, str]:
        return {iri: word for word, iris in self.types.items() for iri in iris}

    def map(self, statement: Statement, statement_id: str) -> Mapped | Skipped:
        """Return the event that a statement is, or why it is none.

        Raises:
            XapiError: it is one that is to be refused (``[unwanted]``).
        """
        action = self._action(statement)
        if isinstance(action, _Reason):
            return Skipped(statement_id, action)
        user = self._user(statement.actor) if isinstance(statement.actor, Agent) else _group(self.unwanted.groups)
        if isinstance(user, _Reason):
            return Skipped(statement_id, user)
        event: dict[str, Any] = {"userId": user, "action": action, "eventId": statement_id}
        if statement.timestamp is not None:
            event["occurredAt"] = statement.timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        value = _value(self.values.get(action), statement.result)
        event |= _given(value=value, courseId=self._course(statement))
        try:
            EventBody.model_validate(event)  # an id or a year that xAPI allows and the intake does not
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            return Skipped(statement_id, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        return Mapped(statement_id, event)

    def _action(self, statement: Statement) -> str | _Reason:
        iri = statement.verb.id
        if iri == VOIDED:
            return _voiding(self.unwanted.voiding)
        if not isinstance(statement.object, Activity):
            return _Reason(f"the object is no Activity but a {statement.object.object_type}")
        verb = self._verb_of.get(iri)
        if verb is None:
            return _Reason(f"no action for the verb {iri}")
        if verb in self.ignored:
            return _Reason(f"{verb}: {self.ignored[verb]}")
        known = self._type_of.get(statement.object.type or "", OTHER)
        table = self.actions[verb]
        action = table.get(known) or table.get(OTHER)
        if action is None or action == IGNORE:
            return _Reason(f"no action for {verb} on {known if known != OTHER else statement.object.type or 'no type'}")
        return _disagreement(verb, self.requires.get(verb), statement.result) or action

    def _user(self, agent: Agent) -> str | _Reason:
        learner = self.learner
        if agent.account is not None:
            if learner.home_pages and agent.account.home_page not in learner.home_pages:
                return _Reason(f"accounts of {agent.account.home_page} are no learners here")
            return learner.account.format(name=agent.account.name, homePage=agent.account.home_page)
        if agent.mbox is not None:
            local, _, domain = agent.mbox.removeprefix("mailto:").rpartition("@")
            address = f"{local}@{domain.lower()}"  # the domain's case has no meaning, and the hash is of lower case
            sha1 = hashlib.sha1(f"mailto:{address}".encode(), usedforsecurity=False).hexdigest()
            return learner.mbox.format(address=address, sha1=sha1)
        if agent.mbox_sha1sum is not None:
            return learner.mbox_sha1sum.format(sha1=agent.mbox_sha1sum.lower())
        return learner.openid.format(openid=agent.openid)

    def _course(self, statement: Statement) -> str | None:
        around = statement.context.context_activities if statement.context else None
        parents, groups = (around.parent or [], around.grouping or []) if around else ([], [])
        itself = [statement.object] if isinstance(statement.object, Activity) else []
        courses = [each for each in (*itself, *parents, *groups) if self._type_of.get(each.type or "") == "course"]
        found = (courses or groups or parents)[:1]
        # An IRI may be longer than an id of a course here; what was done counts without it.
        return next((each.id for each in found if _fits(each.id)), None)


def load(rules: Rules, path: Path | None = None) -> Mapping:
    """Return the mapping, overridden by the tables of a file of the user's own.

    Args:
        rules: whose actions it may name.
        path: the user's file; entries of a table override ours by name.

    Raises:
        InputError: unreadable file, unknown key, unknown action, or an IRI that stands twice.
    """
    data = _read(DEFAULT_FILE)
    if path is not None:
        for table, entries in _read(path).items():
            ours = data.get(table, {})
            data[table] = {**ours, **entries} if isinstance(ours, dict) and isinstance(entries, dict) else entries
    file = str(path or DEFAULT_FILE)
    try:
        # As JSON, where even a strict list may stand for a tuple.
        mapping = Mapping.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{file}: {'.'.join(map(str, first['loc']))}"
        raise InputError(what, repr(first["input"]), first["msg"], "See api/xapi/mapping.toml.") from None
    _check(file, mapping, rules)
    return mapping


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(str(path), str(error), "a readable TOML file") from None


def _check(file: str, mapping: Mapping, rules: Rules) -> None:
    for table in ("verbs", "types"):
        iris = [iri for word in getattr(mapping, table).values() for iri in word]
        twice = sorted({iri for iri in iris if iris.count(iri) > 1})
        if twice:
            raise InputError(f"{file}: {table}", f"{twice[0]} twice", "each IRI under one word")
    for verb in mapping.verbs:
        if (verb in mapping.actions) == (verb in mapping.ignored):
            raise InputError(f"{file}: verbs.{verb}", "", "an entry under [actions] or under [ignored], not both")
    named = {(verb, kind): action for verb, table in mapping.actions.items() for kind, action in table.items()}
    named |= {("values", action): action for action in mapping.values}
    for (verb, kind), action in named.items():
        if verb != "values" and kind not in (*mapping.types, OTHER):
            raise InputError(
                f"{file}: actions.{verb}", repr(kind), "a word of [types]", did_you_mean(kind, mapping.types)
            )
        if action != IGNORE and (action not in rules.actions or rules.actions[action].derived):
            remedy = did_you_mean(action, (name for name, entry in rules.actions.items() if not entry.derived))
            raise InputError(f"{file}: {verb}.{kind}", repr(action), "an action of the rules that may be sent", remedy)
    for name, allowed in _PLACEHOLDERS.items():
        used = {
            field for _, field, _, _ in string.Formatter().parse(getattr(mapping.learner, name)) if field is not None
        }
        if not used or used - allowed:
            raise InputError(f"{file}: learner.{name}", repr(used), f"a text with some of {sorted(allowed)} in braces")


class _Reason(str):
    """Why a statement makes no event."""

    __slots__ = ()


def _voiding(answer: Literal["refuse", "skip"]) -> _Reason:
    if answer == "refuse":
        raise ForbiddenStatementError(
            "verb",
            "voided",
            "a statement about something done",
            "What has counted stays counted here. Send the batch without its voiding statements.",
        )
    return _Reason("voided: what has counted stays counted")


def _group(answer: Literal["refuse", "skip"]) -> _Reason:
    if answer == "refuse":
        raise XapiError("actor", "a Group", "an Agent: one learner", "Send one statement for each member.")
    return _Reason("the actor is a Group, so nobody in particular")


def _disagreement(verb: str, wanted: _Agreement | None, result: Result | None) -> _Reason | None:
    for name in ("completion", "success") if wanted and result else ():
        want, got = getattr(wanted, name), getattr(result, name)
        if None not in (want, got) and want != got:
            return _Reason(f"{verb}, but result.{name} is {str(got).lower()}")
    return None


def _value(source: Literal["score", "minutes"] | None, result: Result | None) -> float | None:
    if source is None or result is None:
        return None
    if source == "minutes":
        return minutes(result.duration) if result.duration else None
    score = result.score
    if score is None:
        return None
    if score.scaled is not None:
        return max(0.0, score.scaled)
    if score.raw is None or score.max is None or score.max <= (score.min or 0.0):
        return None
    low = score.min or 0.0
    return min(1.0, max(0.0, (score.raw - low) / (score.max - low)))


def _fits(course: str) -> bool:
    try:
        _COURSE.validate_python(course)
    except ValidationError:
        return False
    return True


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
