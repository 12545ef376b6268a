"""The one place of wiring: what the command line runs is put together here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from actors.agenda import name_of, policies_of
from actors.local import LocalRuntime
from actors.parcels import Post
from actors.runtime import Runtime
from actors.scoring import DirectScorer, ScoringActor
from actors.service import Service
from actors.spec import ActorSpec
from actors.storage.journal import SqlJournal
from actors.warming import warm_up
from actors.watching import Watch
from engine.errors import EngageError
from engine.experiments.campaigns import Campaign
from engine.policies import knowledge
from engine.policies.base import State
from engine.risk.model import RiskModel
from engine.rules import Rules

RuntimeName = Literal["ray", "local"]
_SNAPSHOT_S = 30.0  # a recovery replays what came since: a second's work, or three


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
    models: Path | None = None,
    address: str | None = None,
    dashboard: bool = False,
    fatal: Callable[[BaseException], None] | None = None,
) -> Iterator[Runtime]:
    """Run learner actors and their scoring pool until the block ends.

    Args:
        name: ``ray`` (a process for each actor) or ``local`` (all in this process).
        specs: one for each actor.
        model: for scoring.
        work: directory for snapshots.
        models: registry of further models that the pool may be moved on to.
        address: of an existing Ray cluster to join; default: a private one is started.
        dashboard: start Ray's dashboard, too.
        fatal: called if a process of Ray's own dies, without which no actor answers any more.
    """
    runtime: Runtime
    warm_up(specs[0], DirectScorer(ScoringActor(model)))
    if name == "local":
        runtime = LocalRuntime(specs, model, work, models)
        yield runtime
        runtime.stop()
        return
    # Ray takes seconds to import: only whoever asks for it pays.
    from actors.ray_cluster import Cluster, fits  # noqa: PLC0415  # imported on demand, see above
    from actors.ray_runtime import RayRuntime  # noqa: PLC0415  # imported on demand, see above

    scorers = max(1, min(len(specs), cores()) // 2)
    fits(len(specs) + scorers)
    with Cluster() as cluster:
        cluster.start(address=address, dashboard=dashboard)
        runtime = RayRuntime(specs, model, work, scorers, models)
        watch = None if fatal is None else Watch(cluster.missing, lambda name: fatal(_lost(name)))
        try:
            yield runtime
        finally:
            if watch is not None:
                watch.end()
            runtime.stop()


def _lost(name: str) -> EngageError:
    return EngageError("Ray", f"its process {name} has died", "", "Start the service again.")


def knowledge_of(campaigns: Sequence[Campaign]) -> dict[str, State]:
    """Return what the policies of campaigns begin with, by treatment.

    Raises:
        InputError: a file that an arm names is not there, or is another policy's.
    """
    policies = policies_of(campaigns)
    files = {name_of(campaign.id, arm.id): arm.knows for campaign in campaigns for arm in campaign.arms}
    return {name: knowledge.read(Path(file), policies[name]) for name, file in files.items() if file}


@contextlib.contextmanager
def open_service(
    name: RuntimeName,
    database_url: str,
    actors: int,
    rules: Rules,
    model: RiskModel,
    snapshots: Path,
    clock: Callable[[], int],
    *,
    models: Path | None = None,
    zone: str = "UTC",
    campaigns: Sequence[Campaign] = (),
    post: Post | None = None,
    fatal: Callable[[BaseException], None] = lambda _error: None,
) -> Iterator[Service]:
    """Run the live learners of a database until the block ends.

    Args:
        name: ``ray`` (a process for each actor) or ``local`` (all in this process).
        database_url: of a migrated database that is laid out for so many actors.
        actors: learner actors.
        rules: of the product.
        model: for scoring.
        snapshots: directory for snapshots of this very database.
        clock: UTC ms.
        models: registry of further models that the service may be moved on to.
        zone: IANA name of the zone of learners whose profile has none.
        campaigns: that decide who is sent what.
        post: runs what keeps promises; default: at once.
        fatal: called if the service cannot go on.
    """
    journals = [SqlJournal(database_url, log) for log in range(actors)]
    for journal in journals:
        journal.take()  # here, so that actors that are started again are known to be of this service
    alike = ActorSpec(
        0,
        0,
        0,
        rules,
        zone=zone,
        snapshot_s=_SNAPSHOT_S,
        model=model.version,
        campaigns=tuple(campaigns),
        knowledge=knowledge_of(campaigns),
        actors=actors,
    )
    specs = [replace(alike, number=log, journal=journal) for log, journal in enumerate(journals)]
    with open_runtime(name, specs, model, snapshots, models=models, fatal=fatal) as runtime:
        extra = {} if post is None else {"post": post}
        service = Service(runtime, actors, lambda log: SqlJournal(database_url, log), clock, fatal=fatal, **extra)
        try:
            yield service
        finally:
            service.end()
