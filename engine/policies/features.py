"""What a decision is made on, as a policy that learns sees it: a few signals and the risk, on one scale.

Every feature is a whole number of 1/256. Sums of their products are then exact, so what is learned from a million
learners does not depend on the order in which they are added, nor on how many actors hold them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.record import Records
from engine.signals import compute, names

ONE = 256
"""The whole number that stands for 1."""

SIGNALS: tuple[tuple[str, float], ...] = (
    ("silent_days", 14.0),
    ("active_days_7", 7.0),
    ("active_days_28", 28.0),
    ("next_day_return", 1.0),
    ("log_tenure_days", 6.0),
    ("log_streak", 4.0),
    ("log_events_a_day", 5.0),
    ("log_xp", 12.0),
    ("message_days_7", 7.0),
    ("messages_answered", 1.0),
)
"""Signals by name, each with the value that stands for 1; what lies beyond counts as 1."""

NAMES: tuple[str, ...] = ("always", "scored", "risk", "intermediate", *(name for name, _ in SIGNALS))
"""Features by name: 1; whether there is a risk; the risk as a probability p; 4 p (1 - p); the signals."""

COUNT = len(NAMES)


def features(records: Records, rows: NDArray[np.int64]) -> NDArray[np.int16]:
    """Return the features of some learners, shape (n, `COUNT`), each from 0 to `ONE`."""
    out = np.zeros((len(rows), COUNT), np.int16)
    if not len(rows):
        return out
    risk = records["risk"][rows]
    scored = ~np.isnan(risk)
    chance = np.where(scored, risk, 0.0) / 100.0
    out[:, 0] = ONE
    out[:, 1] = np.where(scored, ONE, 0)
    out[:, 2] = np.rint(ONE * chance)
    out[:, 3] = np.rint(ONE * 4.0 * chance * (1.0 - chance))
    signals, places = compute(records, rows), {name: place for place, name in enumerate(names())}
    for column, (name, one) in enumerate(SIGNALS, start=4):
        out[:, column] = np.rint(ONE * np.clip(signals[:, places[name]] / one, 0.0, 1.0))
    return out
