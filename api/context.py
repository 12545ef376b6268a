"""What routes work with, put together once by the wiring and found on the application."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from actors.agenda import name_of, policies_of
from actors.service import Service
from actors.storage.database import Database
from api.clock import Clock
from api.delivery import Delivery
from api.events import Gate
from api.receipts import Receipts
from api.rolling import Rolling
from api.roster import Roster
from api.shapes.happenings import Happenings
from api.shapes.interventions import Treatment
from api.shapes.risk import Risks
from api.streams import Streams
from api.xapi.mapping import Mapping, load
from engine.experiments.campaigns import Campaign
from engine.policies import Policy
from engine.rules import Rules

_READERS = 2


@dataclass(frozen=True)
class Context:
    """The engine behind the routes.

    Args:
        service: the live learners.
        rules: of the product.
        rolling: knows the model for risk on demand.
        campaigns: that decide who is sent what.
        clock: the one that the service lives by, UTC ms.
        database: where proofs and reports are kept.
        delivery: what is kept of messages.
        identity: of this installation.
    """

    service: Service
    rules: Rules
    rolling: Rolling
    campaigns: Sequence[Campaign]
    clock: Clock
    database: Database
    delivery: Delivery
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

    @functools.cached_property
    def happenings(self) -> Happenings:
        """What puts outcomes, sends and changes of risk into words."""
        return Happenings(self.rules, self.receipts)

    @property
    def risks(self) -> Risks:
        """What scores learners on demand, and says why, by the model of this moment."""
        return Risks(self.rules, self.rolling.model, self._treatments)

    def _treatments(self, learner_id: str) -> list[Treatment]:
        """Return how campaigns treat a learner, the highest priority first."""
        found = []
        for campaign in sorted(self.campaigns, key=lambda each: -each.priority):
            arm = campaign.arm_of(learner_id)
            policy = self._policies[name_of(campaign.id, arm)]
            known = self.service.known(name_of(campaign.id, arm)) if policy.shares else {}
            found.append(Treatment(campaign, arm, policy, known))
        return found

    @functools.cached_property
    def _policies(self) -> dict[str, Policy]:
        return policies_of(self.campaigns)

    @functools.cached_property
    def roster(self) -> Roster:
        """All learners side by side."""
        return Roster(self.service)

    @functools.cached_property
    def streams(self) -> Streams:
        """What tells listeners what happens."""
        return Streams(self.service, self.happenings.told, self.readers)

    @functools.cached_property
    def exporting(self) -> set[str]:
        """Names of the learners to whom an export is going out."""
        return set()

    @functools.cached_property
    def readers(self) -> asyncio.Semaphore:
        """What keeps those who read whole journals few, so that threads stay free for everybody else."""
        return asyncio.Semaphore(_READERS)


async def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Engine = Annotated[Context, Depends(_context)]
"""Annotate a route's parameter with it to get the engine."""
