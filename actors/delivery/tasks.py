"""Tasks: what people are to do, such as a call, in a queue that takes no more a day than they can do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update

from actors.delivery.channel import Outgoing, UndeliverableError
from actors.sending import OPERATOR
from actors.storage.database import Database
from actors.storage.rows import put_once, to_json
from actors.storage.schema import SETTINGS, TASKS
from engine.calendar import MS_PER_DAY

_CAPACITY = "outreach_a_day"  # name of a setting; its row is what those who add wait for
_KEPT_MS = 7 * MS_PER_DAY
"""How long a task stays open: a call is worth making some days later, and not after a week."""


class TaskState(StrEnum):
    """What a task is: open, somebody's, or how it ended."""

    OPEN = "open"
    CLAIMED = "claimed"
    REACHED = "reached"
    NOT_REACHED = "not_reached"
    DECLINED = "declined"  # the learner does not want it


ENDED = (TaskState.REACHED, TaskState.NOT_REACHED, TaskState.DECLINED)


@dataclass(frozen=True)
class Task:
    """One task.

    Args:
        id: of the outbox.
        learner: about whom.
        type: of the catalogue.
        subject: what it is about, one line.
        text: what might be said.
        state: what it is.
        operator: whose it is, None = nobody's yet.
        note: how it went.
        created_ms: when it came.
        expires_ms: when it is not worth doing any more.
        changed_ms: when its state changed last.
    """

    id: str
    learner: str
    type: str
    subject: str
    text: str
    state: TaskState
    operator: str | None
    note: str | None
    created_ms: int
    expires_ms: int
    changed_ms: int


class Tasks:
    """The operators' queue of a database.

    Args:
        database: where it is kept.
        capacity_a_day: tasks that are taken in one day of UTC.
    """

    def __init__(self, database: Database, capacity_a_day: int) -> None:
        self._database, self.capacity_a_day = database, capacity_a_day

    def add(self, task_id: str, learner: str, kind: str, subject: str, text: str, now_ms: int) -> bool:
        """Take a task in, once.

        Returns:
            False = the day's capacity is used up.
        """
        day_ms = now_ms - now_ms % MS_PER_DAY
        same = select(TASKS.c.id).where(TASKS.c.id == task_id)
        today = select(func.count()).select_from(TASKS).where(TASKS.c.created_ms >= day_ms)
        row = {
            "id": task_id,
            "learner": learner,
            "type": kind,
            "body": to_json({"subject": subject, "text": text}),
            "state": TaskState.OPEN,
            "created_ms": now_ms,
            "expires_ms": now_ms + _KEPT_MS,
            "changed_ms": now_ms,
        }
        put_once(self._database, SETTINGS, {"name": _CAPACITY, "value": ""})
        with self._database.writing() as connection:
            # Whoever writes this row first counts first; the others wait for the end of the transaction.
            counting = update(SETTINGS).where(SETTINGS.c.name == _CAPACITY)
            connection.execute(counting.values(value=str(self.capacity_a_day)))
            if connection.execute(same).first() is not None:
                return True
            if connection.execute(today).scalar_one() >= self.capacity_a_day:
                return False
            connection.execute(insert(TASKS), row)
        return True

    def listed(self, now_ms: int, limit: int = 100, ended: bool = False) -> list[Task]:
        """Return tasks that are open or somebody's, oldest first, or those that have ended, newest first."""
        if ended:
            query = select(TASKS).where(TASKS.c.state.in_(ENDED)).order_by(TASKS.c.changed_ms.desc(), TASKS.c.id)
        else:
            live = or_(TASKS.c.state == TaskState.CLAIMED, TASKS.c.expires_ms > now_ms)
            query = select(TASKS).where(TASKS.c.state.not_in(ENDED), live).order_by(TASKS.c.created_ms, TASKS.c.id)
        return self._tasks(query.limit(limit))

    def of_learner(self, learner: str) -> list[Task]:
        """Return all tasks about a learner, oldest first."""
        return self._tasks(select(TASKS).where(TASKS.c.learner == learner).order_by(TASKS.c.created_ms, TASKS.c.id))

    def find(self, task_id: str) -> Task | None:
        """Return a task, None = there is none of that id."""
        return next(iter(self._tasks(select(TASKS).where(TASKS.c.id == task_id))), None)

    def _tasks(self, query: Any) -> list[Task]:
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [_task(row._asdict()) for row in rows]

    def claim(self, task_id: str, operator: str, now_ms: int) -> bool:
        """Take an open task. Return False where it is not open, or is somebody else's; one's own is taken again."""
        free = or_(TASKS.c.state == TaskState.OPEN, TASKS.c.operator == operator)
        return self._change(task_id, {"state": TaskState.CLAIMED, "operator": operator, "changed_ms": now_ms}, free)

    def release(self, task_id: str, operator: str, now_ms: int) -> bool:
        """Give a task back. Return False where it is not the operator's."""
        values = {"state": TaskState.OPEN, "operator": None, "changed_ms": now_ms}
        return self._change(task_id, values, TASKS.c.operator == operator)

    def end(self, task_id: str, operator: str, how: TaskState, note: str, now_ms: int) -> bool:
        """End one's own task. Return False where it is not the operator's, or has ended."""
        values = {"state": how, "note": note, "changed_ms": now_ms}
        return self._change(task_id, values, TASKS.c.operator == operator)

    def _change(self, task_id: str, values: dict[str, Any], *conditions: Any) -> bool:
        mine = (TASKS.c.id == task_id, TASKS.c.state.not_in(ENDED), *conditions)
        with self._database.writing() as connection:
            return bool(connection.execute(update(TASKS).where(*mine).values(values)).rowcount)

    def prune(self, before_ms: int) -> int:
        """Delete tasks that came before an instant and are over; return how many there were."""
        over = or_(TASKS.c.state.in_(ENDED), TASKS.c.expires_ms < before_ms)
        with self._database.writing() as connection:
            return connection.execute(delete(TASKS).where(TASKS.c.created_ms < before_ms, over)).rowcount


def _task(row: dict[str, Any]) -> Task:
    told = json.loads(row.pop("body"))
    return Task(**{**row, **told, "state": TaskState(row["state"])})


class OperatorChannel:
    """Hands over to the operators' queue.

    Args:
        tasks: which.
        clock: UTC ms: capacity is of the day on which a task comes.
    """

    name = OPERATOR

    def __init__(self, tasks: Tasks, clock: Callable[[], int]) -> None:
        self._tasks, self._clock = tasks, clock

    def hand_over(self, outgoing: Outgoing) -> None:
        """Put a task into the queue, once."""
        words = outgoing.words
        added = self._tasks.add(outgoing.id, outgoing.learner, outgoing.type, words.subject, words.body, self._clock())
        if not added:
            raise UndeliverableError(self.name, f"a full queue ({self._tasks.capacity_a_day} tasks a day)")
