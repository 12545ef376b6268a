"""Cursors: where a page ended, for the next one to begin; what they say is nobody's business."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from engine.errors import InputError

_LONGEST = 200
_MOST = 2**62


def encode(kind: str, *place: float) -> str:
    """Return a cursor.

    Args:
        kind: of list and order that it belongs to.
        place: of the last entry that was given.
    """
    return base64.urlsafe_b64encode(json.dumps([kind, *place], separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, kind: str, numbers: Sequence[type]) -> list[float]:
    """Return the place that a cursor stands for.

    Args:
        cursor: as a client sends it back.
        kind: of list and order that is asked for.
        numbers: type of each number of a place.

    Raises:
        InputError: it was not made here for this.

    >>> decode(encode("all", 7), "all", [int])
    [7]
    """
    try:
        padded = cursor[:_LONGEST] + "=" * (-len(cursor) % 4)
        told = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if (
            told[0] == kind
            and [type(each) for each in told[1:]] == list(numbers)
            and all(abs(each) < _MOST for each in told[1:])  # neither infinite nor NaN, too
        ):
            return list(told[1:])
    except (ValueError, TypeError, LookupError, RecursionError):
        pass
    remedy = "Take the nextCursor of the page before, with the same filters and order; or begin without one."
    raise InputError("cursor", repr(cursor[:_LONGEST]), "one from the page before", remedy)
