"""Start-up: how long a newcomer waits for a first result, and how long from then on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import REPEATS, Table, Timing
from benchmarks.workload import FLAGSHIP

TITLE = "Start-up"
_ENGAGE = (sys.executable, "-c", "from api.cli.main import main; main()")
_SMALL = ("simulate", FLAGSHIP, "--learners", "40", "--days", "3", "--replications", "1")


def run(quick: bool) -> Table:
    """Measure whole processes of a tiny simulation: with an empty cache of compiled code, then with a full one."""
    rounds = 1 if quick else REPEATS
    with tempfile.TemporaryDirectory(prefix="engage-bench-") as folder:
        cache = Path(folder) / "cache"

        def seconds(*arguments: str, cold: bool = False) -> float:
            if cold:
                shutil.rmtree(cache, ignore_errors=True)
            began = time.perf_counter()
            environment = {**os.environ, "ENGAGE_CACHE_DIR": str(cache)}
            subprocess.run([*_ENGAGE, *arguments], env=environment, check=True, capture_output=True)
            return time.perf_counter() - began

        local, help_ = (*_SMALL, "--runtime", "local"), ("--help",)
        rows = [
            _row("first, nothing compiled yet", "local", [seconds(*local, cold=True) for _ in range(rounds)]),
            _row("second", "local", [seconds(*local) for _ in range(rounds)]),
            _row("second", "ray", [seconds(*_SMALL) for _ in range(rounds)]),
            _row("`engage --help`", "", [seconds(*help_) for _ in range(rounds)]),
        ]
    note = "Whole processes: interpreter, imports, compiling or loading compiled code, 40 learners x 3 days, report."
    return Table(("run", "runtime", "seconds", "spread"), rows, note)


def _row(name: str, runtime: str, seconds: list[float]) -> tuple[str, ...]:
    timing = Timing(tuple(seconds))
    return name, runtime, f"{timing.median_s:.1f}", timing.spread()
