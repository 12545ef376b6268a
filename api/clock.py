"""The clocks that are handed to everything: only here is the time read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns an instant or a reading in milliseconds."""


def wall_clock() -> int:
    """Return the present instant, UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def steady_clock() -> int:
    """Return milliseconds since some beginning: for limits and caches, since nobody can set it back."""
    return time.monotonic_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is told: tests and demonstrations live a month in a second with it.

    It may be set and read from any thread.

    Args:
        now_ms: where it starts, UTC milliseconds.

    >>> clock = ManualClock(1_000)
    >>> clock.advance(seconds=2)
    >>> clock()
    3000
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """Return what it shows, UTC milliseconds."""
        return self._now_ms

    def set(self, now_ms: int) -> None:
        """Set it to an instant, UTC milliseconds; also back, as an operator may set a real one."""
        with self._lock:
            self._now_ms = now_ms

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass."""
        hours += 24 * days
        minutes += 60 * hours
        with self._lock:
            self._now_ms += round(1_000 * (seconds + 60 * minutes))
