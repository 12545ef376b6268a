"""The one place of wiring: what the command line runs is put together here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from actors.learner import ActorSpec, warm_up
from actors.local import LocalRuntime
from actors.runtime import Runtime
from actors.scoring import DirectScorer, ScoringActor
from actors.storage.snapshots import SnapshotFiles
from engine.risk.model import RiskModel

RuntimeName = Literal["ray", "local"]


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def open_runtime(
    name: RuntimeName,
    specs: Sequence[ActorSpec],
    model: RiskModel,
    work: Path,
    *,
    address: str | None = None,
    dashboard: bool = False,
) -> Iterator[Runtime]:
    """Run learner actors and their scoring pool until the block ends.

    Args:
        name: ``ray`` (a process for each actor) or ``local`` (all in this process).
        specs: one for each actor.
        model: for scoring.
        work: directory for snapshots.
        address: of an existing Ray cluster to join; default: a private one is started.
        dashboard: start Ray's dashboard, too.
    """
    runtime: Runtime
    if name == "local":
        runtime = LocalRuntime(specs, model, work)
        yield runtime
        runtime.stop()
        return
    # Ray takes seconds to import: only whoever asks for it pays.
    from actors.ray_cluster import Cluster, fits  # noqa: PLC0415  # imported on demand, see above
    from actors.ray_runtime import RayRuntime  # noqa: PLC0415  # imported on demand, see above

    warm_up(specs[0], DirectScorer(ScoringActor(model)), SnapshotFiles(work / "warm_up"))
    scorers = max(1, min(len(specs), cores()) // 2)
    fits(len(specs) + scorers)
    with Cluster() as cluster:
        cluster.start(address=address, dashboard=dashboard)
        runtime = RayRuntime(specs, model, work, scorers)
        try:
            yield runtime
        finally:
            runtime.stop()
