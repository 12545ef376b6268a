"""Daily scorings: each learner's signals and risk, once a local day, as early in it as the service could.

Later training and audits need what was known then, which nothing can recover afterwards. So a daily scoring is a
journalled message of its own, and its frame is the record of it. A learner who is active before it (the very first day;
a night on which the service was down) is known by more than the day before: ``signals_day`` tells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.loop import Loop
from actors.ports import Message
from engine.signals import compute, names
from engine.signals.moment import scored_days

MOST_ROWS = 4_096
"""Learners of one message: about a megabyte."""

_FIXED = [
    ("learner", "<u4"),  # row in its actor
    ("day", "<i4"),  # local day that began
    ("signals_day", "<i4"),  # that the signals look back from the end of: the day before, or the day, if already active
    ("risk", "<f8"),
    ("confidence", "<f8"),
    ("standing", "|u1"),
]


def dtype(signals: list[str]) -> np.dtype[Any]:
    """Return the rows of a daily scoring: who, when, risk, and then each signal by its name."""
    return np.dtype([*_FIXED, *((name, "<f8") for name in signals)])


def resolve(loop: Loop, rows: NDArray[np.int64], model: str, now_ms: int) -> Message:
    """Return the daily scoring of learners whose day has been closed and whose risk is fresh, all by one model."""
    signals = list(names())
    table = np.zeros(len(rows), dtype(signals))
    table["learner"] = rows
    table["day"] = loop.records["as_of"][rows]
    table["signals_day"] = scored_days(loop.records, rows)
    for name in ("risk", "confidence", "standing"):
        table[name] = loop.records[name][rows]
    matrix = compute(loop.records, rows)
    for place, name in enumerate(signals):
        table[name] = matrix[:, place]
    return Message("daily", {"now_ms": now_ms, "signals": signals, "model": model}, table.tobytes())


def table_of(message: Message) -> NDArray[Any]:
    """Return the rows of a daily scoring."""
    return np.frombuffer(message.frame, dtype(message.body["signals"]))


def apply(loop: Loop, message: Message) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Enter the scores; return whose they are, and their local days."""
    table = table_of(message)
    table = table[table["learner"] < len(loop.records)]  # else it was erased
    rows = table["learner"].astype(np.int64)
    for name in ("risk", "confidence", "standing"):
        loop.records[name][rows] = table[name]
    return rows, table["day"]
