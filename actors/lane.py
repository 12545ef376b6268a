"""A lane: the one way to one learner actor, with one message on it at a time.

While a message is being applied the next one gathers, so the busier the service, the larger its batches. What gathers
is bounded: beyond, callers are told to come again.
"""

from __future__ import annotations

import collections
import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from actors.answers import Answer
from actors.feed import Feed, Happening, happenings
from actors.firsts import FirstReceipts
from actors.intake import MOST_EVENTS, Intake
from actors.parcels import BusyError, Parcel, Post, Promise
from actors.ports import Journal, JournalError, ScoringError
from actors.runtime import Runtime
from engine.arrival import VERDICTS
from engine.calendar import MS_PER_MINUTE
from engine.errors import InputError

_log = logging.getLogger("engage.lane")

MOST_WAITING = 5 * MOST_EVENTS
"""Events that may gather for one actor, other messages counted as many: a quarter of a second of its work."""
_PAUSE_S = 0.02  # an idle lane looks at the clock, and for scores, this often
_TROUBLE_S = 0.5
_SAY_AGAIN_S = 60.0  # trouble with scoring that lasts is logged this often
_RESCORE_S = 0.1  # ... and a busy one for scores at least this often


class Lane(threading.Thread):
    """Carries messages to one actor, and the clock's and the scoring pool's news with them.

    Args:
        log: number of the actor and of its journal.
        runtime: of the actor.
        journal: to read what was answered before.
        clock: UTC ms.
        feed: told of everything that happens.
        post: runs what keeps promises.
        fatal: called once, if this lane cannot go on.
    """

    def __init__(
        self,
        log: int,
        runtime: Runtime,
        journal: Journal,
        clock: Callable[[], int],
        feed: Feed,
        post: Post,
        fatal: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name=f"lane-{log}", daemon=True)
        self.log = log
        self.waiting_events = 0  # messages of other kinds counted as `Parcel.weight` has it
        self.waiting_scores = 0
        self.verdicts = dict.fromkeys(VERDICTS, 0)  # events so far by what became of them
        self.score_lag_ms = 0  # of the newest scores: from the oldest change they know of until they were there
        self.troubled = False  # the newest message could not be journalled
        self.model = ""  # version that scores from the next look on, "" = that of the start; its keeper sets it
        self._runtime, self._journal, self._clock = runtime, journal, clock
        self._feed, self._post, self._fatal = feed, post, fatal
        self._parcels: collections.deque[Parcel] = collections.deque()
        self._changed = threading.Condition()
        self._ending = False
        self._ids: list[str | None] = []
        self._naming = threading.Lock()
        self._minute = -1  # of the clock when it was last looked at
        self._scored_at = 0.0
        self._stirred = True  # somebody may wait for a score
        self._scored_by = ""  # version of the model of the newest scores
        self._scores_from = self._say_from = 0.0  # until then the pool is left alone; its trouble is not logged again
        self._told = 0  # number of the newest message that the feed was told of
        self._firsts = FirstReceipts(journal)

    # For callers, on any thread.

    def submit(self, parcel: Parcel) -> None:
        """Take a parcel; its promise is kept when the message is durable.

        Raises:
            BusyError: too much is waiting, or the lane is ending.
        """
        with self._changed:
            if self._ending or self.waiting_events + parcel.weight > MOST_WAITING:
                got = "the service is ending" if self._ending else f"{self.waiting_events} events waiting"
                raise BusyError("intake", got, f"room for {parcel.weight} more", "Send it again in a second.")
            self.waiting_events += parcel.weight
            self._parcels.append(parcel)
            self._changed.notify()

    def ask(self, method: str, *args: Any) -> Any:
        """Ask the actor's tenant something; the answer builds on every message whose promise was kept."""
        return self._runtime.ask(self.log, method, *args)

    def id_of(self, row: int) -> str | None:
        """Return the learner of a row, None = erased."""
        return self._named(row + 1)[row]

    def ids(self, count: int) -> list[str | None]:
        """Return the learners of the first rows."""
        return self._named(count)[:count]

    def _named(self, count: int) -> list[str | None]:
        with self._naming:  # callers' threads and this lane's own ask
            if count > len(self._ids):
                self._ids += self.ask("ids", len(self._ids))
            return self._ids

    def end(self) -> None:
        """Finish what is waiting, save a snapshot and end."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    # The thread itself.

    def run(self) -> None:
        """Carry messages until the end."""
        try:
            self._told = self._runtime.newest(self.log)
            while self._step():
                pass
            self._runtime.checkpoint(self.log)
        except Exception as error:  # noqa: BLE001  # whatever it is, this lane is over, and everyone has to know
            self._break_promises(error)
            self._fatal(error)

    def _step(self) -> bool:
        """Do what is next; return whether there is more to come."""
        with self._changed:
            if not self._parcels and not self._ending:
                self._changed.wait(_PAUSE_S)
            parcels = self._next_parcels()
            idle = not parcels
            if idle and self._ending:
                return False
        if parcels:
            self._carry(parcels)
        if idle or time.monotonic() - self._scored_at > _RESCORE_S:
            self._glance()
        return True

    def _next_parcels(self) -> list[Parcel]:
        """Take what may travel as one message: events of many callers, or one message of another kind."""
        taken: list[Parcel] = []
        weight = 0
        while self._parcels:
            first = self._parcels[0]
            if taken and (first.method != "events" or weight + first.weight > MOST_EVENTS):
                break
            taken.append(self._parcels.popleft())
            weight += first.weight
            if first.method != "events":
                break
        self.waiting_events -= weight
        return taken

    def _carry(self, parcels: list[Parcel]) -> None:
        first = parcels[0]
        try:
            if first.method == "events":
                rows = [row for parcel in parcels for row in parcel.rows]
                answer = self._deliver("events", Intake.of(rows))
                receipts: list[Any] = list(self._firsts.told(answer))
                for code, count in enumerate(np.bincount(answer.receipts["verdict"]).tolist()):
                    self.verdicts[VERDICTS[code]] += count
            elif first.method == "settle":
                self._settle()
                receipts = []
            else:
                answer = self._deliver(first.method, *first.args)
                receipts = [answer]
        except Exception as error:
            self._keep([(parcel.promise, error) for parcel in parcels])
            if isinstance(error, InputError | JournalError | ScoringError):
                return
            raise  # this lane is over, but who has waited hears of it
        kept: list[tuple[Promise, Any]] = []
        start = 0
        for parcel in parcels:
            count = len(parcel.rows) if first.method == "events" else len(receipts)
            kept.append((parcel.promise, receipts[start : start + count]))
            start += count
        self._keep(kept)

    def _keep(self, kept: Sequence[tuple[Promise, Any]]) -> None:
        """Keep promises, or break those that get an error."""

        def keep() -> None:
            for promise, result in kept:
                if promise.done():  # its caller has gone away; the others still wait
                    continue
                if isinstance(result, Exception):
                    promise.set_exception(result)
                else:
                    promise.set_result(result)

        self._post(keep)

    def _break_promises(self, error: Exception) -> None:
        with self._changed:
            self._ending = True
            broken = [(parcel.promise, error) for parcel in self._parcels]
            self._parcels.clear()
        self._keep(broken)

    def _deliver(self, method: str, *args: Any) -> Answer:
        try:
            sequence, message = self._runtime.deliver(self.log, method, *args)
            self.troubled = False
        except JournalError:
            self.troubled = True
            raise
        finally:
            if method == "erase":  # also after an error: it may have been done
                with self._naming:
                    self._ids = []  # a new list: whoever holds the old one keeps it
                self._minute = -1
                self._firsts.forget()
        self._stirred = True
        answer = Answer.of(message)
        self._tell(sequence, answer)
        return answer

    def _tell(self, sequence: int, answer: Answer) -> None:
        """Tell the feed what a message brought, after those before it whose answers were lost on their way."""
        if self._feed:
            try:
                missed = self._journal.read(self._told) if sequence > self._told + 1 else iter(())
                for entry in itertools.takewhile(lambda entry: entry.sequence < sequence, missed):
                    self._feed.tell(list(happenings(self.log, entry.sequence, Answer.of(entry.answer), self.id_of)))
                    self._told = entry.sequence
            except JournalError as error:  # they come with the next message
                _log.warning("lane %d: %s", self.log, error)
                return
            self._feed.tell(list(happenings(self.log, sequence, answer, self.id_of)))
        self._told = sequence

    def _glance(self) -> None:
        """Look around between parcels; the journal's trouble holds everything up, that of scoring only the risks."""
        try:
            self._look_around()
        except JournalError as error:
            _log.warning("lane %d: %s", self.log, error)
            time.sleep(_TROUBLE_S)
        except ScoringError as error:
            self.waiting_scores, self._stirred = self.ask("waiting"), True
            self._scores_from = self._scored_at + _TROUBLE_S
            if self._scored_at >= self._say_from:
                self._say_from = self._scored_at + _SAY_AGAIN_S
                _log.error("lane %d: %s", self.log, error)

    def _look_around(self) -> bool:
        """See what the clock asks for and which scores have come; return whether there is more to come."""
        if self.troubled:  # while it shows, nobody may send anything that would clear it
            self._runtime.attach(self.log)
            self.troubled = False
        now_ms = self._clock()
        busy = False
        if now_ms // MS_PER_MINUTE != self._minute:
            due = self.ask("due", now_ms)
            for method in due:
                self._deliver(method, now_ms)
            busy = bool(due)
            self._minute = -1 if busy else now_ms // MS_PER_MINUTE
        self._scored_at = time.monotonic()
        if (self._stirred or self._scored_by != self.model) and self._scored_at >= self._scores_from:
            self._scored_by = self.model
            changes, self.waiting_scores = self.ask("rescore", self._scored_by)  # an actor that has died forgets it
            self._stirred = self.waiting_scores > 0
            self.score_lag_ms = max((now_ms - change.since_ms for change in changes if change.since_ms), default=0)
            told = [change for change in changes if change.since_ms]  # else it is as it was before a restart
            if told and self._feed:
                self._feed.tell([self._risk(change) for change in told if self.id_of(change.row) is not None])
        return busy or self._stirred

    def _settle(self) -> None:
        """Go on until nothing is due by the clock and every risk is fresh."""
        more = self._stirred = True
        self._scores_from = 0.0  # who waits for this hears of trouble at once
        while more:
            stirred, self._minute = self._stirred, -1
            more = self._look_around() or stirred  # what is due may have waited for a score

    def _risk(self, change: Any) -> Happening:
        facts = {name: getattr(change, name) for name in change._fields if name != "row"}
        return Happening(self.log, 0, 0, self.id_of(change.row) or "", "risk", facts)
