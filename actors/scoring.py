"""The scoring pool's member: a pure function of (model, matrix), so any of them may be asked, twice if need be.

Who asks names the model's version. A version never changes its meaning, so a pool that is moved on to a new model
answers both while it moves: nothing waits, and no batch is scored by two.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.ports import Pending, Scores
from engine.errors import InputError
from engine.risk.model import RiskModel, load
from engine.risk.registry import Registry
from engine.signals import names

_MOST_HELD = 4  # models in memory beside the one of the start: the one in use, the one before, and room


class ScoringActor:
    """Scores signal matrices.

    Args:
        model: the risk model that it is started with, or its file.
        models: directory of others, see `engine.risk.registry`; None = there are none.
    """

    def __init__(self, model: RiskModel | Path, models: Path | None = None) -> None:
        model = load(model) if isinstance(model, Path) else model
        self._version = model.version
        self._registry = None if models is None else Registry(models)
        self._held = {model.version: (model, _columns(model))}

    def score(self, matrix: NDArray[np.float64], version: str = "") -> Scores:
        """Return (rows, 2): risk 0-100 and confidence 0-100.

        Args:
            matrix: a row for each learner, signals in the catalogue's order; the model picks its own by name.
            version: of the model, "" = the one it was started with.

        Raises:
            InputError: the registry keeps none of that version.
        """
        model, columns = self._of(version or self._version)
        return model.score(matrix.take(columns, axis=1))

    def _of(self, version: str) -> tuple[RiskModel, list[int]]:
        if version not in self._held:
            if self._registry is None:
                raise InputError("model version", repr(version), f"{self._version!r}, for there is no registry")
            model = self._registry.model(version)
            columns = _columns(model)
            self._held[version] = model, columns
            for old in list(self._held)[1:-_MOST_HELD]:  # the first one may be kept nowhere else
                self._held.pop(old, None)  # threads may share this one
            return model, columns
        return self._held[version]

    def process_id(self) -> int:
        """Return the id of the operating-system process it lives in."""
        return os.getpid()


def _columns(model: RiskModel) -> list[int]:
    return [names().index(name) for name in model.signals]


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

    def submit(self, matrix: NDArray[np.float64], version: str = "") -> Pending:
        """Return the scores, ready to be taken."""
        return _Scored(self._member.score(matrix, version))
