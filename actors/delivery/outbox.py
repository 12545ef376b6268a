"""The outbox: what is to be handed over, until it has been, or cannot be, or is worth nothing any more.

An item is put once under an id that follows from what it is. Whoever takes one holds it for a while only; a sender that
is killed leaves it to the next. So each is handed over at least once, always under the same id, and never late.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from actors.storage.database import Database
from actors.storage.rows import to_json
from actors.storage.schema import CURSORS, OUTBOX


class State(StrEnum):
    """What an item is: all but the first are for good."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    WITHHELD = "withheld"  # the learner may not be sent it any more
    EXPIRED = "expired"
    DEAD = "dead"  # tried often enough, or refused for good


@dataclass(frozen=True)
class Item:
    """One thing to hand over by one channel.

    Args:
        id: the same however often it is put.
        channel: by which.
        learner: to whom.
        body: JSON; what the words are made from.
        due_ms: not before, UTC ms.
        expires_ms: from then on it is worth nothing, UTC ms.
        attempts: at handing it over, this one included.
    """

    id: str
    channel: str
    learner: str
    body: dict[str, Any] = field(default_factory=dict)
    due_ms: int = 0
    expires_ms: int = 0
    attempts: int = 0


@dataclass(frozen=True)
class Fate:
    """What has become of an item so far."""

    id: str
    channel: str
    learner: str
    state: State
    reason: str | None
    body: dict[str, Any]
    changed_ms: int


_SETTLED = [state for state in State if state is not State.WAITING]


