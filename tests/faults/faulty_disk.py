"""A disk that fails by chance: the journal and the snapshots of one actor, as `actors.ports` describes them.

Between any two steps the process that takes them may die or fall asleep; a write that was not acknowledged may stand,
be missing, be torn, or come much later.
"""

from __future__ import annotations

import contextlib
import errno
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from actors.ports import Entry, FencedError, JournalError, State
from actors.storage.entries import decoded, encoded

LOG = 0
DIES, DIES_AFTER = "dies", "dies after"
FAILS, FAILS_AFTER = "fails", "fails after"  # with an error, undone or done
SLEEPS = "sleeps"  # the process is paused before it, and does it when others have taken it for dead
LATE = "late"  # it fails, and yet is done some time later by whoever was asked
TORN = "torn"  # the process dies, and half of it is there
FATES = {
    "take": (DIES, DIES_AFTER, FAILS, FAILS_AFTER),
    "append": (DIES, DIES_AFTER, FAILS, FAILS_AFTER, SLEEPS, LATE),
    "read": (DIES, FAILS),
    "entry": (DIES, FAILS),
    "rewrite": (DIES, DIES_AFTER, FAILS, FAILS_AFTER, SLEEPS, LATE),
    "save": (DIES, DIES_AFTER, FAILS, TORN),
    "load": (DIES,),
    "drop": (DIES,),
}
RATES = {"append": 3.0, "rewrite": 10.0, "entry": 4.0, "read": 0.3}
"""How much likelier a fault is in some steps: much depends on them, or they are many."""


class Crash(BaseException):
    """The process ends here; no `except` of the program sees it through."""


