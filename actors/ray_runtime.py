"""`RayRuntime`: every learner actor and scoring actor a Ray actor, that is, a process of its own.

The one place where ``ray.remote``, its options and the actors' names stand.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayActorError, RayTaskError

from actors.learner import LearnerActor, MessageGapError
from actors.ports import Pending, Scores
from actors.runtime import ActorLostError, Runtime
from actors.scoring import ScoringActor
from actors.spec import ActorSpec
from actors.storage.snapshots import SnapshotFiles
from engine.errors import EngageError
from engine.risk.model import RiskModel

_LEARNER_OPTIONS = {
    "num_cpus": 0,  # placement is ours: any number of small actors shares the cores
    "max_restarts": -1,
    "max_task_retries": 0,  # retried calls of a stateful actor run out of order; the runtime resends instead
}
_SCORER_OPTIONS = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}  # pure functions: any retry is right
_ANSWER_TIMEOUT_S = 600.0
_RETRY_S = 0.1

_BLOCK_ROWS = 16_384
"""Rows scored by one call: 4 MB of 31 signals, well beyond Ray's slow sizes around 100 KB and small in its store."""


@dataclass(frozen=True)
class _Blocks:
    """Blocks of rows at the pool."""

    answers: list[Any]

    def ready(self) -> bool:
        done, _ = ray.wait(self.answers, num_returns=len(self.answers), timeout=0)
        return len(done) == len(self.answers)

    def __call__(self) -> Scores:
        return np.concatenate(ray.get(self.answers))


class ScoringPool:
    """The scoring pool as a learner actor sees it: blocks of rows, dealt out to the members in turn.

    Args:
        names: of the scoring actors; they are looked up at the first use, also after a restart.
        first: member that gets the first block.
    """

    def __init__(self, names: Sequence[str], first: int) -> None:
        self._names = names
        self._turn = first
        self._handles: list[Any] = []

    def submit(self, matrix: NDArray[np.float64], version: str = "") -> Pending:
        """Hand out the blocks; a row's score does not depend on its block."""
        if not self._handles:
            self._handles = [ray.get_actor(name) for name in self._names]
        blocks = []
        for start in range(0, max(len(matrix), 1), _BLOCK_ROWS):
            member = self._handles[self._turn % len(self._handles)]
            blocks.append(member.score.remote(matrix[start : start + _BLOCK_ROWS], version))
            self._turn += 1
        return _Blocks(blocks)


class RayRuntime(Runtime):
    """Runs the actors on the Ray that `actors.ray_cluster` has started or joined.

    Args:
        specs: one for each actor.
        model: for scoring; it goes by a file, so that a restarted member finds it even where an object is lost.
        directory: where snapshots and the model are kept, on a disk that all nodes share.
        scorers: members of the scoring pool.
        models: directory of further models that the pool may be moved on to, on a disk that all nodes share.
    """

    def __init__(
        self,
        specs: Sequence[ActorSpec],
        model: RiskModel,
        directory: Path,
        scorers: int = 1,
        models: Path | None = None,
    ) -> None:
        super().__init__(len(specs))
        run = uuid.uuid4().hex[:8]
        pool = ray.remote(ScoringActor)
        names = [f"scorer-{run}-{member}" for member in range(scorers)]
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"model-{model.version}.json"
        model.save(file)
        self._members: list[Any] = [pool.options(name=name, **_SCORER_OPTIONS).remote(file, models) for name in names]
        self.pool = ScoringPool(names, 0)
        learner = ray.remote(LearnerActor)
        self._actors: list[Any] = [
            learner.options(name=f"learners-{run}-{spec.number}", **_LEARNER_OPTIONS).remote(
                spec, ScoringPool(names, spec.number), SnapshotFiles(directory / f"actor{spec.number:03d}")
            )
            for spec in specs
        ]

    def scorers(self) -> list[int]:
        """Return the process ids of the scoring pool."""
        return [int(ray.get(member.process_id.remote())) for member in self._members]

    def _query(self, actor: int, method: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return getattr(self._actors[actor], method).remote(*args, **named)

    def _wait(self, handle: Any) -> Any:
        try:
            return ray.get(handle, timeout=_ANSWER_TIMEOUT_S)
        except RayActorError as error:
            raise ActorLostError from error
        except RayTaskError as error:
            if isinstance(error.cause, MessageGapError):
                raise ActorLostError from error
            if isinstance(error.cause, EngageError):
                raise error.cause from None
            raise

    def _restart(self, actor: int) -> None:
        """Give Ray time: it restarts the actor by itself, and refuses calls until then."""
        time.sleep(_RETRY_S)

    def kill(self, actor: int) -> None:
        """Send SIGKILL to the actor's process."""
        process_id = self._process_id(actor)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)

    def stop(self) -> None:
        """End all actors."""
        for handle in [*self._actors, *self._members]:
            ray.kill(handle, no_restart=True)
