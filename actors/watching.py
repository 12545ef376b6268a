"""Watching other processes: a worker that outlives its node, or a service whose node dies, would wait for good."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

_POLL_S = 0.5


def end_with_parent() -> None:
    """End this process soon after the one that started it: Ray's own workers may wait for a dead node for minutes.

    Every worker calls it at its start, before it does anything else.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_S)
        os._exit(1)  # nothing here is worth an orderly end: what was acknowledged is durable

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


class Watch:
    """Asks again and again whether something is missing, until it is.

    Args:
        missing: returns what is missing, "" = nothing.
        tell: called once with what is missing.
    """

    def __init__(self, missing: Callable[[], str], tell: Callable[[str], None]) -> None:
        self._missing, self._tell = missing, tell
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(_POLL_S):
            if missing := self._missing():
                self._tell(missing)
                return

    def end(self) -> None:
        """Watch no more."""
        self._ending.set()
        self._thread.join()
