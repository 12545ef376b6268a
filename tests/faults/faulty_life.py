"""One run: clients, a clock and an operator, with a service whose disk and network fail by chance, all of one seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.answers import Answer, Receipt, receipts_told
from actors.intake import EventIn, Intake
from actors.parcels import Parcel
from actors.ports import JournalError
from engine.calendar import MS_PER_DAY, MS_PER_MINUTE
from engine.errors import EngageError, InputError
from tests.faults.faulty_disk import Disk, Luck
from tests.faults.faulty_service import RULES, Answered, Kept, Parts, Sent, Service

HOUR_MS = 60 * MS_PER_MINUTE
LEARNERS = ("ann", "bob", "cyd")
PUPIL, SCHOOL = "dan", "school"  # who comes with a history, and where from
ACTIONS = [RULES.code(name) for name in ("lesson_complete", "forum_post", "daily_login", "page_view", "certificate")]
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati")
STARTS = (19_811, 19_812, 20_022, 20_087)  # days around clock changes and a New Year
AGES = [0] * 12 + [age * HOUR_MS for age in (1, 20, 72, 192, 744, -1)]  # in time, late, too old, from the future
STEPS = 24


class Life:
    """One run.

    Args:
        seed: all that chance does follows from it.
        parts: what the service is made of.
    """

    def __init__(self, seed: int, parts: Parts) -> None:
        self.luck = luck = Luck(seed)
        self.disk = Disk(luck)
        self.now_ms = luck.choice(STARTS) * MS_PER_DAY + luck.randrange(24) * HOUR_MS
        self.pending: list[Sent] = []
        self.answered: list[Answered] = []
        self.messages: list[list[EventIn]] = []  # everything that ever set out
        self.told: list[str] = []  # what happened, by name
        self._parts = parts
        self._snapshot_s = luck.choice([0.0, 1e9, 1e9])
        self._keys = 0
        self._old: Service | None = None  # taken for dead, and perhaps not
        self.service = self._start()

    def _start(self) -> Service:
        return Service(self.disk, self._parts, lambda: self.now_ms, self._snapshot_s)

    def run(self) -> None:
        """Let things happen, then heal and settle."""
        weights: dict[Any, int] = {
            self.submit: 20, self.again: 14, self.day: 20, self.days: 3, self.tick: 6, self.clockwork: 12,
            self.rescore: 10, self.profile: 4, self.erase: 3, self.history: 2, self.look: 4,
            self.checkpoint: 6, self.kill: 4, self.give_up: 3, self.restart: 3, self.old_wakes: 4, self.late: 6,
            self.put_back: 1,
        }  # fmt: skip
        for happening in self.luck.choices(list(weights), list(weights.values()), k=STEPS):
            self.told.append(happening.__name__)
            self._guarded(happening)
        self.told.append("heal")
        self._heal()

    def _guarded(self, happening: Callable[[], object]) -> None:
        """Let something happen; a service that does not know how to go on ends, and another starts."""
        try:
            happening()
        except (InputError, JournalError):
            pass  # its sender is told
        except EngageError:
            self.restart()

    def _heal(self) -> None:
        """End all trouble, send what is pending, and do all that is due."""
        self.luck.armed = False
        while self.disk.late:
            self.disk.do_late()
        while self.service.runtime.arrive_late():
            pass
        for left in (2, 1, 0):  # what was late may have cost the service its log
            try:
                self.send(self.service, [*self.pending, self._pending()])
                waiting, due = 1, True
                while waiting or due:
                    due = self.clockwork()
                    _, waiting = self.service.ask("rescore")
                return
            except EngageError:
                if not left:
                    raise
                self.restart()

    # What clients do.

    def submit(self) -> None:
        """Send some events for the first time, perhaps with some that are pending."""
        fresh = [self._pending() for _ in range(self.luck.randint(1, 4))]
        self.send(self.service, fresh + self._some(self.pending))

    def again(self) -> None:
        """Send what was sent before, acknowledged or not."""
        known = [each.sent for each in self.answered]
        self.send(self.service, self._some(self.pending) + self._some(known))

    def day(self) -> None:
        """Let a day go by on which somebody learns, and be it evening."""
        self.now_ms += MS_PER_DAY - self.now_ms % MS_PER_DAY + 19 * HOUR_MS
        self.send(self.service, [self._pending(self.luck.choice(LEARNERS[:2]), 0)])

    def days(self) -> None:
        """Let two days go by as they do: the clock is looked at time and again."""
        for _ in range(16):
            self.now_ms += 3 * HOUR_MS
            self.rescore()
            while self.clockwork():
                self.rescore()

    def _pending(self, learner: str = "", ago_ms: int | None = None) -> Sent:
        """Return a new event that its client sends until it is answered, of anybody, at any time."""
        sent = self._new(learner or self.luck.choice(LEARNERS), self.luck.choice(AGES) if ago_ms is None else ago_ms)
        self.pending.append(sent)
        return sent

    def _new(self, learner: str, ago_ms: int) -> Sent:
        self._keys += 1
        zone = self.luck.choice(ZONES) if self.luck.random() < 0.2 else None
        return Sent(learner, self._keys, self.now_ms - ago_ms, self.luck.choice(ACTIONS), zone)

    def _some(self, sent: list[Sent]) -> list[Sent]:
        return self.luck.sample(sent, min(len(sent), self.luck.randint(0, 3)))

    def send(self, service: Service, sent: list[Sent]) -> None:
        """Send events, as the parcels of one or two clients."""
        cut = self.luck.randint(0, len(sent))
        parts = [part for part in (sent[:cut], sent[cut:]) if part]
        promises = [Kept() for _ in parts]
        parcels = [
            Parcel(kept, [one.arriving(self.now_ms) for one in part])
            for kept, part in zip(promises, parts, strict=True)
        ]
        self.messages.append([row for parcel in parcels for row in parcel.rows])
        try:
            service.carry(parcels)
        finally:
            for kept, part in zip(promises, parts, strict=True):
                if kept.known:
                    self._note(service, part, kept.result)

    def _note(self, service: Service, sent: list[Sent], receipts: list[Receipt]) -> None:
        newest = len(self.disk.rows)
        for one, receipt in zip(sent, receipts, strict=True):
            life = len([entry for entry in self._erasures() if entry.message.body["learner"] == one.learner])
            self.answered.append(Answered(one, receipt, service, newest, life))
            if one in self.pending:
                self.pending.remove(one)

    def history(self) -> None:
        """Import the next part of a history."""
        part = self.service.ask("parts_of", SCHOOL)
        sent = [self._new(PUPIL, self.luck.choice([HOUR_MS, MS_PER_DAY, 3 * MS_PER_DAY])) for _ in range(3)]
        rows = [one.arriving(one.occurred_ms) for one in sent]
        self.messages.append(rows)
        answer = Answer.of(self.service.deliver("import", SCHOOL, part, Intake.of(rows)))
        self._note(self.service, sent, list(receipts_told(answer)))

    def profile(self) -> None:
        """Change a profile."""
        zone = self.luck.choice([*ZONES, None])
        consents = {"in_app": self.luck.random() < 0.7, "push": self.luck.random() < 0.7}
        self._order("profile", self.luck.choice(LEARNERS), {"timezone": zone, "consents": consents})

    def erase(self) -> None:
        """Erase a learner, who may come back."""
        learner = self.luck.choice([*LEARNERS, PUPIL])
        self._order("erase", learner, str(len(learner)))

    def _order(self, method: str, learner: str, *args: Any) -> None:
        self.service.carry([Parcel(Kept(), (), method, (learner, *args, self.now_ms))])

    def _erasures(self) -> list[Any]:
        return [entry for entry in self.disk.first_told if entry.message.kind == "erase"]

    def look(self) -> None:
        """See that an answer builds on all that its service has acknowledged."""
        learner = self.luck.choice(LEARNERS)
        record = self.service.ask("learner", learner, self.now_ms).record
        if all(entry.message.body["learner"] != learner for entry in self._erasures()):
            mine = [each for each in self.answered if each.sent.learner == learner and each.service is self.service]
            counted = {each.sent.key for each in mine if counts(each)}
            assert int(record["totals"].sum()) >= len(counted), "an answer that does not know what was acknowledged"

    # What the clock, the machines and the operator do.

    def tick(self) -> None:
        """Let time pass."""
        self.now_ms += self.luck.choice([1, MS_PER_MINUTE, HOUR_MS, 5 * HOUR_MS, MS_PER_DAY, 9 * MS_PER_DAY])

    def clockwork(self) -> bool:
        """Do what the clock asks for; return whether there was anything."""
        due = self.service.ask("due", self.now_ms)
        for method in due:
            self.service.deliver(method, self.now_ms)
        return bool(due)

    def rescore(self) -> None:
        """Take scores and ask for some."""
        self.service.ask("rescore")

    def checkpoint(self) -> None:
        """Save a snapshot."""
        self.service.runtime.checkpoint(0, aside=self.luck.random() < 0.5)

    def kill(self) -> None:
        """Kill the actor's process."""
        self.service.runtime.kill(0)

    def give_up(self) -> None:
        """Take the actor's process for dead; its calls may still arrive there."""
        self.service.runtime.give_up()

    def restart(self) -> None:
        """Start another process of the service; the old one may only be paused."""
        self._old = self.service
        if self.luck.random() < 0.3:
            self.disk.change_machine()
        self.service = self._start()

    def old_wakes(self) -> None:
        """Let the old process of the service go on with something."""
        if self._old is not None:
            epoch = self.disk.epoch
            try:
                self.send(self._old, [*self._some(self.pending), self._pending()])
            except EngageError:
                self._old = None
            assert self.disk.epoch == epoch, "a service has taken the log back from its successor"

    def late(self) -> None:
        """Let something arrive that is late."""
        self.disk.do_late()
        self.service.runtime.arrive_late()

    def put_back(self) -> None:
        """Stop everything and put the database back to a copy, as an operator may; what came since is lost."""
        newest = max([0, *(entry.sequence for entry in self._erasures())])
        newest = self.luck.randint(max(newest, len(self.disk.rows) - 3), len(self.disk.rows))
        self.disk.restore(newest)
        if self.luck.random() < 0.5:
            self.disk.change_machine()
        self._old, self.service = None, self._start()
        self.answered = [each for each in self.answered if each.newest <= newest]


def counts(answered: Answered) -> bool:
    """Return whether a client was told that its event counted, now or before."""
    return answered.receipt.verdict in {"full", "late", "duplicate"}
