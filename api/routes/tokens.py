"""Tokens for learners: the platform's own server asks for one and hands it to the learner's browser or app."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BeforeValidator, ConfigDict, Field

from api.access import DEFAULT_SCOPES, Caller, Role, own
from api.events import LearnerId
from api.problems import Refused
from api.rim import TheRim
from api.tokens import LONGEST_S
from api.wire import Wire

router = APIRouter(prefix="/api/engagement", tags=["access"])


def _number(value: object) -> object:
    """Refuse what pydantic would read as a number, and JSON does not."""
    if isinstance(value, str | bool):
        raise ValueError("a number")
    return value


class TokenRequest(Wire):
    """Whom a token is for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"userId": "u-17", "ttlSeconds": 900}]})

    user_id: LearnerId = Field(description="The learner, by your own id.", examples=["u-17"])
    ttl_seconds: Annotated[int, Field(ge=1, le=LONGEST_S), BeforeValidator(_number)] | None = Field(
        None, description="Its life, which nothing ends earlier; default: as the service is set.", examples=[900]
    )


class TokenAnswer(Wire):
    """A token."""

    token: str = Field(description="Send it as `Authorization: Bearer TOKEN`.", examples=["eyJhbGciOi..."])
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # how to send it, and no secret
    user_id: str = Field(examples=["u-17"])
    expires_at: datetime
    scopes: list[str] = Field(examples=[["ingest", "read"]])


@router.post("/tokens", summary="Make a learner's token")
async def make_token(rim: TheRim, caller: Caller, body: TokenRequest) -> TokenAnswer:
    """Return a short-lived token that opens one learner's own data, and no more than the key that asks for it."""
    own(caller, body.user_id)
    scopes = caller.scopes & DEFAULT_SCOPES[Role.LEARNER]
    if not scopes:
        got, expected = ", ".join(sorted(caller.scopes)), " or ".join(sorted(DEFAULT_SCOPES[Role.LEARNER]))
        raise Refused(403, "the scopes of your credentials", got, expected, "A token can do no more than its maker.")
    token = rim.tokens.mint(body.user_id, body.ttl_seconds or rim.settings.token_ttl_s, scopes)
    return TokenAnswer(
        token=token.text,
        user_id=body.user_id,
        expires_at=datetime.fromtimestamp(token.expires_ms / 1_000, UTC),
        scopes=sorted(scopes),
    )
