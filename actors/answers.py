"""Answers: what a message brought, in the form in which the journal keeps it and its sender gets it.

Receipts and outcomes become durable in the transaction of the message that caused them, so the journal's answers are
the outbox: whoever has to act on an outcome reads them in order and keeps a cursor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.ports import Message
from engine.arrival import VERDICTS
from engine.outcomes import KINDS, OUTCOME
from engine.receipts import RECEIPT

_KIND = "answer"


@dataclass(frozen=True)
class Answer:
    """What a message brought.

    Args:
        receipts: a row of `engine.receipts.RECEIPT` for each event of the message.
        outcomes: rows of `engine.outcomes.OUTCOME`; those of the receipts first, in their order.
        sends: notifications that are to be delivered: learner, type, local day, channels.
    """

    receipts: NDArray[Any] = field(default_factory=lambda: np.zeros(0, RECEIPT))
    outcomes: NDArray[Any] = field(default_factory=lambda: np.zeros(0, OUTCOME))
    sends: list[dict[str, Any]] = field(default_factory=list)

    def to_message(self) -> Message:
        """Encode it."""
        body: dict[str, Any] = {"receipts": len(self.receipts)}
        if self.sends:
            body["sends"] = self.sends
        return Message(_KIND, body, self.receipts.tobytes() + self.outcomes.tobytes())

    @classmethod
    def of(cls, message: Message) -> Answer:
        """Decode one."""
        receipts = np.frombuffer(message.frame, RECEIPT, message.body["receipts"])
        outcomes = np.frombuffer(message.frame, OUTCOME, offset=receipts.nbytes)
        return cls(receipts, outcomes, message.body.get("sends", []))

    def outcomes_of(self, place: int) -> NDArray[Any]:
        """Return the outcomes of one receipt."""
        ends = np.cumsum(self.receipts["outcomes"])
        return self.outcomes[ends[place] - self.receipts["outcomes"][place] : ends[place]]


class Outcome(NamedTuple):
    """One outcome of an event, by name."""

    kind: str
    threshold: int
    ordinal: int
    amount: int


class Receipt(NamedTuple):
    """What became of one event.

    ``verdict`` is of `engine.arrival.VERDICTS`; everything else is as of its first arrival, so whoever sends it again
    reads the same.
    """

    verdict: str
    day: int  # local day of the event
    xp_awarded: int
    xp: int
    level: int
    streak: int
    freezes: int
    outcomes: list[Outcome]


def receipts_told(answer: Answer, places: NDArray[np.int64] | None = None) -> list[Receipt]:
    """Return the receipts of an answer, or those at some places of it."""
    rows, ends = answer.receipts, np.cumsum(answer.receipts["outcomes"], dtype=np.int64)
    if places is not None:
        rows, ends = rows[places], ends[places]
    told = []
    for end, row in zip(ends.tolist(), rows.tolist(), strict=True):
        _, awarded, xp, day, count, level, streak, freezes, verdict = row
        mine = [
            Outcome(KINDS[kind], threshold, ordinal, amount)
            for _, _, threshold, ordinal, amount, kind in answer.outcomes[end - count : end].tolist()
        ]
        told.append(Receipt(VERDICTS[verdict], day, awarded, xp, level, streak, freezes, mine))
    return told
