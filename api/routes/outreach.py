"""Outreach: the operators' queue of learners who are to be called or written to in person."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from actors.delivery.tasks import TaskState as State
from api.access import Caller, own
from api.context import Context, Engine
from api.problems import Refused, responses
from api.shapes.inbox import TaskMark, TaskPage, TaskState, task_told

router = APIRouter(prefix="/api/engagement", tags=["messages"])


@router.get("/outreach", summary="The operators' queue", responses=responses(422))
async def list_outreach(
    engine: Engine,
    caller: Caller,
    ended: Annotated[bool, Query(description="Those that have ended, in place of those to be done.")] = False,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
) -> TaskPage:
    """Return tasks, oldest first; they are taken up to a number a day, and expire after a week."""
    own(caller, None)
    tasks = engine.delivery.tasks
    found = await asyncio.to_thread(tasks.listed, engine.clock(), limit, ended)
    return TaskPage(tasks=[task_told(task) for task in found], capacity_a_day=tasks.capacity_a_day)


@router.post("/outreach", summary="Work on a task", responses=responses(404, 409, 422))
async def work_on_task(engine: Engine, caller: Caller, body: TaskMark) -> TaskState:
    """Claim a task, give it back, or say how it ended; an ended one stays as it is."""
    own(caller, None)
    return await asyncio.to_thread(_work, engine, body)


def _work(engine: Context, body: TaskMark) -> TaskState:
    tasks, now_ms = engine.delivery.tasks, engine.clock()
    if body.action == "claim":
        done = tasks.claim(body.task_id, body.operator, now_ms)
    elif body.action == "release":
        done = tasks.release(body.task_id, body.operator, now_ms)
    else:
        done = tasks.end(body.task_id, body.operator, State(body.action), body.note, now_ms)
    task = tasks.find(body.task_id)
    if task is None:
        raise Refused(404, "taskId", body.task_id, "a task of the queue")
    if not done:
        got = f"a task that is {task.state}" + (f" by {task.operator}" if task.operator else "")
        raise Refused(409, "taskId", got, "one's own task, or an open one", "Claim it first.")
    return task_told(task)
