"""The loop, written once: event -> state -> signals -> risk -> decision -> delivery, for the learners of one arm.

Both drivers run this class. It holds the records of its learners and changes them only through the rules in ``engine``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.ports import Inbox, State
from engine import batch, outcomes
from engine.arrival import SeenIds
from engine.events import Events
from engine.notifications import catalogue as notifications
from engine.policies import Context, Decision, Policy
from engine.policies.base import NO_MESSAGE
from engine.record import NEVER, new_records
from engine.risk.dropoff import standings
from engine.rules import Rules
from engine.signals import compute

_OUTCOME_ROWS = 4 * outcomes.MARGIN
_NO_IDS = (np.zeros(0, np.uint64), np.zeros(0, np.int64))


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
        self.records = new_records(count, first_day)
        self.seen = SeenIds()
        self._learners = np.arange(first_learner, first_learner + count)
        self._stream = stream
        self._triggers = np.zeros(count, np.uint8)
        self._before = outcomes.scratch()
        self._buffer = np.zeros(_OUTCOME_ROWS, outcomes.OUTCOME)

    def ingest(self, events: Events, *, trusted: bool = False) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Fold a batch that is sorted by learner and time.

        Args:
            events: rows of `EVENT`.
            trusted: they come from a world that never repeats itself and is never late: ids and ages are not looked at.

        Returns:
            a code of `engine.arrival.VERDICTS` for each event; the outcomes.
        """
        keys, times = _NO_IDS
        if not trusted and len(events):
            oldest_ms = int(events["arrived_ms"].min()) - int(self.rules.record["horizon_ms"])
            self.seen.reserve(len(events), oldest_ms)
            keys, times = self.seen.keys, self.seen.times
        verdicts = np.zeros(len(events), np.uint8)

        def fold(start: int, out: NDArray[Any]) -> tuple[int, int]:
            return batch.fold_batch(
                self.records, events, start, self.rules.record, keys, times, verdicts, self._before, out, 0
            )

        return verdicts, self._collect(fold, len(events))

    def close(self, day: int) -> NDArray[Any]:
        """Move everyone's today on to ``day``, by the clock alone; return the outcomes.

        Outcomes since the last close become the triggers of today's notifications.
        """
        found = self._collect(
            lambda start, out: batch.close_day(self.records, day, start, self.rules.record, self._before, out, 0),
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

    def signals(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the rows that are scored (an active day, fewer than 14 silent days) and their signals."""
        current = standings(self.records, np.zeros(len(self.records)), self.rules)
        rows = np.flatnonzero(current < len(self.rules.bands))
        return rows, compute(self.records, rows)

    def apply_scores(self, rows: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """Enter fresh risk and confidence; everyone else has none."""
        risk = np.full(len(self.records), np.nan)
        confidence = np.full(len(self.records), np.nan)
        risk[rows], confidence[rows] = scores[:, 0], scores[:, 1]
        self.records["risk"], self.records["confidence"] = risk, confidence
        self.records["standing"] = standings(self.records, risk, self.rules)

    def eligible(self, day: int) -> NDArray[np.uint8]:
        """Return the notification types that each learner may be sent on ``day``, as bits."""
        kinds = notifications.catalogue()
        out = np.zeros(len(self.records), np.uint8)
        notifications.eligible(self.records, day, kinds.gates, kinds.limits.per_week, self._triggers, out)
        return out

    def decide(self, day: int) -> tuple[Context, Decision]:
        """Ask the policy about everyone, on the signals at local midnight; the triggers are used up."""
        eligible = self.eligible(day)
        context = Context(
            day, self._learners, self.records["risk"].copy(), self.records["standing"].copy(), eligible, self._stream
        )
        decision = self.policy.decide(context)
        self._triggers[:] = 0
        return context, decision

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
            "seen_keys": self.seen.keys,
            "seen_times": self.seen.times,
            "triggers": self._triggers,
        }

    def restore(self, state: State) -> None:
        """Take the state back."""
        self.records = state["records"].copy()
        self.seen.take(state["seen_keys"].copy(), state["seen_times"].copy())
        self._triggers = state["triggers"].copy()
