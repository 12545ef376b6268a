"""`LocalRuntime`: the same actors, called in this process, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.learner import LearnerActor, MessageGapError
from actors.runtime import ActorLostError, Runtime
from actors.scoring import DirectScorer, ScoringActor
from actors.spec import ActorSpec
from actors.storage.snapshots import SnapshotFiles
from engine.errors import EngageError
from engine.risk.model import RiskModel


class LocalRuntime(Runtime):
    """Runs the actors in this process: no processes to start, easy to debug, bit-identical results.

    Args:
        specs: one for each actor.
        model: for scoring.
        directory: where snapshots are kept.
        models: directory of further models that the pool may be moved on to.
    """

    def __init__(
        self, specs: Sequence[ActorSpec], model: RiskModel, directory: Path, models: Path | None = None
    ) -> None:
        super().__init__(len(specs))
        self._specs = specs
        self._directory = directory
        self.pool = DirectScorer(ScoringActor(model, models))
        self._actors: list[LearnerActor | None] = [self._make(actor) for actor in range(len(specs))]

    def _make(self, actor: int) -> LearnerActor:
        return LearnerActor(self._specs[actor], self.pool, SnapshotFiles(self._directory / f"actor{actor:03d}"))

    def _query(self, actor: int, method: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        with self._locks[actor]:  # one message at a time, as in a process of its own
            living = self._actors[actor]
            if living is None:
                return ActorLostError()
            try:
                return getattr(living, method)(*args, **named)
            except EngageError as error:
                return error

    def _wait(self, handle: Any) -> Any:
        if isinstance(handle, MessageGapError):
            raise ActorLostError from handle
        if isinstance(handle, (ActorLostError, EngageError)):
            raise handle
        return handle

    def _restart(self, actor: int) -> None:
        self._actors[actor] = self._make(actor)

    def kill(self, actor: int) -> None:
        """Drop the actor with all it holds in memory."""
        self._actors[actor] = None

    def stop(self) -> None:
        """Drop all actors."""
        self._actors = [None] * len(self)
