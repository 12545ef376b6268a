"""Positions: how far somebody has read the journals, as one short text that `Last-Event-ID` brings back.

One part for each journal that is read, in their order, joined by dots: ``118-3.97`` means the first one up to place 3
of entry 118, and the second one up to the end of entry 97.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.errors import InputError

_PART = re.compile(r"(\d{1,18})(?:-(\d{1,9}))?", re.ASCII)


class Position(NamedTuple):
    """How far one journal has been read. Positions compare as they follow each other.

    Args:
        sequence: number of an entry.
        place: of the last one read within it.
    """

    sequence: int
    place: int


WHOLE = 1 << 62
"""Place behind all that an entry holds."""


def text_of(positions: dict[int, Position]) -> str:
    """Return the text of positions, by the numbers of their journals.

    >>> text_of({0: Position(118, 3), 1: Position(97, WHOLE)})
    '118-3.97'
    """
    parts = [f"{at.sequence}" if at.place == WHOLE else f"{at.sequence}-{at.place}" for at in positions.values()]
    return ".".join(parts)


def read(text: str, logs: list[int]) -> dict[int, Position]:
    """Return the positions that a text stands for.

    Args:
        text: as a client sends it back.
        logs: journals that are read.

    Raises:
        InputError: it was not made here for these.
    """
    found = [_PART.fullmatch(part) for part in text.split(".", len(logs))]
    if len(found) != len(logs) or not all(found):
        remedy = "Send the id of the last event that came, or none to begin now."
        raise InputError("header Last-Event-ID", repr(text[:100]), "the id of an event of this stream", remedy)
    places = [(int(part[1]), WHOLE if part[2] is None else int(part[2])) for part in found if part is not None]
    return {log: Position(*place) for log, place in zip(logs, places, strict=True)}
