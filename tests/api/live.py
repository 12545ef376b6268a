"""A live service to test, in this process, on a clock that the test sets; and what it must come to."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from actors.answers import Receipt
from actors.directory import by_hash
from actors.local import LocalRuntime
from actors.ports import Entry
from actors.service import Service
from actors.spec import ActorSpec
from actors.storage.journal import SqlJournal
from api.clock import ManualClock
from api.events import EventBody, Gate
from api.learning import registry_of
from api.place import Place, note_zone, open_place
from api.wiring import open_service
from engine import record
from engine import rules as engine_rules
from engine.calendar import MS_PER_DAY
from engine.experiments.campaigns import Campaign
from engine.risk import model as risk_model
from simulation.adapters.event_log import ResolvedLog
from simulation.replay import replay

RULES = engine_rules.load()
NOON_MS = MS_PER_DAY // 2


def ms(text: str) -> int:
    """Return the instant of a text such as ``2026-03-02T09:00`` in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@dataclass
class Live:
    """A service and where it lives."""

    service: Service
    clock: ManualClock
    place: Place

    def track(self, learner: str, action: str = "lesson_complete", at: str | None = None, **more: Any) -> Receipt:
        """Send one event as a client does; ``at`` = when it occurred, default: now."""
        told = {"userId": learner, "action": action, **more}
        if at is not None:
            told["occurredAt"] = f"{at}Z"
        accepted = Gate(RULES).accept(EventBody.model_validate(told), self.clock())
        return self.service.track([accepted.row])[0]

    def profile(self, learner: str, **changes: Any) -> None:
        """Change a learner's profile."""
        promise: Future[Any] = Future()
        self.service.set_profile(promise, learner, changes)
        promise.result()

    def until(self, *instants: str) -> None:
        """Let time go on to each instant, and do all that is due there."""
        for instant in instants:
            self.clock.set(ms(instant))
            self.service.settle()

    def journal(self, log: int = 0) -> SqlJournal:
        """Open a journal for reading."""
        return SqlJournal(self.place.url, log)

    def entries(self) -> list[Entry]:
        """Return the entries of all journals."""
        return [entry for log in range(self.place.actors) for entry in self.journal(log).read(0)]

    def digest(self) -> str:
        """Return the digest over all records, as a replay forms it."""
        return digest_of(self.service)


def digest_of(service: Service) -> str:
    """Return the digest over all records, as a replay forms it."""
    rows: list[tuple[str, bytes]] = []
    for lane in service.lanes:
        count = len(lane.ask("columns", ["as_of"], 0)["as_of"])
        whole = lane.ask("canonical", 0, np.arange(count))
        size = len(whole) // max(count, 1)
        for row, learner in enumerate(lane.ids(count)):
            if learner is not None:
                rows.append((learner, whole[row * size : (row + 1) * size]))
    return record.digest(content for _, content in sorted(rows))


@contextlib.contextmanager
def living(
    data: Path,
    now: str,
    *,
    url: str | None = None,
    actors: int | None = None,
    zone: str = "UTC",
    campaigns: Sequence[Campaign] = (),
) -> Iterator[Live]:
    """Run a service until the block ends; all that it holds stays in the directory, or at the URL."""
    place = open_place(data, url, actors)
    note_zone(place, zone)
    clock = ManualClock(ms(now))
    model = risk_model.load()
    with (
        place.database,
        open_service(
            "local",
            place.url,
            place.actors,
            RULES,
            model,
            place.snapshots,
            clock,
            zone=zone,
            campaigns=campaigns,
            models=registry_of(data).directory,
        ) as service,
    ):
        yield Live(service, clock, place)


def replayed_digest(log: ResolvedLog, until: int | None = None) -> str:
    """Return the digest that `engage replay` comes to."""
    layout = by_hash(log.learner_ids, 2)
    specs = [ActorSpec(actor, 0, count, RULES) for actor, count in enumerate(layout.counts)]
    with tempfile.TemporaryDirectory() as work:
        return replay(log, layout, LocalRuntime(specs, risk_model.load(), Path(work)), until).digest
