"""The service: the live loop around the learner actors, without HTTP.

It takes events and messages, gives each to the lane of its learner's actor, and answers questions about one learner or
all of them. What drives it (HTTP, an import, a test) is its caller's business.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from actors.answers import Answer, Receipt
from actors.directory import actor_of
from actors.erasure import Erasure, without
from actors.feed import Feed, Happening, happenings
from actors.intake import EventIn
from actors.lane import Lane
from actors.parcels import Parcel, Post, Promise
from actors.ports import Entry, Journal, ScoringError, State
from actors.register import Profile, UnknownLearnerError
from actors.runtime import Runtime
from actors.views import LearnerView
from engine.signals import names


class Traces(NamedTuple):
    """What an erasure left."""

    entries_checked: int  # of the learner's journal, all of them
    entries_left: int  # that still say anything about the learner; 0, or something is wrong


def _here(keep: Callable[[], None]) -> None:
    keep()


class Service:
    """Live learners in all actors.

    Args:
        runtime: of actors with a journal each.
        actors: how many there are.
        journal_of: opens the journal of an actor, for reading on one thread.
        clock: UTC ms; the one clock of everything that is live.
        post: runs what keeps promises; default: at once, on the lane's thread.
        fatal: called once, if a lane cannot go on; the process should end then.
    """

    def __init__(
        self,
        runtime: Runtime,
        actors: int,
        journal_of: Callable[[int], Journal],
        clock: Callable[[], int],
        post: Post = _here,
        fatal: Callable[[BaseException], None] = lambda _error: None,
    ) -> None:
        self.clock = clock
        self.feed = Feed()
        self._runtime, self._journal_of = runtime, journal_of
        self.lanes = [Lane(log, runtime, journal_of(log), clock, self.feed, post, fatal) for log in range(actors)]
        for log in range(actors):
            runtime.attach(log)
        for lane in self.lanes:
            lane.start()

    def lane(self, learner_id: str) -> Lane:
        """Return the lane of a learner's actor."""
        return self.lanes[actor_of(learner_id, len(self.lanes))]

    def submit(self, rows: Sequence[EventIn], promise: Callable[[], Promise]) -> list[tuple[list[int], Any]]:
        """Hand events to their actors.

        Args:
            rows: events, of any learners.
            promise: makes where an answer is put.

        Returns:
            for each actor concerned the places of its events in ``rows`` and the promise of their receipts.

        Raises:
            BusyError: an actor has too much waiting; what others have taken will still count, as a retry will find.
        """
        places: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            places.setdefault(actor_of(row.learner, len(self.lanes)), []).append(place)
        promised = []
        for log, mine in places.items():
            kept = promise()
            self.lanes[log].submit(Parcel(kept, [rows[place] for place in mine]))
            promised.append((mine, kept))
        return promised

    def track(self, rows: Sequence[EventIn]) -> list[Receipt]:
        """Hand events to their actors and wait; return their receipts in the order of ``rows``."""
        receipts: dict[int, Receipt] = {}
        for places, promise in self.submit(rows, concurrent.futures.Future):
            receipts.update(zip(places, promise.result(), strict=True))
        return [receipts[place] for place in range(len(rows))]

    def order(self, promise: Promise, learner_id: str, method: str, *args: Any) -> None:
        """Hand another kind of message to a learner's actor; the promise gets a list with its `Answer`."""
        self.lane(learner_id).submit(Parcel(promise, (), method, args))

    def set_profile(self, promise: Promise, learner_id: str, changes: Profile) -> None:
        """Change entries of a learner's profile; the learner may be new."""
        self.order(promise, learner_id, "profile", learner_id, changes, self.clock())

    def learner(self, learner_id: str) -> LearnerView:
        """Return all that is held of a learner; `InputError` if nobody has that id."""
        view: LearnerView = self.lane(learner_id).ask("learner", learner_id, self.clock())
        return view

    def today(self, learner_id: str, now_ms: int) -> int:
        """Return a learner's local day at an instant, also of one who is new."""
        day: int = self.lane(learner_id).ask("today", learner_id, now_ms)
        return day

    def unknown(self, learner_ids: list[str]) -> list[str]:
        """Return which of some ids nobody has."""
        found = [self.lane(each).log for each in learner_ids]
        asked = {log: [each for each, at in zip(learner_ids, found, strict=True) if at == log] for log in set(found)}
        return [each for log, mine in asked.items() for each in self.lanes[log].ask("unknown", mine)]

    def known(self, treatment: str) -> State:
        """Return what the policy of a treatment knows at present; all actors know the same."""
        found: State = self.lanes[0].ask("known", treatment, self.clock())
        return found

    def erase(self, learner_id: str, learner_hash: str) -> Erasure:
        """Erase a learner everywhere, and wait for it; return the newest erasure of that id.

        Whoever is not there, but was erased before, has been erased: the answer to an erasure may have been lost.

        Args:
            learner_id: of the learner.
            learner_hash: of the id; it remains.

        Raises:
            UnknownLearnerError: nobody has that id, and nobody had.
        """
        promise: concurrent.futures.Future[list[Answer]] = concurrent.futures.Future()
        self.order(promise, learner_id, "erase", learner_id, learner_hash, self.clock())
        try:
            promise.result()
        except UnknownLearnerError:
            if not self._erasures(learner_id, learner_hash):
                raise
        return self._erasures(learner_id, learner_hash)[-1]

    def _erasures(self, learner_id: str, learner_hash: str) -> list[Erasure]:
        found: list[Erasure] = self.lane(learner_id).ask("erasures", learner_hash)
        return found

    def traces(self, learner_id: str, erasure: Erasure) -> Traces:
        """Look through the whole journal whether anything is left of an erased learner."""
        trace = without(erasure.row, learner_id)
        left = [trace(entry) is not None for entry in self._journal_of(self.lane(learner_id).log).read(0)]
        return Traces(len(left), sum(left))

    def try_model(self, version: str) -> None:
        """Let the scoring pool score a learner without any history by a model.

        Args:
            version: of the model.

        Raises:
            ScoringError: a member of the pool cannot.
        """
        try:
            for _ in self.lanes:  # members take turns, and there are no more of them than lanes
                self._runtime.pool.submit(np.zeros((1, len(names()))), version)()
        except Exception as error:
            raise ScoringError.of(version, error) from error

    @property
    def troubled(self) -> bool:
        """Whether some lane's newest message could not be journalled."""
        return any(lane.troubled for lane in self.lanes)

    def settle(self) -> None:
        """Wait until nothing is due by the clock and every risk is fresh."""
        self._everywhere("settle")

    def _everywhere(self, method: str, *args: Any) -> list[Any]:
        promises: list[concurrent.futures.Future[Any]] = []
        for lane in self.lanes:
            promises.append(concurrent.futures.Future())
            lane.submit(Parcel(promises[-1], (), method, args))
        return [promise.result() for promise in promises]

    def history(self, log: int, sequence: int, place: int) -> Iterator[Happening]:
        """Yield what happened in a log after a position, in order, from the journal."""
        for entry in self._journal_of(log).read(sequence - 1 if sequence else 0):
            for each in happenings(log, entry.sequence, Answer.of(entry.answer), self.lanes[log].id_of):
                if (each.sequence, each.place) > (sequence, place):
                    yield each

    def newest(self) -> list[int]:
        """Return the number of each journal's newest entry; whatever listens now is told of all that follow."""
        return [self._runtime.newest(lane.log) for lane in self.lanes]

    def entries(self, log: int) -> Iterator[Entry]:
        """Yield all entries of a journal, in order."""
        return self._journal_of(log).read(0)

    def entries_of(self, log: int, kind: str) -> Iterator[Entry]:
        """Yield the entries of a journal that are messages of one kind, in order."""
        return self._journal_of(log).of_kind(kind, 0)

    def end(self) -> None:
        """Take nothing more, finish what is waiting, save snapshots."""
        for lane in self.lanes:
            lane.end()
        for lane in self.lanes:
            lane.join()
