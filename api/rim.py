"""What the rim's own routes and middlewares work with, put together once and found on the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from api.clock import Clock, steady_clock, wall_clock
from api.guard import Audit
from api.keys import KeyStore
from api.settings import Settings
from api.tokens import Tokens

Ready = Callable[[], Sequence[str]]
"""Returns why the service cannot work at present, nothing = it can; quick, since it is asked again and again."""


@dataclass(frozen=True)
class Rim:
    """All that stands between HTTP and the engine.

    Args:
        settings: of the operator.
        keys: where API keys are kept.
        tokens: makes and checks learners' tokens.
        audit: keeps lines of the audit log.
        ready: tells why the service cannot work at present.
        clock: the one that the service lives by.
        steady: the one of limits and caches, which nobody sets.
        registry: of the metrics; the service adds its own to it.
    """

    settings: Settings
    keys: KeyStore
    tokens: Tokens
    audit: Audit
    ready: Ready
    clock: Clock = wall_clock
    steady: Clock = steady_clock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)


async def _rim(request: Request) -> Rim:
    found: Rim = request.app.state.rim
    return found


TheRim = Annotated[Rim, Depends(_rim)]
"""Annotate a route's parameter with it to get the rim."""
