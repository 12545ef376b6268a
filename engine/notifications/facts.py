"""What is known about a learner, made into fields that are safe to stand in a sentence; the rest is not said."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Direction = Literal["ltr", "rtl"]
Style = Literal["video", "reading", "practice", "social"]
Alternatives = Annotated[tuple[str, ...], Field(min_length=1)]
"""Templates from the most to the least personal."""

ELLIPSIS = "\u2026"
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_JOINER = "\u200d"  # makes several emoji one
_KEPT_FORMATS = {_JOINER, "\u200c", *map(chr, range(0xE0020, 0xE0080))}  # and what Persian and regions' flags need
_BLANK_LETTERS = set("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols that show nothing
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))  # two of them make a flag
_VIRAMA = 9  # combining class of the sign that ties Indic letters together
_OTHER_WAY = {"ltr": {"R", "AL", "AN"}, "rtl": {"L"}}  # classes of Unicode Standard Annex 9, table 4

_LONGEST = {"name": 40, "level": 40, "item": 60, "achievement": 60, "price": 24, "tutor": 40}  # characters
_SAID = {  # from, to: what is worth saying; no praise for a streak of one day, no "go on" at 100%
    "streak_days": (2, 99_999),
    "progress_percent": (1, 99),
    "milestone_days": (2, 99_999),
    "discount_percent": (1, 99),
}
# Learners choose their names: one that holds an address or markup would make a link or code in mail sent as ours.
_NO_NAME = re.compile(r"[{}<>/\\@]|\w\.\w{2}")


@dataclass(frozen=True)
class Facts:
    """What may be said to a learner; None = not known. The fields of templates have these names.

    Args:
        name: what the learner is called.
        learning_style: one of the styles in ``languages.toml``; any other is as good as unknown.
        streak_days: the running streak.
        level: name of the level, the new one where a level is celebrated.
        progress_percent: of the course, 0-100.
        item: title of the next item that is recommended.
        achievement: name of the new achievement.
        milestone_days: the streak milestone just reached.
        price: the lower price as it is to be read, with its currency.
        discount_percent: by how much it is lower, 1-99.
        tutor: name of the tutor who reaches out.
    """

    name: str | None = None
    learning_style: str | None = None
    streak_days: int | None = None
    level: str | None = None
    progress_percent: int | None = None
    item: str | None = None
    achievement: str | None = None
    milestone_days: int | None = None
    price: str | None = None
    discount_percent: int | None = None
    tutor: str | None = None


FIELDS = tuple(field.name for field in dataclasses.fields(Facts))


class Language(BaseModel):
    """How a language is written: one entry of ``languages.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    direction: Direction
    percent: Annotated[str, Field(pattern="#")]
    greeting: Alternatives
    styles: dict[Style, str]


def fields(facts: Facts, language: Language) -> dict[str, str]:
    """Return the fields that are known, as they are said in a language; never an empty one."""
    known = {name: clean(getattr(facts, name) or "", longest) for name, longest in _LONGEST.items()}
    if _NO_NAME.search(known["name"]):
        del known["name"]
    said = {name: _isolated(value, language.direction) for name, value in known.items() if value}
    for name, (least, most) in _SAID.items():
        number = getattr(facts, name)
        if number is not None and least <= number <= most:
            said[name] = language.percent.replace("#", str(number)) if name.endswith("_percent") else str(number)
    for style, phrase in language.styles.items():
        if facts.learning_style == style:
            said["learning_style"] = phrase
    return said


def clean(value: str, longest: int) -> str:
    """Return a value as one line of visible text: no breaks, no control or hidden characters, not too long.

    Args:
        value: as somebody typed it.
        longest: characters at most.

    Returns:
        "" if nothing is left that can be seen, or nothing that can be cut off whole.
    """
    text = "".join(_visible(char) for char in unicodedata.normalize("NFC", value))
    text = cut(" ".join(text.split()), longest)
    return text if any(unicodedata.category(char)[0] in "LNS" for char in text) else ""


def cut(text: str, longest: int) -> str:
    """Return a text cut to a length, between words where that keeps half of it, and never within a character as seen.

    What is seen as one character follows Unicode Standard Annex 29 (grapheme clusters), with composed Hangul.

    Args:
        text: cleaned.
        longest: characters at most, the ellipsis included; at least 1.

    Returns:
        "" if the first character as seen is longer.
    """
    if len(text) <= longest:
        return text
    ends = [place for place in range(1, longest) if _parts(text, place)]
    between_words = [place for place in ends if text[place] == " " and 2 * place >= longest]
    end = max(between_words or ends, default=0)
    return text[:end].rstrip() + ELLIPSIS if end else ""


def _visible(char: str) -> str:
    """Return a character as it may stand in a line: itself, a space, or nothing."""
    category = unicodedata.category(char)
    if category in {"Cc", "Zl", "Zp", "Zs"}:
        return " "
    hidden = category == "Cs" or (category == "Cf" and char not in _KEPT_FORMATS) or char in _BLANK_LETTERS
    return "" if hidden else char


def _parts(text: str, place: int) -> bool:
    """Tell whether a text may be cut before a place."""
    before, after = text[place - 1], text[place]
    if before == _JOINER or unicodedata.combining(before) == _VIRAMA:
        return False
    if unicodedata.category(after) in {"Mn", "Mc", "Me", "Cf"} or "\U0001f3fb" <= after <= "\U0001f3ff":  # skin tones
        return False
    head = text[:place]
    flags_letters = len(head) - len(head.rstrip(_FLAG_LETTERS))
    return after not in _FLAG_LETTERS or flags_letters % 2 == 0


def _isolated(value: str, direction: Direction) -> str:
    """Return a value that cannot turn round the text about it (Unicode Standard Annex 9, isolates)."""
    if any(unicodedata.bidirectional(char) in _OTHER_WAY[direction] for char in value):
        return f"{_FIRST_STRONG_ISOLATE}{value}{_POP_ISOLATE}"
    return value
