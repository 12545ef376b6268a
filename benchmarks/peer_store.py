"""What the peer of the live service keeps: two tables, and two ways in which a competent team would fill them.

`Rows` is what one writes first: an ORM session, one object an event, saved in one transaction. `Batches` is what one
writes when that is too slow: Core statements for the whole request (INSERT with ON CONFLICT for the events, one locking
SELECT and one upsert for the learners). Both do less than the engine: XP without daily caps, streaks on UTC days
without freezes, no achievements, outcomes, signals or risk.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from engine import rules

RULES = rules.load()
_LEVEL_XP = [level.xp for level in RULES.levels]
_BUSY_S = 30  # SQLite has one writer; other processes wait
_CONNECTIONS = int(os.environ.get("PEER_CONNECTIONS", "4"))  # of a worker to PostgreSQL; 2 to 8 make no difference


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class Event(_Wire):
    """An event as clients send it."""

    user_id: Annotated[str, Field(min_length=1, max_length=64)]
    action: str
    event_id: Annotated[str, Field(min_length=1, max_length=64)]
    occurred_at: AwareDatetime | None = None
    value: float | None = None
    course_id: Annotated[str, Field(max_length=64)] | None = None

    @field_validator("action")
    @classmethod
    def _known(cls, action: str) -> str:
        if action not in RULES.actions:
            raise ValueError("an action of the rules")
        return action


class Receipt(_Wire):
    """What became of an event."""

    event_id: str
    status: str
    xp_awarded: int
    total_xp: int
    level: int
    streak: int


class Base(DeclarativeBase):
    """Base of the tables."""


class EventRow(Base):
    """One event."""

    __tablename__ = "events"
    __table_args__ = (sa.Index("events_of_learner", "learner_id", "occurred_at"),)

    event_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    learner_id: Mapped[str] = mapped_column(sa.String(64))
    action: Mapped[str] = mapped_column(sa.String(40))
    occurred_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    value: Mapped[float | None]
    course_id: Mapped[str | None] = mapped_column(sa.String(64))
    xp: Mapped[int]


class LearnerRow(Base):
    """One learner."""

    __tablename__ = "learners"

    learner_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    xp: Mapped[int]
    level: Mapped[int]
    streak: Mapped[int]
    last_day: Mapped[date | None]


Ingest = Callable[[Sequence[Event]], list[Receipt]]
"""Stores events in one transaction; returns a receipt for each, in order."""


def rows(engine: sa.Engine) -> Ingest:
    """Return the plain way: an object a row."""

    def ingest(batch: Sequence[Event]) -> list[Receipt]:
        now = datetime.now(UTC)
        receipts = []
        with Session(engine) as session, session.begin():
            for event in batch:
                learner = session.get(LearnerRow, event.user_id, with_for_update=True)
                if learner is None:
                    learner = LearnerRow(learner_id=event.user_id, xp=0, level=1, streak=0)
                    session.add(learner)
                new = session.get(EventRow, event.event_id) is None
                if new:
                    row = EventRow(**_row(event, now))
                    session.add(row)
                    _fold(learner, row)
                receipts.append(_receipt(event, new, learner))
        return receipts

    return ingest


def batches(engine: sa.Engine) -> Ingest:
    """Return the quick way: a few statements a request, however many events it holds."""
    insert: Any = (sqlite if engine.dialect.name == "sqlite" else postgresql).insert
    insert_events = insert(EventRow).on_conflict_do_nothing().returning(EventRow.event_id)
    insert_learners = insert(LearnerRow).on_conflict_do_nothing()
    upsert = insert(LearnerRow)
    kept = {name: upsert.excluded[name] for name in ("xp", "level", "streak", "last_day")}
    upsert = upsert.on_conflict_do_update(index_elements=["learner_id"], set_=kept)
    table = LearnerRow.__table__
    of_ids = table.c.learner_id.in_(sa.bindparam("ids", expanding=True))
    # Always locked in the same order, so that two batches cannot lock each other out.
    select = sa.select(table).where(of_ids).order_by(table.c.learner_id).with_for_update()

    def locked(connection: sa.Connection, ids: list[str]) -> dict[str, Any]:
        found = {each.learner_id: SimpleNamespace(**each._mapping) for each in connection.execute(select, {"ids": ids})}
        missing = [each for each in ids if each not in found]
        if missing:
            fresh = {"xp": 0, "level": 1, "streak": 0, "last_day": None}
            connection.execute(insert_learners, [{"learner_id": each, **fresh} for each in missing])
            found |= locked(connection, missing)
        return found

    def ingest(batch: Sequence[Event]) -> list[Receipt]:
        now = datetime.now(UTC)
        given = {event.event_id: _row(event, now) for event in sorted(batch, key=lambda event: event.event_id)}
        with engine.begin() as connection:
            new = set(connection.execute(insert_events, list(given.values())).scalars())
            learners = locked(connection, sorted({event.user_id for event in batch}))
            counting = sorted((SimpleNamespace(**given[each]) for each in new), key=lambda row: row.occurred_at)
            for row in counting:
                _fold(learners[row.learner_id], row)
            changed = {row.learner_id: vars(learners[row.learner_id]) for row in counting}
            if changed:
                connection.execute(upsert, list(changed.values()))
        return [_receipt(event, event.event_id in new, learners[event.user_id]) for event in batch]

    return ingest


WAYS: dict[str, Callable[[sa.Engine], Ingest]] = {"rows": rows, "batches": batches}


def _row(event: Event, now: datetime) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "learner_id": event.user_id,
        "action": event.action,
        "occurred_at": event.occurred_at or now,
        "value": event.value,
        "course_id": event.course_id,
        "xp": RULES.actions[event.action].xp,
    }


def _fold(learner: Any, row: Any) -> None:
    learner.xp += row.xp
    learner.level = bisect_right(_LEVEL_XP, learner.xp)
    day, last = row.occurred_at.astimezone(UTC).date(), learner.last_day
    if RULES.actions[row.action].qualifies and (last is None or day > last):
        learner.streak = learner.streak + 1 if last == day - timedelta(days=1) else 1
        learner.last_day = day


def _receipt(event: Event, new: bool, learner: Any) -> Receipt:
    return Receipt(
        event_id=event.event_id,
        status="accepted" if new else "duplicate",
        xp_awarded=RULES.actions[event.action].xp if new else 0,
        total_xp=learner.xp,
        level=learner.level,
        streak=learner.streak,
    )


def connections_of(url: str) -> int:
    """Return how many connections a worker has: SQLite has one writer, and to take turns is fairer than to poll."""
    return 1 if url.startswith("sqlite") else _CONNECTIONS


def open_engine(url: str) -> sa.Engine:
    """Return an engine on SQLite or PostgreSQL; every commit reaches the disk."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_size=connections_of(url), max_overflow=0)
    engine = sa.create_engine(url, pool_size=connections_of(url), max_overflow=0, connect_args={"timeout": _BUSY_S})

    @sa.event.listens_for(engine, "connect")
    def durable(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's own recipe: the driver must not begin transactions ...
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def writing(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # ... because whoever is to write takes its turn first

    return engine
