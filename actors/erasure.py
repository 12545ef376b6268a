"""Erasure: taking all that was journalled about one learner out of a journal, in place.

Rows keep their places, so everyone else's history, receipts and positions stay as they were. What is left of the
learner is a row number that nobody is ever given again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from actors import daily, deciding, sending
from actors.answers import Answer
from actors.ports import Entry, Message
from engine import events
from engine.outcomes import OUTCOME
from engine.receipts import NOBODY, RECEIPT

NO_ROW = -1
"""Row of a profile that was erased."""


class Erasure(NamedTuple):
    """One erasure, as the actor remembers it."""

    sequence: int  # of the entry that erased
    row: int  # that the learner had
    now_ms: int


def without(row: int, learner_id: str) -> Callable[[Entry], Entry | None]:
    """Return what `Journal.rewrite` needs to erase a learner: each entry's replacement, None = nothing of it there.

    Args:
        row: of the learner.
        learner_id: of the learner; it stands in the list of those who were new.
    """

    def change(entry: Entry) -> Entry | None:
        message = _message(entry.message, row, learner_id)
        answer = _answer(entry, row, learner_id)
        changed = message is not entry.message or answer is not entry.answer
        return Entry(entry.sequence, message, answer) if changed else None

    return change


def _message(message: Message, row: int, learner_id: str) -> Message:
    body, frame = dict(message.body), message.frame
    if learner_id in body.get("new", ()):
        body["new"] = ["" if new == learner_id else new for new in body["new"]]
    if message.kind in {"events", "import"}:
        batch = events.from_frame(frame)
        mine = batch["learner"] == row
        if mine.any():
            batch[mine] = np.zeros(1, batch.dtype)
            batch["learner"][mine] = NOBODY
            frame = events.to_frame(batch)
            if "details" in body:
                body["details"] = [
                    None if gone else told for gone, told in zip(mine.tolist(), body["details"], strict=True)
                ]
    elif message.kind == "erase" and body["row"] == row:
        body["learner"] = ""  # done
    elif message.kind == "profile" and body["row"] == row:
        body |= {"row": NO_ROW, "changes": {}}
    elif message.kind == "daily":
        table = daily.table_of(message)
        frame = table[table["learner"] != row].tobytes()
    elif message.kind == "decide":
        tables = deciding.tables_of(message)
        kept = deciding.Tables(*(table[table["row"] != row] for table in tables))
        return message if len(kept.done) == len(tables.done) else deciding.to_message(kept, body)
    elif message.kind == "send":
        body |= {name: [each for each in body[name] if each[0] != row] for name in sending.LISTS}
    unchanged = body == message.body and frame == message.frame
    return message if unchanged else Message(message.kind, body, frame)


def _answer(entry: Entry, row: int, learner_id: str) -> Message:
    answer = Answer.of(entry.answer)
    receipts, outcomes = answer.receipts.copy(), answer.outcomes.copy()
    if len(receipts):
        mine = events.from_frame(entry.message.frame)["learner"] == row
        count = receipts["outcomes"][mine]
        receipts[mine] = np.zeros(1, RECEIPT)
        receipts["outcomes"][mine] = count  # so that everyone else's outcomes are found where they were
    gone = outcomes["learner"] == row
    blank: Any = np.zeros(1, OUTCOME)
    blank["learner"] = NOBODY
    outcomes[gone] = blank
    sends = [send for send in answer.sends if send["learner"] != learner_id]
    found = Answer(receipts, outcomes, sends).to_message()
    return entry.answer if found == entry.answer else found
