"""A preview: what campaigns would send in the coming days, before anything leaves.

It is the service itself, its learners as they stand now, on a clock that runs ahead and on journals whose ends are kept
in memory alone. Nobody knows who will come meanwhile, so nobody does: who comes gets fewer reminders than are shown,
and more of what is for those who came.
"""

from __future__ import annotations

import contextlib
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from actors.answers import Answer
from actors.deciding import tables_of
from actors.local import LocalRuntime
from actors.ports import Entry, Journal
from actors.service import Service
from actors.spec import ActorSpec
from actors.storage.journal import SqlJournal
from api.clock import ManualClock
from api.knowing import Knowing
from api.place import Place, zone_of
from api.wiring import knowledge_of
from engine.calendar import MS_PER_DAY, MS_PER_MINUTE
from engine.experiments.campaigns import Campaign
from engine.notifications.placing import REASONS
from engine.notifications.quiet_hours import MINUTES
from engine.risk.model import RiskModel
from engine.rules import Rules

_STEP_MINUTES = 10


class Overlay:
    """A journal that is read as it stands, while what is appended is kept beside it: an `actors.ports.Journal`.

    Args:
        journal: never written.
        beyond: what was appended; all overlays of one journal share it.
    """

    def __init__(self, journal: Journal, beyond: list[Entry]) -> None:
        self._journal, self._beyond = journal, beyond

    def take(self) -> int:
        """Take nothing over: whoever holds the journal goes on."""
        return self._beyond[-1].sequence if self._beyond else 0

    def append(self, entry: Entry) -> None:
        """Keep an entry in memory."""
        self._beyond.append(entry)

    def read(self, after: int) -> Iterator[Entry]:
        """Yield the entries after this number, in order."""
        return self._with_beyond(self._journal.read, after)

    def of_kind(self, kind: str, after: int) -> Iterator[Entry]:
        """Yield the entries of a kind of message after this number, in order."""
        found = self._with_beyond(lambda number: self._journal.of_kind(kind, number), after)
        return (entry for entry in found if entry.message.kind == kind)

    def _with_beyond(self, read: Callable[[int], Iterator[Entry]], after: int) -> Iterator[Entry]:
        for entry in read(after):
            if self._beyond and entry.sequence >= self._beyond[0].sequence:  # its holder has gone on meanwhile
                break
            yield entry
        yield from (entry for entry in self._beyond if entry.sequence > after)

    def entry(self, sequence: int) -> Entry | None:
        """Return one entry, None = there is none of that number."""
        if self._beyond and sequence >= self._beyond[0].sequence:
            return next((entry for entry in self._beyond if entry.sequence == sequence), None)
        return self._journal.entry(sequence)

    def rewrite(self, change: Callable[[Entry], Entry | None]) -> int:  # the port's own argument
        """Change nothing: erasures are the journal's holder's."""
        return 0


@dataclass
class Preview:
    """What would be sent.

    Args:
        sends: by local day, local hour and type.
        dropped: what campaigns wanted and would not be sent, by campaign and reason.
    """

    sends: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take_in(self, entry: Entry) -> None:
        """Count what an entry tells."""
        body = entry.message.body
        if entry.message.kind == "decide":
            for _, _, treatment, _, reason in tables_of(entry.message).dropped.tolist():
                self.dropped[body["treatments"][treatment].partition("/")[0], REASONS[reason]] += 1
        if entry.message.kind == "send":
            for _, _, _, treatment, reason in body["withheld"]:
                self.dropped[body["treatments"][treatment].partition("/")[0], reason] += 1
            for send in Answer.of(entry.answer).sends:
                left = (send["expires_ms"] - body["now_ms"]) // MS_PER_MINUTE  # of the learner's day, by its clock
                self.sends[send["day"], (MINUTES - left) // 60, send["type"]] += 1


def preview(
    place: Place,
    work: Path,
    rules: Rules,
    model: RiskModel,
    campaigns: Sequence[Campaign],
    now_ms: int,
    days: int,
    progress: Callable[[int, int], None],
) -> Preview:
    """Return what would be sent from an instant on; a service that runs on the place is not disturbed.

    Args:
        place: of the service.
        work: empty directory.
        rules: of the product.
        model: for scoring.
        campaigns: that decide; others than the service's own may be tried.
        now_ms: where the clock begins.
        days: of 24 hours.
        progress: called with (steps done, steps in all).
    """
    beyond: list[list[Entry]] = [[] for _ in range(place.actors)]
    clock = ManualClock(now_ms)

    def journal_of(log: int) -> Overlay:
        return Overlay(SqlJournal(place.url, log), beyond[log])

    knowledge = knowledge_of(campaigns)
    alike = ActorSpec(
        0, 0, 0, rules,
        zone=zone_of(place), snapshot_s=math.inf, model=model.version, campaigns=tuple(campaigns), knowledge=knowledge,
        actors=place.actors,
    )  # fmt: skip  # as the service's own, but for its snapshots
    specs = [replace(alike, number=log, journal=journal_of(log)) for log in range(place.actors)]
    _copy(place.snapshots, work)
    runtime = LocalRuntime(specs, model, work)
    found, steps = Preview(), days * MS_PER_DAY // (_STEP_MINUTES * MS_PER_MINUTE)
    service = Service(runtime, place.actors, journal_of, clock)
    try:
        knowing = Knowing(service, campaigns, knowledge)
        for step in range(steps + 1):
            knowing.step(clock())
            service.settle()
            progress(step, steps)
            clock.advance(minutes=_STEP_MINUTES)
    finally:
        service.end()
        runtime.stop()
    for entries in beyond:
        for entry in entries:
            found.take_in(entry)
    return found


def _copy(snapshots: Path, work: Path) -> None:
    """Copy snapshots, those that a running service removes meanwhile left out."""
    for file in snapshots.glob("*/*.npz"):
        (work / file.parent.name).mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(file, work / file.parent.name / file.name)
