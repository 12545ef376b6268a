"""Proofs of erasure: that a learner's data is gone, without saying whose it was to anyone who does not know the id."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from actors.storage.database import Database
from actors.storage.rows import put_once, to_json
from actors.storage.schema import ERASURES


@dataclass(frozen=True)
class Erasure:
    """One erasure.

    Args:
        log: number of the log that held the learner.
        sequence: number of the entry that erased.
        learner_hash: of the learner's id.
        erased_ms: when.
        body: what was erased, as counts; anything JSON can say.
    """

    log: int
    sequence: int
    learner_hash: str
    erased_ms: int
    body: Any


class ErasureStore:
    """The proofs of erasure of a database.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, erasure: Erasure) -> bool:
        """Keep a proof. Return False where this entry has one already, which stays."""
        return put_once(self._database, ERASURES, {**vars(erasure), "body": to_json(erasure.body)})

    def find(self, learner_hash: str) -> list[Erasure]:
        """Return the erasures of a learner, oldest first: whoever comes back may leave again."""
        wanted = select(ERASURES).where(ERASURES.c.learner_hash == learner_hash)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(ERASURES.c.log, ERASURES.c.sequence)).all()
        return [Erasure(**{**row._asdict(), "body": json.loads(row.body)}) for row in rows]
