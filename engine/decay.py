"""Exponential decay by whole days, 2^(-days / half-life), from a table: a power costs more than all it weighs."""

from __future__ import annotations

import numpy as np

from engine.compiled import compiled
from engine.record import HALF_LIVES_DAYS

_TABLE_DAYS = 512
_TABLE = np.array([[2.0 ** (-days / half_life) for days in range(_TABLE_DAYS)] for half_life in HALF_LIVES_DAYS])
_HALF_LIVES = HALF_LIVES_DAYS


@compiled
def factor(days: int, half_life: int) -> float:
    """Return what is left of 1 after ``days`` >= 0; ``half_life`` is a place in `HALF_LIVES_DAYS`."""
    if days < _TABLE_DAYS:
        return float(_TABLE[half_life, days])
    return float(2.0 ** (-days / _HALF_LIVES[half_life]))
