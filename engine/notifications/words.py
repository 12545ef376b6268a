"""The words of notifications: for each type and language a handful of templates, of which the first that suits is sent.

Each variant (subject, push text ...) is a list of alternatives, from the most to the least personal. Sent is the first
whose fields are all known and which is not too long with them. The last needs no field and fits, which is seen when the
templates are read. So a template has no conditions, and nothing is ever missing in a text or cut off at its end.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from engine.errors import InputError, did_you_mean
from engine.notifications.catalogue import catalogue
from engine.notifications.facts import FIELDS, Alternatives, Direction, Facts, Language, fields

_SHIPPED = Path(__file__).with_name("templates")
_LANGUAGES = "languages"

LIMITS = {  # characters
    "greeting": 60,  # a longest name and a word beside it
    "subject": 78,  # a line of an e-mail: RFC 5322, section 2.1.1
    "body": 1_000,  # our choice: one screen of a phone
    "push_title": 50,  # one line on the lock screen of a phone, as makers of push services count it
    "push": 178,  # four lines on the same screen; Android shows about 240
    "sms": 160,  # one SMS of the GSM 7-bit alphabet: 3GPP TS 23.040, section 9.2.3.24.1
    "in_app": 200,  # our choice: two or three lines of a banner
}
_UNICODE_SMS = 70  # one SMS with any other character: 140 octets of UCS-2, same source
_GSM = frozenset(  # 3GPP TS 23.038, section 6.2.1
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWO = frozenset("^{}\\[~]|€")  # each takes the room of two: section 6.2.1.1

_T = TypeVar("_T")


class Texts(BaseModel):
    """The alternatives of one type in one language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: Alternatives
    body: Alternatives
    push_title: Alternatives
    push: Alternatives
    sms: Alternatives
    in_app: Alternatives


@dataclass(frozen=True)
class Rendered:
    """A notification in words, plain text throughout.

    Args:
        subject: of the e-mail, one line.
        body: of the e-mail: the greeting, an empty line, the text.
        push_title: one line.
        push: one line.
        sms: one line, one SMS.
        in_app: one line.
        direction: in which the language is written.
        locale: the language, as ``languages.toml`` names it.
    """

    subject: str
    body: str
    push_title: str
    push: str
    sms: str
    in_app: str
    direction: Direction
    locale: str


@dataclass(frozen=True)
class _Alternative:
    needs: frozenset[str]
    template: Template


