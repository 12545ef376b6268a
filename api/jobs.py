"""Jobs: what the service does by its clock, beside the lanes; each is idempotent, so it may run anywhere, any time."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Protocol

from actors.ports import JournalError
from actors.storage.services import Services
from api.clock import Clock
from engine.calendar import MS_PER_DAY

_log = logging.getLogger("engage.jobs")

BEAT_MS = 10_000
"""A service shows that it is alive this often."""

DEAD_MS = MS_PER_DAY
"""A service that has not been seen for so long has been killed: the next one to enter forgets it."""

_LOOK_S = 0.2  # a ticker looks at the clock this often
_TROUBLE_S = 5.0  # ... and after a failure only then
_END_S = 5.0  # a job in the midst of its work is left behind after these; it will be done another time


class Job(Protocol):
    """Something that is due from time to time."""

    def step(self, now_ms: int) -> None:
        """Do what is due at an instant and has not been done; do nothing where there is none."""
        ...


class Ticker(threading.Thread):
    """Calls one job as the clock goes on: each has a thread, since one may take minutes.

    A job that fails is tried again; the service goes on without.

    Args:
        name: of the job, for the log.
        job: what to call.
        clock: of the service.
    """

    def __init__(self, name: str, job: Job, clock: Clock) -> None:
        super().__init__(name=f"job-{name}", daemon=True)
        self._job, self._clock = job, clock
        self._ending = threading.Event()

    def run(self) -> None:
        """Call the job until the end."""
        pause_s = 0.0
        while not self._ending.wait(pause_s):
            pause_s = _LOOK_S
            try:
                self._job.step(self._clock())
            except Exception as error:  # noqa: BLE001  # whatever it is, it is the job's trouble, not the service's
                _log.warning("%s: %s", self.name, error, exc_info=not isinstance(error, JournalError))
                pause_s = _TROUBLE_S

    def end(self) -> None:
        """Call the job no more."""
        self._ending.set()
        self.join(_END_S)


@contextlib.contextmanager
def ticking(name: str, job: Job, clock: Clock) -> Iterator[None]:
    """Let a job run until the block ends."""
    ticker = Ticker(name, job, clock)
    ticker.start()
    try:
        yield
    finally:
        ticker.end()


class Beats:
    """Shows that a service is alive: a `Job`.

    Args:
        services: of the database.
        service_id: which one this is, as people find it.
    """

    def __init__(self, services: Services, service_id: str) -> None:
        self._services, self._id = services, service_id
        self._next_ms = self._last_ms = -1

    def step(self, now_ms: int) -> None:
        """Show it if that was a while ago, or the clock was set back."""
        if not self._last_ms <= now_ms < self._next_ms:
            self._services.beat(self._id, now_ms)
            self._last_ms, self._next_ms = now_ms, now_ms + BEAT_MS


@contextlib.contextmanager
def alive(services: Services, clock: Clock) -> Iterator[None]:
    """Show that this service is alive, from before the block begins until it ends.

    Args:
        services: of the database.
        clock: of the service.

    Raises:
        JournalError: the database cannot be written.
    """
    service_id = f"{socket.gethostname()}, process {os.getpid()}, {uuid.uuid4().hex[:8]}"
    beats = Beats(services, service_id)
    services.forget(clock() - DEAD_MS)
    beats.step(clock())
    try:
        with ticking("beats", beats, clock):
            yield
    finally:
        try:
            services.leave(service_id)
        except JournalError as error:
            _log.warning("%s could not take its leave: %s", service_id, error)
