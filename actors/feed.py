"""The feed: what happens to learners, as it happens, for whoever listens.

Outcomes and sends are durable before they are told, and their positions in the journals never change, so a listener
who was away reads on where it stopped. A change of risk is told as it comes, and only then: the present risk can be
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from actors.answers import Answer
from engine.outcomes import KINDS
from engine.receipts import NOBODY


@dataclass(frozen=True)
class Happening:
    """One thing that happened to a learner.

    Args:
        log: number of the journal.
        sequence: of its entry; 0 = not journalled.
        place: within the entry.
        learner: id.
        kind: one of `engine.outcomes.KINDS`, ``send`` or ``risk``.
        facts: numbers and names that belong to it.
    """

    log: int
    sequence: int
    place: int
    learner: str
    kind: str
    facts: dict[str, Any]


Listener = Callable[[list[Happening]], None]


class Feed:
    """Tells listeners what happens. They are called on the thread of whoever tells, and must not wait."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def __bool__(self) -> bool:
        """Return whether anybody listens."""
        return bool(self._listeners)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener from now on; return what ends it."""
        self._listeners = [*self._listeners, listener]

        def end() -> None:
            self._listeners = [each for each in self._listeners if each is not listener]

        return end

    def tell(self, happenings: list[Happening]) -> None:
        """Tell everyone."""
        for listener in self._listeners:
            listener(happenings)


def happenings(log: int, sequence: int, answer: Answer, id_of: Callable[[int], str | None]) -> Iterator[Happening]:
    """Yield what an answer says, in order; what belongs to an erased learner is left out.

    Args:
        log: number of the journal.
        sequence: of the entry.
        answer: of it.
        id_of: returns the learner of a row, None = erased.
    """
    for place, (row, day, threshold, ordinal, amount, kind) in enumerate(answer.outcomes.tolist()):
        learner = None if row == NOBODY else id_of(row)
        if learner is not None:
            facts = {"day": day, "threshold": threshold, "ordinal": ordinal, "amount": amount}
            yield Happening(log, sequence, place, learner, KINDS[kind], facts)
    for place, send in enumerate(answer.sends, start=len(answer.outcomes)):
        yield Happening(log, sequence, place, send["learner"], "send", send)
