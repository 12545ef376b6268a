"""First receipts: whoever sends an event again is told what it brought when it came first."""

from __future__ import annotations

import functools

import numpy as np

from actors.answers import Answer, Receipt, receipts_told
from actors.ports import Journal
from engine.arrival import VERDICTS
from engine.receipts import PLACE_BITS

_DUPLICATE = VERDICTS.index("duplicate")


class FirstReceipts:
    """Finds the receipts of events that came before, in the journal.

    Args:
        journal: of the actor.
    """

    def __init__(self, journal: Journal) -> None:
        self._entry = functools.lru_cache(64)(journal.entry)

    def told(self, answer: Answer) -> list[Receipt]:
        """Return a receipt for each event of an answer; one that came before gets its first."""
        told = receipts_told(answer)
        places = (answer.receipts["verdict"] == _DUPLICATE).nonzero()[0]
        firsts = answer.receipts["first"][places]
        entries, of_entry = np.unique(firsts >> PLACE_BITS, return_inverse=True)
        for number, sequence in enumerate(entries.tolist()):  # a batch that is sent again comes from few
            entry = self._entry(sequence)
            if entry is None:
                continue
            mine = np.flatnonzero(of_entry == number)
            before = receipts_told(Answer.of(entry.answer), firsts[mine] & ((1 << PLACE_BITS) - 1))
            for place, receipt in zip(places[mine].tolist(), before, strict=True):
                told[place] = receipt._replace(verdict=VERDICTS[_DUPLICATE])
        return told

    def forget(self) -> None:
        """Forget what was read: an erasure changes entries."""
        self._entry.cache_clear()
