"""What operators ask: is it alive, can it work, which version is it, how does it do."""

from __future__ import annotations

import importlib.metadata
import logging
from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api.context import Engine
from api.problems import Refused, responses
from api.rim import TheRim

_log = logging.getLogger("engage.api")

_UNWRITTEN = "a journal cannot be written: its database is locked, full or away"

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """It answers."""

    status: Literal["ok"] = "ok"


class Version(BaseModel):
    """What runs here."""

    name: str = Field(examples=["engagement-engine"])
    version: str = Field(examples=["0.1.0"])


@router.get("/health", summary="Is it alive?")
async def health() -> Health:
    """Answer as long as the process does. Restart it when this fails, and not when `/ready` does."""
    return Health()


@router.get("/ready", summary="Can it work?", responses=responses(503))
async def ready(rim: TheRim, engine: Engine) -> Health:
    """Answer 200 when requests can be served, else 503: send it none meanwhile. The reasons are in its log."""
    reasons = [*rim.ready(), *([_UNWRITTEN] if engine.service.troubled else [])]
    if reasons:  # they may name machines, and anybody may ask here
        _log.warning("not ready: %s", "; ".join(reasons))
        raise Refused(503, "the service", "not ready", "", "Wait; its operator finds the reason in its log.")
    return Health()


@router.get("/version", summary="Which version is it?")
async def version() -> Version:
    """Return the name and version of what runs here."""
    return Version(name=DISTRIBUTION, version=VERSION)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(rim: TheRim) -> Response:  # no coroutine: it takes milliseconds, so FastAPI runs it in a thread
    """Return all metrics in Prometheus' text format. It tells nothing of single learners."""
    return Response(generate_latest(rim.registry), media_type=CONTENT_TYPE_LATEST)


DISTRIBUTION = "engagement-engine"
VERSION = importlib.metadata.version(DISTRIBUTION)
