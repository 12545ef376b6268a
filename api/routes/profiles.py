"""Profiles of learners."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic.alias_generators import to_camel

from api.access import Caller, Principal, Role, own
from api.context import Context, Engine
from api.events import LearnerId
from api.problems import Refused, responses
from api.shapes.profile import BY_PLATFORM, ProfileChanges, ProfileState, profile_state, stored

router = APIRouter(prefix="/api/engagement/learners/{userId:path}", tags=["learners"])

Learner = Annotated[LearnerId, Path(alias="userId", description="The learner, by your own id.", examples=["u-17"])]


@router.get("/profile", summary="Read a profile", responses=responses(404, 422))
async def read_profile(engine: Engine, caller: Caller, learner_id: Learner) -> ProfileState:
    """Return a learner's profile."""
    own(caller, learner_id)
    return profile_state(learner_id, await asyncio.to_thread(engine.service.learner, learner_id))


@router.put("/profile", summary="Set a profile", status_code=204, responses=responses(422))
async def put_profile(engine: Engine, caller: Caller, learner_id: Learner, body: ProfileChanges) -> None:
    """Set a whole profile, of a learner who may be new: what it leaves out is taken out.

    Consents and anonymity are the exception: they change only where they are named, so that nobody is exposed by
    silence.
    """
    own(caller, learner_id)
    _must_be_own(caller, body)
    changes = stored(body, whole=True)
    if caller.role is Role.LEARNER:  # what a learner cannot set, a learner's PUT does not take out
        changes = {name: value for name, value in changes.items() if name not in BY_PLATFORM}
    await _change(engine, learner_id, changes)


@router.patch("/profile", summary="Change a profile", status_code=204, responses=responses(404, 422))
async def patch_profile(engine: Engine, caller: Caller, learner_id: Learner, body: ProfileChanges) -> None:
    """Change entries of a profile; null takes one out, and what is left out stays."""
    own(caller, learner_id)
    _must_be_own(caller, body)
    changes = stored(body, whole=False)
    await asyncio.to_thread(engine.service.learner, learner_id)  # refuses one who is unknown
    await _change(engine, learner_id, changes)


def _must_be_own(caller: Principal, body: ProfileChanges) -> None:
    """Refuse a learner what only the platform may set."""
    named = {to_camel(name) for name in body.model_fields_set} & set(BY_PLATFORM)
    if caller.role is Role.LEARNER and named:
        got = ", ".join(sorted(named))
        raise Refused(403, "entries of the profile", got, "those that are a learner's own", "Your platform sets them.")


# Writing tells nothing: who may only write does not read, and what admins read is on record.
async def _change(engine: Context, learner_id: str, changes: dict[str, Any]) -> None:
    promise: concurrent.futures.Future[Any] = concurrent.futures.Future()
    engine.service.set_profile(promise, learner_id, changes)
    await asyncio.shield(asyncio.wrap_future(promise))  # if nobody waits any more, the lane still keeps its promise
