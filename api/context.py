"""What routes work with, put together once by the wiring and found on the application."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from actors.service import Service
from actors.storage.database import Database
from api.clock import Clock
from api.events import Gate
from api.receipts import Receipts
from api.xapi.mapping import Mapping, load
from engine.policies import Policy
from engine.risk.model import RiskModel
from engine.rules import Rules


@dataclass(frozen=True)
class Context:
    """The engine behind the routes.

    Args:
        service: the live learners.
        rules: of the product.
        model: for risk on demand.
        policy: names the interventions that `calculate` shows.
        clock: the one that the service lives by, UTC ms.
        database: where proofs and reports are kept.
        identity: of this installation.
    """

    service: Service
    rules: Rules
    model: RiskModel
    policy: Policy
    clock: Clock
    database: Database
    identity: str

    @functools.cached_property
    def gate(self) -> Gate:
        """What accepts events."""
        return Gate(self.rules)

    @functools.cached_property
    def statements(self) -> Mapping:
        """What turns xAPI statements into events."""
        return load(self.rules)

    @functools.cached_property
    def receipts(self) -> Receipts:
        """What puts receipts into words."""
        return Receipts(self.rules)


async def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Engine = Annotated[Context, Depends(_context)]
"""Annotate a route's parameter with it to get the engine."""
