"""Holdings: what a journal holds of one learner, entry by entry; the counterpart of `actors.erasure`.

Whatever an erasure would take out of an entry stands here, and nothing else, so that an export is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from actors import daily, deciding
from actors.answers import Answer, receipts_told
from actors.ports import Entry
from engine import events
from engine.notifications.catalogue import catalogue
from engine.notifications.placing import REASONS
from engine.outcomes import KINDS
from engine.policies import NO_MESSAGE
from engine.policies.base import NOTHING_BIT
from engine.policies.features import NAMES, ONE


class Holding(NamedTuple):
    """One thing that a journal holds of a learner.

    Args:
        kind: ``appeared``, ``event``, ``profile_change``, ``daily``, ``decided`` (all campaigns were asked),
            ``decision``, ``reward`` (of a decision a week ago), ``placed``, ``dropped``, ``moved``, ``withheld``,
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
    elif message.kind == "decide":
        told += _decisions(entry, row)
    elif message.kind == "send":
        told += _fates(entry, row)
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


def _decisions(entry: Entry, row: int) -> Iterator[tuple[str, dict[str, Any]]]:
    body, tables = entry.message.body, deciding.tables_of(entry.message)
    kinds = ("decided", "placed", "dropped", "decision", "reward")
    for kind, table in zip(kinds, tables, strict=True):
        for line in table[table["row"] == row]:
            facts = {name: line[name].tolist() for name in table.dtype.names or () if name != "row"}
            if "treatment" in facts:
                facts["treatment"] = body["treatments"][facts["treatment"]]
            yield kind, {"at_ms": body["now_ms"], **_in_words(facts)}


def _in_words(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a decision with names in place of codes and sets of bits."""
    types = catalogue().names
    words: dict[str, Callable[[Any], Any]] = {
        "type": lambda code: types[code],
        "reason": lambda code: REASONS[code],
        "chosen": lambda code: None if code == NO_MESSAGE else types[code],
        "sent": lambda code: None if code == NO_MESSAGE else types[code],
        "eligible": lambda bits: [name for code, name in enumerate(types) if bits >> code & 1],
        "possible": lambda bits: (
            [name for code, name in enumerate(types) if bits >> code & 1] + ["nothing"] * (bits >> NOTHING_BIT & 1)
        ),
        "exposed": bool,
        "features": lambda values: dict(zip(NAMES, [value / ONE for value in values], strict=True)),
        "rested_days": lambda days: dict(zip(types, days, strict=False)),
    }
    return {name: words[name](value) if name in words else value for name, value in facts.items()}


def _fates(entry: Entry, row: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what became of sends that did not leave; those that did stand in the answer."""
    body = entry.message.body
    for kind, name in (("moved", "until_ms"), ("withheld", "reason")):
        for at, day, type_, treatment, told in body[kind]:
            if at == row:
                facts = {"day": day, "type": type_, "treatment": body["treatments"][treatment], name: told}
                yield kind, {"at_ms": body["now_ms"], **facts}


def _daily(entry: Entry, row: int) -> Iterator[tuple[str, dict[str, Any]]]:
    table = daily.table_of(entry.message)
    for line in table[table["learner"] == row]:
        names: tuple[str, ...] = table.dtype.names or ()
        facts = {name: line[name].item() for name in names if name != "learner"}
        yield "daily", {"at_ms": entry.message.body["now_ms"], **facts}
