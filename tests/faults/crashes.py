"""Parts of the product that behave badly on purpose; in a module, so that actors' processes find them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.ports import Scores, State
from actors.ray_runtime import ScoringPool
from actors.storage.snapshots import SnapshotFiles

CRASH_POINTS = ("half a draft", "before the rename", "after the rename")


def die() -> None:
    """End this process as the system does when memory runs out: at once, nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


class CrashingFiles(SnapshotFiles):
    """Snapshots during which the process dies once.

    Args:
        directory: of the snapshots.
        point: one of `CRASH_POINTS`.
        sequence: snapshot that is not survived.
    """

    def __init__(self, directory: Path, point: str, sequence: int) -> None:
        super().__init__(directory)
        self._point, self._sequence, self._died = point, sequence, directory / "died"

    def save(self, sequence: int, state: State) -> None:
        if sequence != self._sequence or self._died.exists():
            super().save(sequence, state)
            return
        self._died.touch()
        if self._point == "after the rename":
            super().save(sequence, state)
        else:
            kept, Path.replace = Path.replace, lambda *_: die()  # type: ignore[method-assign]  # the process ends here
            if self._point == "half a draft":
                state = {name: array[: len(array) // 2] if array.ndim else array for name, array in state.items()}
                os.fsync = lambda _: die()
            super().save(sequence, state)
            Path.replace = kept  # type: ignore[method-assign]  # only where the kill failed
        die()


class SmallBlocks(ScoringPool):
    """The scoring pool asked for a few rows at a time."""

    def submit(self, matrix: NDArray[np.float64], version: str = "") -> Callable[[], Scores]:
        blocks = [
            super(SmallBlocks, self).submit(matrix[at : at + 37], version) for at in range(0, len(matrix) + 1, 37)
        ]
        return lambda: np.concatenate([scores() for scores in blocks])
