"""One process of the service on a disk and a network that fail by chance, and what its clients send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from actors.answers import Receipt
from actors.feed import Feed
from actors.intake import EventIn
from actors.lane import Lane
from actors.learner import LearnerActor
from actors.parcels import Parcel
from actors.ports import Scores
from actors.spec import ActorSpec
from engine import rules
from engine.experiments.campaigns import standard
from tests.faults.faulty_disk import Disk, DiskJournal, DiskStore, Luck
from tests.faults.faulty_network import FaultyRuntime

RULES = rules.load()
CAMPAIGNS = standard("thompson")  # draws, and learns


class Sent(NamedTuple):
    """What a client says of an event, however often it sends it."""

    learner: str
    key: int
    occurred_ms: int
    action: int
    zone: str | None

    def arriving(self, now_ms: int) -> EventIn:
        """Return it as the rim takes it at an instant."""
        detail = [f"private-{self.learner}"]
        return EventIn(self.learner, self.key, self.occurred_ms, now_ms, self.action, float("nan"), self.zone, detail)


class Answered(NamedTuple):
    """A receipt that a client has."""

    sent: Sent
    receipt: Receipt
    service: Service  # whose
    newest: int  # entry at that moment
    life: int  # of the learner: erasures before


@dataclass
class Kept:
    """A promise that is kept before its service goes on, or never."""

    result: Any = None
    known: bool = False

    def done(self) -> bool:
        """Tell whether it was kept."""
        return self.known

    def set_result(self, result: Any, /) -> None:
        self.result, self.known = result, True

    def set_exception(self, exception: BaseException, /) -> None:
        """Leave its owner in doubt."""


class SlowScorer:
    """Scores by a rule of its own, sooner or later.

    Args:
        luck: of the run.
    """

    def __init__(self, luck: Luck) -> None:
        self._luck = luck

    def submit(self, matrix: Any, version: str = "") -> _Scores:
        return _Scores(matrix, self._luck)


class _Scores:
    def __init__(self, matrix: Any, luck: Luck) -> None:
        self._steps, self._luck = np.floor(np.nan_to_num(matrix) * 16).astype(np.int64), luck

    def ready(self) -> bool:
        return not self._luck.strikes(0.3)

    def __call__(self) -> Scores:
        each = self._steps @ np.arange(1, self._steps.shape[1] + 1)  # integers: the same for a row wherever it stands
        return np.stack([each % 101, each % 89], axis=1).astype(np.float64)


@dataclass(frozen=True)
class Parts:
    """What a run is made of; a mutant replaces one of them."""

    actor: type[LearnerActor] = LearnerActor
    runtime: type[FaultyRuntime] = FaultyRuntime
    journal: type[DiskJournal] = DiskJournal
    store: type[DiskStore] = DiskStore


class Service:
    """One process of the service, with its actor.

    Args:
        disk: of all processes.
        parts: what it is made of.
        clock: UTC ms.
        snapshot_s: as in `ActorSpec`.
    """

    def __init__(self, disk: Disk, parts: Parts, clock: Callable[[], int], snapshot_s: float) -> None:
        spec = ActorSpec(0, 0, 0, RULES, snapshot_s=snapshot_s, campaigns=CAMPAIGNS)
        holder = disk.claim()

        def make() -> LearnerActor:
            holding = replace(spec, journal=parts.journal(disk, holder))
            return parts.actor(holding, SlowScorer(disk.luck), parts.store(disk))

        self.runtime = parts.runtime(make, disk)
        reader = DiskJournal(disk, holder, dies=False)
        self._lane = Lane(0, self.runtime, reader, clock, Feed(), lambda keep: keep(), lambda _error: None)

    def carry(self, parcels: list[Parcel]) -> None:
        """Take parcels in and carry all that is waiting."""
        for parcel in parcels:
            self._lane.submit(parcel)
        while taken := self._lane._next_parcels():
            self._lane._carry(taken)

    def ask(self, method: str, *args: Any) -> Any:
        """Ask the actor's tenant something."""
        return self.runtime.ask(0, method, *args)

    def deliver(self, method: str, *args: Any) -> Any:
        """Send the actor a message that is nobody's parcel; return the answer."""
        return self.runtime.deliver(0, method, *args)[1]


@contextmanager
def by_luck(luck: Luck) -> Iterator[None]:
    """Let what is done aside be done by luck, at once or when it is waited for, and not by a thread."""

    class Aside:
        def __init__(self, target: Callable[..., None] = lambda: None, args: tuple[Any, ...] = ()) -> None:
            self._left: Callable[[], None] | None = lambda: target(*args)

        def is_alive(self) -> bool:
            return self._left is not None

        def start(self) -> None:
            if luck.random() < 0.5:
                self.join()

        def join(self) -> None:
            left, self._left = self._left, None
            if left is not None:
                left()

    threading, gc = SimpleNamespace(Thread=Aside), SimpleNamespace(freeze=lambda: None)  # else no run would be freed
    with mock.patch.multiple("actors.learner", threading=threading, gc=gc):
        yield
