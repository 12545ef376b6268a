"""Errors built for people and for the wire: who, what was got, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EngageError(Exception):
    """An operation could not be carried out.

    Every argument reaches ``super().__init__`` so that the error pickles whole across processes.

    Args:
        what: the item that is wrong, named as the user knows it (file, line, field, learner ...).
        got: what was found there.
        expected: what would have been right.
        remedy: what to do about it.
    """

    def __init__(self, what: str, got: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(what, got, expected, remedy)
        self.what = what
        self.got = got
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.what]
        if self.got:
            parts.append(f"got {self.got}")
        if self.expected:
            parts.append(f"expected {self.expected}")
        text = "; ".join(parts)
        return f"{text}. {self.remedy}" if self.remedy else text


class InputError(EngageError):
    """The user's input is wrong: the work was not begun. The command line ends with exit code 2."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a remedy that names the nearest known word, or all of them when none is near.

    >>> did_you_mean("leson_start", ["lesson_start", "quiz_start"])
    "Did you mean 'lesson_start'?"
    """
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(names)}."
