"""`engage replay` from end to end: read a log, resolve names, zones and ids, send it through the learner actors."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from actors.directory import by_hash
from actors.spec import ActorSpec
from api.wiring import RuntimeName, cores, open_runtime
from benchmarks import logs, workload
from benchmarks.measure import REPEATS, Table, Timing, millions
from simulation import adapters, replay
from simulation.adapters import event_log

TITLE = "Replay, end to end"
DATA_VARIABLE = "ENGAGE_DATA_DIR"


def run(quick: bool) -> Table:
    """Measure a synthetic log of real size, and the real data where they are."""
    learners, days = (300, 28) if quick else (5_000, 91)
    rows = []
    with tempfile.TemporaryDirectory(prefix="engage-bench-") as folder:
        log = Path(folder) / "log.parquet"
        event_log.write(logs.as_log(logs.lives(learners, days)), log)
        rows.append(_row(f"{learners:,} synthetic learners, {days} days", log, "local", 1))
        rows.append(_row(f"{learners:,} synthetic learners, {days} days", log, "ray", max(1, cores() - 1)))
        data = Path(os.environ.get(DATA_VARIABLE, ""))
        for name, adapter in adapters.catalogue().items() if os.environ.get(DATA_VARIABLE) else ():
            if (data / name).is_dir():
                event_log.write(adapter.convert(data / name), log)
                rows.append(_row(name, log, "local", 1))
    columns = ("log", "runtime", "events", "read, resolve", "through the actors", "**end to end** (aim: 1 M)", "spread")
    note = (
        "Events a second. End to end = read + resolve + actors + final records and digest; starting Ray is not in it. "
        "Every id is remembered, and a batch is of 2,000 events from many learners, in order of time."
    )
    return Table(columns, rows, note)


def _row(name: str, log: Path, runtime: RuntimeName, actors: int) -> tuple[str, ...]:
    """Measure one log through one runtime; each round has actors of its own."""
    measured = [_once(log, runtime, actors) for _ in range(1 + REPEATS)][1:]
    events = measured[0][2]
    read = Timing(tuple(one[0] for one in measured))
    through = Timing(tuple(one[1] for one in measured))
    whole = Timing(tuple(one[0] + one[1] for one in measured))
    return (
        name, f"{runtime}, {actors}", f"{events:,}", millions(read.rate(events)), millions(through.rate(events)),
        millions(whole.rate(events)), whole.spread(),
    )  # fmt: skip


def _once(log: Path, runtime: RuntimeName, actors: int) -> tuple[float, float, int]:
    """Return seconds of reading and resolving, seconds through the actors, events."""
    began = time.perf_counter()
    resolved = event_log.resolve(event_log.read(log), workload.RULES)
    read_s = time.perf_counter() - began
    layout = by_hash(resolved.learner_ids, actors)
    specs = [ActorSpec(actor, 0, count, workload.RULES) for actor, count in enumerate(layout.counts)]
    with (
        tempfile.TemporaryDirectory(prefix="engage-bench-") as work,
        open_runtime(runtime, specs, workload.MODEL, Path(work)) as opened,
    ):
        opened.actors()  # all are up
        began = time.perf_counter()
        result = replay.replay(resolved, layout, opened)
        through_s = time.perf_counter() - began
    assert result.verdicts["full"] == len(resolved.events)
    return read_s, through_s, len(resolved.events)
