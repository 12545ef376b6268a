"""Recovery: how long a service takes to come back from its journal alone, and from a snapshot."""

from __future__ import annotations

import concurrent.futures
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.intake import EventIn, event_key
from actors.parcels import BusyError
from actors.service import Service
from actors.storage.database import open_database
from api.wiring import open_service
from benchmarks import workload
from benchmarks.measure import Table, Timing

TITLE = "Recovery from the journal"

_LEARNERS = 100_000
_BATCH = 100
_NOW_MS = 1_795_000_000_000
_PRIME = 2_654_435_761
_REPEATS = 3


def run(quick: bool) -> Table:
    """Journal events in batches of a hundred, then come back."""
    events = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="engage-bench-") as name:
        folder = Path(name)
        with _service(folder) as service:
            began = time.perf_counter()
            _fill(service, events)
            filled = events / (time.perf_counter() - began)
        size = sum(file.stat().st_size for file in folder.glob("engage.db*")) / events
        snapshot = Timing(tuple(_back(folder) for _ in range(_REPEATS)))
        whole = []
        for _ in range(_REPEATS):
            shutil.rmtree(folder / "snapshots")
            whole.append(_back(folder))
        journal = Timing(tuple(whole))
    row = (f"{events:,}", f"{filled:,.0f}", f"{size:.0f}", f"{journal.median_s:.2f}", f"{snapshot.median_s:.2f}")
    columns = (
        "events",
        "journalled a second",
        "bytes an event",
        "**from the journal, s** (aim: 10)",
        "from a snapshot, s",
    )
    return Table(
        columns, [row], f"SQLite, one actor in this process, {_LEARNERS:,} learners; opening the database is in it."
    )


@contextlib.contextmanager
def _service(folder: Path) -> Iterator[Service]:
    url = f"sqlite:///{folder / 'engage.db'}"
    with open_database(url) as database:
        database.migrate()
    snapshots = folder / "snapshots"
    with open_service("local", url, 1, workload.RULES, workload.MODEL, snapshots, lambda: _NOW_MS) as service:
        yield service


def _fill(service: Service, events: int) -> None:
    promises: list[concurrent.futures.Future[Any]] = []
    for start in range(0, events, _BATCH):
        rows = [_event(number) for number in range(start, start + _BATCH)]
        while True:
            try:
                promises += [promise for _, promise in service.submit(rows, concurrent.futures.Future)]
                break
            except BusyError:
                time.sleep(0.002)
    for promise in promises:
        promise.result()


def _event(number: int) -> EventIn:
    learner, name = number * _PRIME % _LEARNERS, f"event-{number}"
    return EventIn(
        f"u-{learner}", event_key(name), _NOW_MS, _NOW_MS, number % 8, float("nan"), None, [name, None, None]
    )


def _back(folder: Path) -> float:
    began = time.perf_counter()
    with _service(folder):
        return time.perf_counter() - began
