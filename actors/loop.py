"""The loop, written once: event -> state -> signals -> risk -> decision -> delivery, for the learners of one arm.

Both drivers run this class. It holds the records of its learners and changes them only through the rules in ``engine``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.ports import Inbox, State
from engine import batch, outcomes, receipts
from engine.arrival import SEEN, SeenIds
from engine.calendar import MS_PER_DAY
from engine.events import Events
from engine.notifications import catalogue as notifications
from engine.policies import NO_MESSAGE, Context, Decision, Policy, decide
from engine.policies.base import State as Knowledge
from engine.policies.decisions import DECISION, MATURE_DAYS, described, reward
from engine.policies.seen import seen
from engine.record import LEARNER, NEVER, Records, new_records
from engine.risk.dropoff import standings
from engine.rules import Rules
from engine.signals import compute

_OUTCOME_ROWS = 4 * outcomes.MARGIN
_NO_IDS = np.zeros(0, SEEN)


class Loop:
    """The learners of one arm in one actor.

    Args:
        rules: the rules of the product.
        policy: decides who is sent what.
        count: number of learners.
        first_day: local day on which they registered; `NEVER` = that of their first event.
        first_learner: number of the first learner in the whole population, the key of chance.
        stream: of chance.
    """

    def __init__(
        self, rules: Rules, policy: Policy, count: int, first_day: int = NEVER, first_learner: int = 0, stream: int = 0
    ) -> None:
        self.rules = rules
        self.policy = policy
        self._room = self.records = new_records(count, first_day)
        self.seen = SeenIds()
        self._first_day, self._first_learner = first_day, first_learner
        self._stream = stream
        self._triggers = np.zeros(count, np.uint8)
        self._decided = np.zeros(0, DECISION)
        self._before = outcomes.scratch()
        self._buffer = np.zeros(_OUTCOME_ROWS, outcomes.OUTCOME)

    def grow(self, count: int) -> None:
        """Take in learners who are new, up to ``count`` in all."""
        if count > len(self._room):
            room = self._fresh(max(64, 2 * count))
            room[: len(self.records)] = self.records
            self._room = room
        self._triggers = np.concatenate([self._triggers, np.zeros(count - len(self.records), np.uint8)])
        self.records = self._room[:count]

    def forget(self, row: int) -> None:
        """Make a learner one who has done nothing."""
        self.records[row] = self._fresh(1)[0]
        self.records["learner"][row] = row
        self._triggers[row] = 0

    def _fresh(self, count: int) -> Records:
        """Return records of learners who have done nothing, and so are in no band."""
        records = new_records(count, self._first_day)
        records["standing"] = standings(records, records["risk"], self.rules)
        return records

    def ingest(self, events: Events, *, trusted: bool = False) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Fold a batch that is sorted by learner and time.

        Args:
            events: rows of `EVENT`.
            trusted: they come from a world that never repeats itself and is never late: ids and ages are not looked at.

        Returns:
            a code of `engine.arrival.VERDICTS` for each event; the outcomes.
        """
        seen = _NO_IDS if trusted else self._room_for(events)
        verdicts = np.zeros(len(events), np.uint8)

        def fold(start: int, out: NDArray[Any]) -> tuple[int, int]:
            return batch.fold_batch(
                self.records, events, start, self.rules.record, seen, verdicts, self._before, out, 0
            )

        return verdicts, self._collect(fold, len(events))

    def receive(self, events: Events, here: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Fold events one by one, in the order given.

        Args:
            events: rows of `EVENT`.
            here: place of the first one, unique among all that this loop ever receives.

        Returns:
            a row of `engine.receipts.RECEIPT` for each event; the outcomes.
        """
        seen = self._room_for(events)
        got = np.zeros(len(events), receipts.RECEIPT)

        def fold(start: int, out: NDArray[Any]) -> tuple[int, int]:
            return receipts.fold_each(
                self.records, events, start, self.rules.record, seen, here, got, self._before, out, 0
            )

        found = self._collect(fold, len(events))
        self.note_triggers(found)
        return got, found

    def _room_for(self, events: Events) -> NDArray[Any]:
        """Return the table of event ids with room for a batch."""
        if len(events):
            # A day more than the rule needs: a clock that is set back must not meet ids that are forgotten already.
            oldest_ms = int(events["arrived_ms"].min()) - int(self.rules.record["horizon_ms"]) - MS_PER_DAY
            self.seen.reserve(len(events), oldest_ms)
        return self.seen.table

    def close(self, day: int | NDArray[np.int32]) -> NDArray[Any]:
        """Move today on to ``day``, by the clock alone; return the outcomes.

        Outcomes since the last close become the triggers of today's notifications.

        Args:
            day: local day, of all learners or of each.
        """
        days = np.full(len(self.records), day, np.int32)
        found = self._collect(
            lambda start, out: batch.close_day(self.records, days, start, self.rules.record, self._before, out, 0),
            len(self.records),
        )
        self.note_triggers(found)
        return found

    def note_triggers(self, found: NDArray[Any]) -> None:
        """Let the outcomes of a day set off notifications the next morning."""
        self._triggers |= notifications.triggers_of(found, self.records)

    def _collect(self, step: Any, total: int) -> NDArray[Any]:
        """Run a compiled pass to its end, emptying the outcome buffer whenever it is nearly full."""
        done, parts = 0, []
        while done < total:
            done, used = step(done, self._buffer)
            parts.append(self._buffer[:used].copy())
        return np.concatenate(parts) if parts else self._buffer[:0].copy()

    def signals(self, among: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the rows that are scored (an active day, fewer than 14 silent days) and their signals.

        Args:
            among: rows to look at; None = all.
        """
        chosen = self.records if among is None else self.records[among]
        scored = np.flatnonzero(standings(chosen, np.zeros(len(chosen)), self.rules) < len(self.rules.bands))
        rows = scored if among is None else among[scored]
        return rows, compute(self.records, rows)

    def apply_scores(
        self, rows: NDArray[np.int64], scores: NDArray[np.float64], among: NDArray[np.int64] | None = None
    ) -> None:
        """Enter fresh risk and confidence.

        Args:
            rows: as `signals` returned them.
            scores: theirs.
            among: the rows that `signals` was asked for; those of them that are not scored have no risk.
        """
        chosen = slice(None) if among is None else among
        for name, column in (("risk", 0), ("confidence", 1)):
            self.records[name][chosen] = np.nan
            self.records[name][rows] = scores[:, column]
        self.records["standing"][chosen] = standings(self.records[chosen], self.records["risk"][chosen], self.rules)

    def eligible(
        self, day: int, among: NDArray[np.int64] | None = None, *, triggered: bool = False
    ) -> NDArray[np.uint16]:
        """Return the notification types that each learner, or each of some, may be sent on ``day``, as bits.

        Args:
            day: local day.
            among: rows; None = all.
            triggered: whether what a type waits for has happened, whatever has.
        """
        kinds = notifications.catalogue()
        chosen, triggers = self.records, self._triggers
        if among is not None:
            chosen, triggers = chosen[among], triggers[among]
        if triggered:
            triggers = np.full_like(triggers, 255)
        out = np.zeros(len(chosen), np.uint16)
        notifications.eligible(chosen, day, kinds.gates, kinds.limits.per_week, triggers, out)
        return out

    def use_up_triggers(self, rows: NDArray[np.int64]) -> None:
        """Let the outcomes so far set nothing off any more: the day that they were for has been decided on."""
        self._triggers[rows] = 0

    def triggers_of(self, row: int) -> int:
        """Return what may set off a notification of a learner, as bits of `notifications.TRIGGERS`."""
        return int(self._triggers[row])

    def context(self, day: int, knowledge: Knowledge) -> Context:
        """Return what a policy sees of everyone on the signals at local midnight, with what it knows beyond them."""
        learners = np.arange(self._first_learner, self._first_learner + len(self.records))
        return seen(self.policy, self.records, day, self.eligible(day), learners, self._stream, knowledge)

    def decide(self, context: Context) -> Decision:
        """Ask the policy about everyone; the triggers are used up."""
        decision = decide(self.policy, context)
        self._triggers[:] = 0
        return decision

    def described(self, context: Context, decision: Decision) -> NDArray[Any]:
        """Return the decisions on those for whom there was something to decide, before anything comes of them.

        A policy that is never of two minds is logged only where it sends.
        """
        rows = np.flatnonzero(context.eligible if self.policy.draws else decision.kinds != NO_MESSAGE)
        return described(self.records, rows, context, decision)

    def keep(self, log: NDArray[Any], sent: NDArray[np.int8]) -> None:
        """Keep decisions until they mature.

        Args:
            log: as `described` returned it.
            sent: type that reached each learner, `NO_MESSAGE` = none.
        """
        log["sent"] = sent[log["learner"].astype(np.int64) - self._first_learner]
        self._decided = np.concatenate([self._decided, log])

    def matured(self, day: int, *, take: bool = False) -> NDArray[Any]:
        """Return the decisions whose rewards are all known at the beginning of a local day, oldest first.

        Args:
            day: the local day that begins.
            take: whether they are not asked for again.
        """
        old = self._decided["day"] <= day - MATURE_DAYS
        found = self._rewarded(self._decided[old], day)
        if take:
            self._decided = self._decided[~old]
        return found

    def undecided(self, day: int) -> NDArray[Any]:
        """Return the decisions that have not matured at the beginning of a local day, with what is known of them."""
        return self._rewarded(self._decided, day)

    def _rewarded(self, log: NDArray[Any], day: int) -> NDArray[Any]:
        log = log.copy()
        reward(log, self.records, log["learner"].astype(np.int64) - self._first_learner, day - 1)
        return log

    def inbox(self, kinds: NDArray[np.int8]) -> Inbox:
        """Return the chosen notifications with the channels of each learner's band that the learner allows."""
        by_standing = notifications.catalogue().channel_bits(self.rules)
        channels = by_standing[self.records["standing"]] & self.records["consent"]
        reachable = np.where(channels > 0, kinds, NO_MESSAGE).astype(np.int8)
        return Inbox(reachable, channels)

    def mark_sent(self, day: int, kinds: NDArray[np.int8]) -> None:
        """Enter the day's sends."""
        notifications.mark_sent(self.records, day, kinds)

    def state(self) -> State:
        """Return all state as named arrays."""
        return {
            "records": self.records,
            "seen": self.seen.table,
            "triggers": self._triggers,
            "decided": self._decided,
        }

    def restore(self, state: State) -> None:
        """Take the state back."""
        # A file forgets that rows are aligned; rules compiled for such rows would all be compiled again for others.
        self._room = self.records = state["records"].astype(LEARNER)
        self.seen.take(state["seen"].copy())
        self._triggers = state["triggers"].copy()
        self._decided = state["decided"].copy()
