"""Mistakes of a kind that is easily made, put into the parts of a run: the simulation has to catch every one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from actors.learner import LearnerActor
from actors.ports import Entry, State
from engine.arrival import SEEN
from tests.faults.faulty_disk import DiskJournal, DiskStore
from tests.faults.faulty_network import FaultyRuntime
from tests.faults.faulty_service import Parts

_FOR_EVER = 1 << 62


class _AnswersFirst(LearnerActor):
    _owed: Entry | None = None

    def _journalled(self, journal: Any, sequence: int, token: str, method: str, args: tuple[Any, ...]) -> Any:
        if self._owed is not None:
            journal.append(self._owed)
        message = self.tenant.resolve(method, *args)
        message = replace(message, body={**message.body, "token": token})
        self._owed = Entry(sequence, message, self.tenant.fold(sequence, message))
        return self._owed.answer


class _KeepsMemory(LearnerActor):
    def _journalled(self, *args: Any) -> Any:
        try:
            return super()._journalled(*args)
        finally:
            self._ready = True


class _AnswersAnyNumber(LearnerActor):
    def _answered_before(self, sequence: int, token: str) -> Any:
        entry = self._journal.entry(sequence) if self._journal else None
        return entry.answer if entry is not None else super()._answered_before(sequence, token)


class _DoesNotFence(DiskJournal):
    def append(self, entry: Entry) -> None:
        self._epoch = self._disk.epoch
        super().append(replace(entry, sequence=len(self._disk.rows) + 1))


class _ForgetsIds(DiskStore):
    def save(self, sequence: int, state: State) -> None:
        super().save(sequence, {**state, "seen": np.zeros(len(state["seen"]), SEEN)})


class _TakesAnySnapshot(LearnerActor):
    def _is_of(self, *_args: Any) -> bool:
        return True


class _TakesTheLogBack(DiskJournal):
    def take(self) -> int:
        self._disk.holder = self._holder
        return super().take()


class _RenumbersResent(FaultyRuntime):
    def _recover(self, actor: int) -> None:
        with self._locks[actor]:
            newest = self._restarted(actor, _FOR_EVER)
            for message in self._kept[actor]:
                newest += 1
                message.sequence = self._sequence[actor] = newest
                self._hand_over(actor, message)


MUTANTS = {
    "answers before it appends": Parts(actor=_AnswersFirst),
    "keeps its memory after a failed append": Parts(actor=_KeepsMemory),
    "takes any message of a number for the one that it had": Parts(actor=_AnswersAnyNumber),
    "lets whoever likes append": Parts(journal=_DoesNotFence),
    "leaves the event ids out of its snapshots": Parts(store=_ForgetsIds),
    "takes any snapshot for one of its own history": Parts(actor=_TakesAnySnapshot),
    "takes its log back from its successor": Parts(journal=_TakesTheLogBack),
    "sends again under a new number": Parts(runtime=_RenumbersResent),
}
"""What each does wrong, and the parts with which it does."""
