"""What the HTTP benchmarks send, and the peer that they send it to."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

LEARNERS = 10_000
_ACTIONS = ("lesson_complete", "quiz_complete", "video_watch", "forum_post", "reading", "page_view")
_PRIME = 2_654_435_761  # spreads consecutive numbers over the learners, the same for every service
_UP_S = 60.0


@dataclass(frozen=True)
class Events:
    """Bodies of events that happen now: ids never repeat, learners follow each other as if at random.

    Args:
        run: tells the ids of several runs apart.
        events: in a body; 1 = one event, more = a JSON array of them.
        instant: when they occurred, ISO 8601.
    """

    run: str
    events: int
    instant: str

    def __call__(self, process: int, number: int) -> bytes:
        """Return the body of one request."""
        first = number * self.events
        made = [self._event(process, first + k) for k in range(self.events)]
        return (made[0] if self.events == 1 else f"[{','.join(made)}]").encode()

    def _event(self, process: int, number: int) -> str:
        learner = (number * _PRIME + process) % LEARNERS
        return (
            f'{{"userId":"u-{learner}","action":"{_ACTIONS[number % len(_ACTIONS)]}",'
            f'"eventId":"{self.run}-{process}-{number}","occurredAt":"{self.instant}"}}'
        )


def now(run: str, events: int) -> Events:
    """Return bodies of events that happen now."""
    return Events(run, events, datetime.now(UTC).isoformat(timespec="milliseconds"))


@contextlib.contextmanager
def peer(database_url: str, way: str = "batches", workers: int = 1) -> Iterator[str]:
    """Run the peer in processes of its own until the block ends; return its base URL.

    Args:
        database_url: of SQLite or PostgreSQL, empty.
        way: how it stores, of `benchmarks.peer_store.WAYS`.
        workers: processes.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.peer_service", "--database-url", database_url]
    command += ["--way", way, "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen(command)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/health", workers)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def wait_until_up(url: str, workers: int = 1) -> None:
    """Return when a URL is answered, each time anew, by so many different processes that say who they are."""
    deadline = time.monotonic() + _UP_S
    seen: set[bytes] = set()
    while len(seen) < workers:
        assert time.monotonic() < deadline, f"{len(seen)} of {workers} workers came up at {url}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310  # on loopback
            seen.add(answer.read() if workers > 1 else b"")
        time.sleep(0.01)