class Luck(random.Random):
    """All that is left to chance in one run.

    Args:
        seed: the run's one number.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.armed = True
        self.disk = self.choice([0.0, 0.01, 0.03, 0.06])
        self.network = self.choice([0.0, 0.02, 0.1])
        self.struck: Counter[tuple[str, str]] = Counter()

    def strikes(self, rate: float) -> bool:
        """Return whether something of this rate happens now."""
        return self.armed and rate > 0 and self.random() < rate

    def fate(self, step: str, fates: tuple[str, ...], rate: float | None = None) -> str:
        """Return what befalls a step, mostly nothing."""
        if not self.strikes(RATES.get(step, 1.0) * self.disk if rate is None else rate):
            return ""
        fate = self.choice(fates)
        self.struck[step, fate] += 1
        return fate


class Disk:
    """What outlives every process: rows, the epoch of the log, snapshots.

    Args:
        luck: of the run.
    """

    def __init__(self, luck: Luck) -> None:
        self.luck = luck
        self.epoch = 0
        self.holder = 0  # the service that claimed the log last
        self.rows: list[dict[str, Any]] = []
        self.first_told: list[Entry] = []  # as they were appended, before any erasure: only the judge looks
        self.snapshots: dict[int, State | None] = {}  # None = torn
        self.elsewhere: dict[int, State | None] = {}  # on the other machine
        self.late: list[Callable[[], None]] = []
        self.refused: set[str] = set()  # tokens of messages whose senders were told that they would not be done

    def append(self, row: dict[str, Any]) -> None:
        """Append a row as the database does, on the condition that its writer holds the log."""
        number, newest = row["sequence"], len(self.rows)
        standing = self.rows[number - 1] if 1 <= number <= newest else None
        if standing is not None and (standing["epoch"], standing["checksum"]) == (row["epoch"], row["checksum"]):
            return
        if standing is not None or row["epoch"] != self.epoch:
            raise FencedError(f"log {LOG}", f"epoch {row['epoch']}", f"epoch {self.epoch}")
        if number != newest + 1:
            raise JournalError(f"log {LOG}", f"entry {number}", f"entry {newest + 1}")
        self.rows.append(row)
        self.first_told.append(decoded(row))

    def do_late(self) -> None:
        """Do one of the writes that are late, in any order."""
        if self.late:
            work = self.late.pop(self.luck.randrange(len(self.late)))
            with contextlib.suppress(FencedError, JournalError):  # nobody is there any more to be told
                work()

    def entries(self) -> list[Entry]:
        """Return what stands in the journal."""
        return [decoded(row) for row in self.rows]

    def claim(self) -> int:
        """Let another service hold the log; return its number."""
        self.holder += 1
        self.epoch += 1
        return self.holder

    def change_machine(self) -> None:
        """Let what comes now run on the other machine, with the snapshots that lie there."""
        self.snapshots, self.elsewhere = self.elsewhere, self.snapshots

    def restore(self, newest: int) -> None:
        """Be put back to a copy that was made after this entry; the snapshots lie elsewhere and stay."""
        del self.rows[newest:], self.first_told[newest:]
        self.epoch = self.rows[-1]["epoch"] if self.rows else 0
        self.late.clear()


class DiskJournal:
    """One process's hold on the log.

    Args:
        disk: where it is.
        holder: number of the service.
        dies: whether a step may end the process; a reader's end would be the end of the service.
    """

    def __init__(self, disk: Disk, holder: int, *, dies: bool = True) -> None:
        self._disk = disk
        self._holder = holder
        self._epoch = 0
        self._dies = dies

    def take(self) -> int:
        """Take the log over."""

        def work() -> int:
            if self._holder != self._disk.holder:
                raise FencedError(f"log {LOG}", f"holder {self._holder}", f"holder {self._disk.holder}")
            self._disk.epoch += 1
            self._epoch = self._disk.epoch
            return len(self._disk.rows)

        return self._step("take", work)

    def append(self, entry: Entry) -> None:
        """Append an entry."""
        row = encoded(LOG, entry, self._epoch)
        self._step("append", lambda: self._disk.append(row))

    def read(self, after: int) -> Iterator[Entry]:
        """Yield entries."""
        place = after
        while place < len(self._disk.rows):
            yield self._step("read", lambda at=place: decoded(self._disk.rows[at]))
            place += 1

    def entry(self, sequence: int) -> Entry | None:
        """Return an entry."""
        rows = self._disk.rows
        return self._step("entry", lambda: decoded(rows[sequence - 1]) if 1 <= sequence <= len(rows) else None)

    def rewrite(self, change: Callable[[Entry], Entry | None]) -> int:
        """Replace entries, all or none."""
        epoch = self._epoch  # as it is now, however late this is done

        def work() -> int:
            if epoch != self._disk.epoch:
                raise FencedError(f"log {LOG}", f"epoch {epoch}", f"epoch {self._disk.epoch}")
            replaced = 0
            for place, row in enumerate(self._disk.rows):
                found = change(decoded(row))
                if found is not None:
                    self._disk.rows[place] = encoded(LOG, found, row["epoch"])
                    replaced += 1
            return replaced

        return self._step("rewrite", work)

    def _step(self, step: str, work: Callable[[], Any]) -> Any:
        fate = self._disk.luck.fate(step, FATES[step] if self._dies else (FAILS,))
        if fate == DIES:
            raise Crash
        if fate == FAILS:
            raise JournalError("disk", "no room")
        if fate in {SLEEPS, LATE}:
            self._disk.late.append(work)
            raise Crash if fate == SLEEPS else JournalError("database", "no connection")
        result = work()
        if fate == DIES_AFTER:
            raise Crash
        if fate == FAILS_AFTER:
            raise JournalError("database", "a lost connection, after it was done")
        return result


class DiskStore:
    """One process's way to the snapshots.

    Args:
        disk: where they are.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def save(self, sequence: int, state: State) -> None:
        """Keep a snapshot; a process that dies meanwhile leaves it whole, torn or not there."""
        kept = {name: array.copy() for name, array in state.items()}
        fate = self._fate("save")
        if fate == DIES:
            raise Crash
        if fate == FAILS:
            raise OSError(errno.ENOSPC, "no space left on device")
        if fate == TORN:
            self._disk.snapshots[sequence] = None
            raise Crash
        self._disk.snapshots[sequence] = kept
        if fate == DIES_AFTER:
            raise Crash

    def prune(self, answered: int) -> int:
        """Keep two generations."""
        settled = sorted((number for number in self._disk.snapshots if number <= answered), reverse=True)
        self._drop(settled[2:])
        return settled[1] if len(settled) > 1 else 0

    def forget(self, after: int) -> None:
        """Drop what is newer."""
        self._drop(sorted(number for number in self._disk.snapshots if number > after))

    def load(self, before: int) -> tuple[int, State] | None:
        """Return the newest that is whole."""
        if self._fate("load"):
            raise Crash
        for number in sorted(self._disk.snapshots, reverse=True):
            state = self._disk.snapshots[number]
            if number < before and state is not None:
                return number, {name: array.copy() for name, array in state.items()}
        return None

    def _drop(self, numbers: list[int]) -> None:
        for number in numbers:
            if self._fate("drop"):
                raise Crash
            self._disk.snapshots.pop(number)

    def _fate(self, step: str) -> str:
        return self._disk.luck.fate(step, FATES[step])
