"""Quiet hours: the local minutes in which a learner is sent nothing, on the learner's own clock."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

MINUTES = 1_440
"""Of a day on the clock; a real one may show some of them twice, or not at all."""

_CLOCK = np.arange(MINUTES)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def quiet_minutes(hours: Mapping[str, str] | None) -> NDArray[np.bool_]:
    """Return whether each local minute of the clock lies in quiet hours, which may go over midnight, shape (1440,).

    Args:
        hours: ``from``, the first minute, and ``to``, the first one after them, HH:MM, as profiles keep them; equal
            times are no quiet hours, and None is none.

    Raises:
        InputError: a time is missing or is not HH:MM.
    """
    if not hours:
        return np.zeros(MINUTES, np.bool_)
    begin, end = _minute(hours, "from"), _minute(hours, "to")
    quiet: NDArray[np.bool_] = (_CLOCK - begin) % MINUTES < (end - begin) % MINUTES
    return quiet


def _minute(hours: Mapping[str, str], name: str) -> int:
    found = _TIME.fullmatch(hours.get(name, ""))
    if not found:
        raise InputError(f"quiet hours: {name}", repr(hours.get(name)), "HH:MM, 00:00 to 23:59")
    return int(found[1]) * 60 + int(found[2])


def is_quiet(hours: Mapping[str, str] | None, minute: int) -> bool:
    """Return whether a local minute is quiet."""
    return bool(quiet_minutes(hours)[minute])