class Outbox:
    """The outbox of a database.

    Args:
        database: where it is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, items: Sequence[Item], now_ms: int, cursor: tuple[str, int, int] | None = None) -> int:
        """Put items, in one transaction with how far their reader has come; those whose id stands already stay.

        Args:
            items: to hand over.
            now_ms: UTC ms.
            cursor: name of the reader, log and entry, None = it keeps none.

        Returns:
            how many were new.

        Raises:
            JournalError: nothing was put, and the cursor stays.
        """
        rows = [
            {
                "id": item.id,
                "channel": item.channel,
                "learner": item.learner,
                "body": to_json({**item.body, "due_ms": item.due_ms}),
                "state": State.WAITING,
                "next_ms": item.due_ms,
                "expires_ms": item.expires_ms,
                "attempts": 0,
                "changed_ms": now_ms,
            }
            for item in items
        ]
        with self._database.writing() as connection:
            new = sum(connection.execute(self._insert(connection), row).rowcount for row in rows)
            if cursor is not None:
                _move(connection, *cursor)
        return new

    @staticmethod
    def _insert(connection: Connection) -> Any:
        return (
            _upsert(connection)
            .insert(OUTBOX)
            .on_conflict_do_nothing(index_elements=["id"])
            .execution_options(preserve_rowcount=True)
        )

    def cursor(self, name: str, log: int) -> int | None:
        """Return the newest entry of a log that a reader has been through, None = it has never been there."""
        query = select(CURSORS.c.sequence).where(CURSORS.c.name == name, CURSORS.c.log == log)
        with self._database.reading() as connection:
            return connection.execute(query).scalar()

    def claim(self, channel: str, now_ms: int, lease_ms: int, most: int = 1) -> list[Item]:
        """Take items that are due, the longest waiting first; nobody else gets them before the lease ends.

        What has expired is not among them, and waits no more.
        """
        waiting = (OUTBOX.c.channel == channel, OUTBOX.c.state == State.WAITING, OUTBOX.c.next_ms <= now_ms)
        with self._database.reading() as connection:  # a look costs no lock, and mostly there is nothing
            if connection.execute(select(OUTBOX.c.id).where(*waiting).limit(1)).first() is None:
                return []
        with self._database.writing() as connection:
            expired = {"state": State.EXPIRED, "reason": "not handed over in time", "changed_ms": now_ms}
            connection.execute(update(OUTBOX).where(*waiting, OUTBOX.c.expires_ms <= now_ms).values(expired))
            due = select(OUTBOX).where(*waiting).order_by(OUTBOX.c.next_ms, OUTBOX.c.id).limit(most)
            rows = connection.execute(due.with_for_update(skip_locked=True)).all()
            taken = {"next_ms": now_ms + lease_ms, "attempts": OUTBOX.c.attempts + 1}
            connection.execute(update(OUTBOX).where(OUTBOX.c.id.in_([row.id for row in rows])).values(taken))
        return [_item(row, row.attempts + 1) for row in rows]

    def settle(self, item_id: str, state: State, now_ms: int, reason: str | None = None) -> bool:
        """End an item's waiting. Return False where it had ended already."""
        return self._change(item_id, {"state": state, "reason": reason, "changed_ms": now_ms})

    def postpone(self, item_id: str, until_ms: int, now_ms: int, reason: str) -> bool:
        """Let an item wait for another attempt, or expire if that would come too late. Return False as `settle`."""
        values = {"reason": reason, "changed_ms": now_ms}
        late = OUTBOX.c.expires_ms <= until_ms
        return self._change(item_id, {**values, "state": State.EXPIRED}, late) or self._change(
            item_id, {**values, "next_ms": until_ms}
        )

    def _change(self, item_id: str, values: dict[str, Any], *conditions: Any) -> bool:
        waiting = (OUTBOX.c.id == item_id, OUTBOX.c.state == State.WAITING, *conditions)
        with self._database.writing() as connection:
            return bool(connection.execute(update(OUTBOX).where(*waiting).values(values)).rowcount)

    def redrive(self, now_ms: int, channel: str | None = None) -> int:
        """Try dead items again that are still worth it; return how many."""
        dead = [OUTBOX.c.state == State.DEAD, OUTBOX.c.expires_ms > now_ms]
        dead += [] if channel is None else [OUTBOX.c.channel == channel]
        values = {"state": State.WAITING, "attempts": 0, "next_ms": now_ms, "changed_ms": now_ms}
        with self._database.writing() as connection:
            return connection.execute(update(OUTBOX).where(*dead).values(values)).rowcount

    def counts(self) -> dict[tuple[str, State], int]:
        """Return how many items there are by channel and state."""
        query = select(OUTBOX.c.channel, OUTBOX.c.state, func.count()).group_by(OUTBOX.c.channel, OUTBOX.c.state)
        with self._database.reading() as connection:
            return {(channel, State(state)): count for channel, state, count in connection.execute(query)}

    def reasons(self) -> dict[tuple[str, State, str], int]:
        """Return how many items were not handed over, by channel, state and reason."""
        columns = (OUTBOX.c.channel, OUTBOX.c.state, OUTBOX.c.reason)
        failed = OUTBOX.c.state.in_([State.DEAD, State.EXPIRED, State.WITHHELD])
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns, func.count()).where(failed).group_by(*columns)).all()
        return {(channel, State(state), reason or ""): count for channel, state, reason, count in rows}

    def open(self, now_ms: int) -> dict[str, tuple[int, int]]:
        """Return how many items wait by channel, and for how many ms the longest one has been due."""
        oldest = func.min(OUTBOX.c.next_ms)
        query = select(OUTBOX.c.channel, func.count(), oldest).where(OUTBOX.c.state == State.WAITING)
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(OUTBOX.c.channel)).all()
        return {channel: (count, max(now_ms - due_ms, 0)) for channel, count, due_ms in rows}

    def find(self, item_id: str) -> Fate | None:
        """Return what has become of an item, None = there is none of that id."""
        return next(iter(self._fates(OUTBOX.c.id == item_id)), None)

    def fates(self, since_ms: int, until_ms: int) -> list[Fate]:
        """Return what has become of the items that last changed from one instant to before another."""
        return self._fates(OUTBOX.c.changed_ms >= since_ms, OUTBOX.c.changed_ms < until_ms)

    def of_learner(self, learner: str) -> list[Fate]:
        """Return what has become of a learner's items, in order of change."""
        return self._fates(OUTBOX.c.learner == learner)

    def _fates(self, *conditions: Any) -> list[Fate]:
        query = select(OUTBOX).where(*conditions).order_by(OUTBOX.c.changed_ms, OUTBOX.c.id)
        with self._database.reading() as connection:
            return [_fate(row) for row in connection.execute(query)]

    def prune(self, before_ms: int) -> int:
        """Delete items whose waiting ended before an instant; return how many there were."""
        old = (OUTBOX.c.state.in_(_SETTLED), OUTBOX.c.changed_ms < before_ms)
        with self._database.writing() as connection:
            return connection.execute(delete(OUTBOX).where(*old)).rowcount


def _upsert(connection: Connection) -> Any:
    """Return what knows ``ON CONFLICT`` in the database's own words."""
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _move(connection: Connection, name: str, log: int, sequence: int) -> None:
    """Write how far a reader has come."""
    row = {"name": name, "log": log, "sequence": sequence}
    there = _upsert(connection).insert(CURSORS).values(row)
    moved = there.on_conflict_do_update(index_elements=["name", "log"], set_={"sequence": sequence})
    connection.execute(moved)


def _fate(row: Any) -> Fate:
    body = json.loads(row.body)
    return Fate(row.id, row.channel, row.learner, State(row.state), row.reason, body, row.changed_ms)


def _item(row: Any, attempts: int) -> Item:
    body = json.loads(row.body)
    due_ms = body.pop("due_ms")
    return Item(row.id, row.channel, row.learner, body, due_ms, row.expires_ms, attempts)
