"""The scoring pool's member: a pure function of (model, matrix), so any of them may be asked, twice if need be."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.ports import Pending, Scores
from engine.risk.model import RiskModel
from engine.signals import names


class ScoringActor:
    """Scores signal matrices with one model.

    Args:
        model: the risk model; it picks its signals from the catalogue's columns by name.
    """

    def __init__(self, model: RiskModel) -> None:
        self._model = model
        self._columns = [names().index(name) for name in model.signals]

    def score(self, matrix: NDArray[np.float64]) -> Scores:
        """Return (rows, 2): risk 0-100 and confidence 0-100, for signals in the catalogue's order."""
        return self._model.score(matrix.take(self._columns, axis=1))

    def version(self) -> str:
        """Return the model's version."""
        return self._model.version

    def process_id(self) -> int:
        """Return the id of the operating-system process it lives in."""
        return os.getpid()


@dataclass(frozen=True)
class _Scored:
    scores: Scores

    def ready(self) -> bool:
        return True

    def __call__(self) -> Scores:
        return self.scores


class DirectScorer:
    """A pool of one, in this process: scores at once.

    Args:
        member: the scoring actor.
    """

    def __init__(self, member: ScoringActor) -> None:
        self._member = member

    def submit(self, matrix: NDArray[np.float64]) -> Pending:
        """Return the scores, ready to be taken."""
        return _Scored(self._member.score(matrix))