class Words:
    """The templates of every type in every language.

    Args:
        folder: a user's own; a file of it takes the place of the shipped one of its name. The first language of its
            ``languages.toml`` is what those of any other language get.

    Raises:
        InputError: a file is unknown or malformed, or lacks a language or a variant; a template is more than text and
            known fields, or a last alternative needs a field or is too long.
    """

    def __init__(self, folder: Path | None = None) -> None:
        # Nothing is escaped: these are plain texts, and who sets them in HTML escapes them there.
        self._environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
        known = (_LANGUAGES, *catalogue().names)
        own = {path.stem: path for path in sorted(folder.glob("*.toml"))} if folder else {}
        for name, path in own.items():
            if name not in known:
                raise InputError(str(path), "an unknown name", "that of a type", did_you_mean(name, known))
        paths = {name: own.get(name, _SHIPPED / f"{name}.toml") for name in known}
        file = paths[_LANGUAGES]
        self._languages = _read(file, TypeAdapter(dict[str, Language]))
        if not self._languages:
            raise InputError(str(file), "no language", "at least one")
        self._greetings = {
            tag: self._alternatives(file, tag, "greeting", language.greeting)
            for tag, language in self._languages.items()
        }
        self._texts = {kind: self._type(paths[kind]) for kind in catalogue().names}

    def render(self, kind: str, locale: str | None, facts: Facts) -> Rendered:
        """Return a notification in the words of a learner's language.

        Args:
            kind: type of the catalogue.
            locale: language tag such as ``de-AT``, which gets ``de``; None = not known.
            facts: what may be said.

        Raises:
            InputError: there is no such type.
        """
        catalogue().code(kind)
        tag = self._tag(locale)
        language = self._languages[tag]
        known = fields(facts, language)
        said = {name: _first(name, options, known) for name, options in self._texts[kind][tag].items()}
        said["body"] = f"{_first('greeting', self._greetings[tag], known)}\n\n{said['body']}"
        return Rendered(**said, direction=language.direction, locale=tag)

    def _tag(self, locale: str | None) -> str:
        """Return the nearest language (RFC 4647, section 3.4: the tag is shortened from its end until one is known)."""
        tags = {tag.lower(): tag for tag in self._languages}
        parts = (locale or "").lower().replace("_", "-").split("-")
        shorter = ("-".join(parts[:count]) for count in range(len(parts), 0, -1))
        return next((tags[tag] for tag in shorter if tag in tags), next(iter(self._languages)))

    def _type(self, file: Path) -> dict[str, dict[str, Sequence[_Alternative]]]:
        """Read the templates of one type: language, variant, alternatives."""
        texts = _read(file, TypeAdapter(dict[str, Texts]))
        for tag in self._languages:
            if tag not in texts:
                raise InputError(f"{file}: {tag}", "nothing", f"each language of {_LANGUAGES}.toml")
        for tag in texts:
            if tag not in self._languages:
                raise InputError(f"{file}: {tag}", "an unknown language", "", did_you_mean(tag, self._languages))
        return {
            tag: {name: self._alternatives(file, tag, name, getattr(each, name)) for name in Texts.model_fields}
            for tag, each in texts.items()
        }

    def _alternatives(self, file: Path, tag: str, variant: str, sources: Sequence[str]) -> Sequence[_Alternative]:
        made = []
        for place, source in enumerate(sources, 1):
            where = f"{file}: {tag}.{variant}, alternative {place}"
            made.append(_Alternative(self._needs(where, source), self._environment.from_string(source)))
            breaks = [char for char in source if unicodedata.category(char) == "Cc"]
            if not source.strip() or set(breaks) > ({"\n"} if variant == "body" else set()):
                raise InputError(where, repr(source), "a text" if variant == "body" else "one line of text")
        where, last = f"{file}: {tag}.{variant}, last alternative", made[-1]
        if last.needs:
            raise InputError(where, ", ".join(sorted(last.needs)), "no field, so that it can always be sent")
        if (excess := too_long_by(variant, sources[-1])) > 0:
            raise InputError(where, repr(sources[-1]), f"a text that is shorter by {excess} characters")
        return made

    def _needs(self, where: str, source: str) -> frozenset[str]:
        """Return the fields of a template that is text and fields only."""
        try:
            parsed = self._environment.parse(source)
        except TemplateSyntaxError as error:
            raise InputError(where, repr(source), "text and {{ fields }}", str(error)) from None
        for statement in parsed.body:
            parts = statement.nodes if isinstance(statement, nodes.Output) else [statement]
            if not all(isinstance(part, nodes.TemplateData | nodes.Name) for part in parts):
                raise InputError(where, repr(source), "text and {{ fields }}, nothing else")
        needs = meta.find_undeclared_variables(parsed)
        for name in sorted(needs.difference(FIELDS)):
            raise InputError(where, repr(name), "a known field", did_you_mean(name, FIELDS))
        return frozenset(needs)


@functools.cache
def words() -> Words:
    """Return the words that are shipped."""
    return Words()


def too_long_by(variant: str, text: str) -> int:
    """Return by how many characters a text is beyond the limit of its variant; 0 or less = it fits."""
    if variant != "sms":
        return len(text) - LIMITS[variant]
    if not set(text) <= _GSM | _GSM_TWO:
        return len(text.encode("utf-16-le")) // 2 - _UNICODE_SMS
    return len(text) + sum(char in _GSM_TWO for char in text) - LIMITS[variant]


def _first(variant: str, alternatives: Sequence[_Alternative], known: dict[str, str]) -> str:
    """Return the first alternative whose fields are known and which is not too long with them."""
    possible = (each.template.render(known) for each in alternatives if each.needs <= known.keys())
    return next(text for text in possible if too_long_by(variant, text) <= 0)


def _read(file: Path, shape: TypeAdapter[_T]) -> _T:
    try:
        return shape.validate_python(tomllib.loads(file.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        got = "nothing" if first["type"] == "missing" else repr(first["input"])
        raise InputError(f"{file}: {'.'.join(map(str, first['loc']))}", got, first["msg"]) from None
    except (OSError, ValueError) as error:
        raise InputError(str(file), str(error), "a readable TOML file") from None
