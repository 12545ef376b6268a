"""Whom a request is about: the learner of ``userId``, whom a learner's own token may leave out."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from api.access import Caller, own
from api.events import LearnerId
from api.problems import Refused

UserId = Annotated[
    LearnerId | None,
    Query(alias="userId", description="The learner; a learner's token may leave it out.", examples=["u-17"]),
]


async def _subject(caller: Caller, user_id: UserId = None) -> str:
    learner_id = user_id or caller.learner_id
    if learner_id is None:
        raise Refused(422, "query.userId", "nothing", "a learner's id", "Say whom it is about: ?userId=u-17.")
    own(caller, learner_id)
    return learner_id


Subject = Annotated[str, Depends(_subject)]
"""The learner that a request is about, of whom the caller may know: ``async def route(learner_id: Subject)``."""
