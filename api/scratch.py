"""Scratch: where a copy of what learners did lies while it is learnt from, and no longer.

One process at a time learns in a directory of data, and whoever comes first removes what a killed one has left. A
process that dies lets go of its lock, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.errors import EngageError

_PREFIX, _LOCK = "learning-", "learning.lock"


@contextlib.contextmanager
def scratch(data: Path) -> Iterator[Path]:
    """Give a directory to whoever learns, its owner's alone; it is gone when the block ends.

    Args:
        data: directory of the service.

    Raises:
        EngageError: another process learns there.
    """
    with _alone(data), tempfile.TemporaryDirectory(dir=data, prefix=_PREFIX) as work:
        yield Path(work)


def clear(data: Path) -> None:
    """Remove what a killed process has left, unless another is at work.

    Args:
        data: directory of the service.
    """
    with contextlib.suppress(EngageError), _alone(data):
        pass


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    with (data / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "Wait until it has ended."
            raise EngageError(
                f"learning in {data}", "another process that learns there", "one at a time", remedy
            ) from None
        for left in data.glob(f"{_PREFIX}*/"):
            shutil.rmtree(left, ignore_errors=True)
        yield
