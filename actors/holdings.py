"""Holdings: what a journal holds of one learner, entry by entry; the counterpart of `actors.erasure`.

Whatever an erasure would take out of an entry stands here, and nothing else, so that an export is complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from actors import daily
from actors.answers import Answer, receipts_told
from actors.ports import Entry
from engine import events
from engine.outcomes import KINDS


class Holding(NamedTuple):
    """One thing that a journal holds of a learner.

    Args:
        kind: ``appeared``, ``event``, ``profile_change``, ``daily``, ``evening`` (the learner's streak was looked at),
            ``outcome``, ``send`` or ``erasure`` (ordered, and not done yet).
        sequence: number of the entry.
        facts: names and values.
    """

    kind: str
    sequence: int
    facts: dict[str, Any]


def holdings(entry: Entry, row: int, learner_id: str) -> Iterator[Holding]:
    """Yield what an entry holds of a learner.

    Args:
        entry: of the journal of the learner's actor.
        row: of the learner.
        learner_id: of the learner.
    """
    message, answer = entry.message, Answer.of(entry.answer)
    body = message.body
    told: list[tuple[str, dict[str, Any]]] = []
    if learner_id in body.get("new", ()):
        told.append(("appeared", {}))
    if message.kind in {"events", "import"}:
        told += _events(entry, answer, row)
    elif message.kind == "profile" and body["row"] == row:
        told.append(("profile_change", {"at_ms": body["now_ms"], "changes": body["changes"]}))
    elif message.kind == "daily":
        told += _daily(entry, row)
    elif message.kind == "remind" and row in body["rows"]:
        told.append(("evening", {"at_ms": body["now_ms"], "day": body["days"][body["rows"].index(row)]}))
    elif message.kind == "erase" and body["row"] == row:
        told.append(("erasure", {"at_ms": body["now_ms"]}))
    for _, day, threshold, ordinal, amount, kind in answer.outcomes[answer.outcomes["learner"] == row].tolist():
        facts = {"day": day, "threshold": threshold, "ordinal": ordinal, "amount": amount}
        told.append(("outcome", {"kind": KINDS[kind], **facts}))
    told += [("send", send) for send in answer.sends if send["learner"] == learner_id]
    for what, facts in told:
        yield Holding(what, entry.sequence, facts)


def _events(entry: Entry, answer: Answer, row: int) -> Iterator[tuple[str, dict[str, Any]]]:
    batch = events.from_frame(entry.message.frame)
    mine = np.flatnonzero(batch["learner"] == row).tolist()
    details = entry.message.body.get("details") or [None] * len(batch)
    receipts = list(receipts_told(answer)) if mine else []
    for place in mine:
        names: tuple[str, ...] = batch.dtype.names or ()
        facts = {name: batch[name][place].item() for name in names if name != "learner"}
        yield "event", {**facts, "detail": details[place], "receipt": receipts[place]}


def _daily(entry: Entry, row: int) -> Iterator[tuple[str, dict[str, Any]]]:
    table = daily.table_of(entry.message)
    for line in table[table["learner"] == row]:
        names: tuple[str, ...] = table.dtype.names or ()
        facts = {name: line[name].item() for name in names if name != "learner"}
        yield "daily", {"at_ms": entry.message.body["now_ms"], **facts}
