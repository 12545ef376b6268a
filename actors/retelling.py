"""Retelling: a journal read from its beginning, by someone who has no actor, only the entries.

Entries speak of learners by row. Who that is, and what zone a profile was in, follows from the entries before, because
learners get their rows in the order in which the journal first names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from actors.ports import Entry, Journal
from actors.register import Register


@dataclass(frozen=True)
class Survey:
    """What a journal holds, as of the moment when it was looked through.

    Args:
        newest: number of the newest entry; 0 = none.
        erased: rows of learners whose erasure the journal orders, be it carried out already or not.
        signals: names of all signals of daily scorings, in order of first appearance.
    """

    newest: int
    erased: frozenset[int]
    signals: tuple[str, ...]


def survey(journal: Journal) -> Survey:
    """Look through a journal."""
    newest, erased, signals = 0, set[int](), dict[str, None]()
    for entry in journal.read(0):
        newest = entry.sequence
        if entry.message.kind == "erase":
            erased.add(entry.message.body["row"])
        elif entry.message.kind == "daily":
            signals.update(dict.fromkeys(entry.message.body["signals"]))
    return Survey(newest, frozenset(erased), tuple(signals))


def retold(journal: Journal, found: Survey, zone: str) -> Iterator[tuple[Entry, Register]]:
    """Yield each entry that was there at a survey, with the register as it stands after it; erased learners have no id.

    Args:
        journal: as it was looked through; it may have grown since.
        found: by `survey`.
        zone: IANA name of the service's own zone.
    """
    register = Register(zone)
    for entry in journal.read(0):
        if entry.sequence > found.newest:
            return
        body = entry.message.body
        if new := body.get("new"):
            first = len(register)
            register.add(["" if first + place in found.erased else name for place, name in enumerate(new)])
        if entry.message.kind == "profile" and body["row"] >= 0:  # else it was erased
            register.set_profile(body["row"], body["changes"], body["now_ms"])
        yield entry, register
