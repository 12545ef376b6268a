"""The application: the routes, and around them the rim, in the order in which a request meets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api import openapi, refusals
from api.access import ACCESS, PUBLIC, Rule, Table
from api.bodies import Bodies
from api.envelope import REQUEST_ID, Envelope
from api.guard import Doors, Guard
from api.keys import KeyRing
from api.limits import Limiter
from api.metrics import HttpMetrics
from api.rim import Rim
from api.routes import (
    campaigns,
    erasure,
    export,
    inbox,
    intake,
    leaderboard,
    live,
    operations,
    outreach,
    profiles,
    progress,
    reference,
    reports,
    responses,
    risk,
    run,
    streak,
    tokens,
    xapi,
)

ROUTES: tuple[ModuleType, ...] = (
    *(intake, streak, run, progress, leaderboard, risk, live),
    *(profiles, inbox, outreach, responses),
    *(export, erasure, reports, campaigns, xapi, tokens, operations, reference),
)
"""The modules whose ``router`` is served, in the order in which the documentation shows them."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
"""What runs while the app does: starts the service, and drains it in the end."""

_EXPOSED = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", REQUEST_ID.decode())


class EngageApi(FastAPI):
    """A FastAPI app whose document tells what the rim does, too.

    Args:
        access: who may do what.
        options: FastAPI's own.
    """

    def __init__(self, access: dict[tuple[str, str], Rule], **options: Any) -> None:
        # Routes of its own for document and pages would not stand in the table, and its pages load scripts from afar.
        # Its telemetry would call out as the environment says, and costs 10 us where it says nothing.
        super().__init__(
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
            **options,
        )
        self.access = access
        self._document: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self._document is None:
            self._document = openapi.complete(super().openapi(), self.access)
        return self._document


def create_app(
    rim: Rim, context: object = None, modules: Sequence[ModuleType] = ROUTES, lifespan: Lifespan | None = None
) -> EngageApi:
    """Put the application together.

    Args:
        rim: what the rim works with.
        context: what the routes work with, found as ``request.app.state.context``.
        modules: whose routes are served.
        lifespan: what runs while the app does.

    Raises:
        EngageError: a route has no decision in `api.access.ACCESS`.
    """
    settings = rim.settings
    access = dict(ACCESS)
    if settings.public_metrics:
        access["GET", "/metrics"] = PUBLIC
    app = EngageApi(
        access,
        title=openapi.TITLE,
        summary=openapi.SUMMARY,
        description=openapi.DESCRIPTION,
        version=operations.VERSION,
        lifespan=lifespan,
    )
    app.state.rim, app.state.context = rim, context
    # Prefixes and tags stand in the routes already; include_router would match each request twice, router by router,
    # which takes 40 us with ten of them.
    for module in modules:
        app.router.routes.extend(module.router.routes)
    refusals.install(app)
    doors = Doors(
        table=Table(app, access),
        keys=KeyRing(rim.keys, rim.clock, rim.steady),
        tokens=rim.tokens,
        services=Limiter(settings.service_rate, rim.steady),
        learners=Limiter(settings.learner_rate, rim.steady),
        strangers=Limiter(settings.stranger_rate, rim.steady),
        audit=rim.audit,
        audit_days=settings.audit_days,
        clock=rim.clock,
    )
    # Each is put around those before it.
    app.add_middleware(Bodies, most=settings.max_body_bytes, timeout_s=settings.body_timeout_s)
    app.add_middleware(Guard, doors=doors)
    metrics = HttpMetrics(rim.registry)
    app.add_middleware(Envelope, observe=metrics.observe, most_header_bytes=settings.max_header_bytes)
    if settings.allowed_origins:  # outermost: a page may read a refusal, too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=_EXPOSED,
        )
    return app
