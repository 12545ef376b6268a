"""The fold: events into records, from a Parquet file in learner order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from actors.loop import Loop
from benchmarks import logs, workload
from benchmarks.measure import Table, millions, side_by_side
from engine.events import EVENT, Events
from engine.policies import make

TITLE = "Events folded, one core"
_BATCH = 65_536


def _write(events: Events, file: Path) -> None:
    pq.write_table(pa.table({name: events[name] for name in EVENT.names or ()}), file, row_group_size=_BATCH)


def _batches(file: Path) -> Iterator[Events]:
    """Read a file, one thread, row group by row group, into rows of `EVENT`."""
    parquet = pq.ParquetFile(file)
    for group in range(parquet.num_row_groups):
        table = parquet.read_row_group(group, use_threads=False)
        batch = np.empty(len(table), EVENT)
        for name in EVENT.names or ():
            batch[name] = table[name].to_numpy()
        yield batch


def run(quick: bool) -> Table:
    """Measure reading and folding, apart and together, with and without a look at ids and ages."""
    learners, days = (300, 28) if quick else (10_000, 91)
    events = logs.lives(learners, days)
    loops: list[Loop] = []

    def fresh() -> Loop:
        loops[:] = [Loop(workload.RULES, make("none"), learners)]
        return loops[0]

    with tempfile.TemporaryDirectory(prefix="engage-bench-") as folder:
        file = Path(folder) / "events.parquet"
        _write(events, file)
        in_memory = list(_batches(file))
        assert np.array_equal(np.concatenate(in_memory)["event_id"], events["event_id"])

        def read() -> None:
            for _ in _batches(file):
                pass

        def fold_once() -> None:
            loop = fresh()
            for batch in in_memory:
                loop.ingest(batch, trusted=True)

        def fold_remembering() -> None:
            loop = fresh()
            for batch in in_memory:
                assert not loop.ingest(batch)[0].any()

        def both() -> None:
            loop = fresh()
            for batch in _batches(file):
                loop.ingest(batch, trusted=True)

        timings = side_by_side(
            {
                "read the file into rows": read,
                "fold, the source never repeats itself": fold_once,
                "**read and fold** (aim: 5 M)": both,
                "fold, remembering every id for 30 days": fold_remembering,
            }
        )
    counted = loops[0].records["totals"].sum()
    derived = loops[0].records["totals"][:, workload.RULES.code("perfect_quiz")].sum()
    assert counted - derived == len(events)
    rows = [(name, millions(timing.rate(len(events))), timing.spread()) for name, timing in timings.items()]
    note = (
        f"{len(events):,} events of {learners:,} learners over {days} days, in batches of {_BATCH:,}; folding includes "
        "views (XP, level, streak, freezes, achievements) and outcomes."
    )
    return Table(("", "events a second", "spread"), rows, note)
