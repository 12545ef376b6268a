"""What a learner actor is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.ports import Journal, Meter, WorldMaker
from engine.experiments.campaigns import Campaign
from engine.policies.base import State as Knowledge
from engine.record import NEVER
from engine.rules import Rules


@dataclass(frozen=True)
class Arm:
    """One arm: a name and the policy that decides in it."""

    id: str
    policy: str = "none"
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ActorSpec:
    """All that a learner actor is made from; it pickles.

    Args:
        number: of the actor.
        first_learner: number of its first learner in the whole population.
        count: number of its learners.
        rules: of the product.
        arms: in a simulation the same learners live once in each; the service has campaigns.
        seed: of chance.
        first_day: local day on which the learners registered; `NEVER` = that of their first event.
        worlds: makes each arm's world; None = live or replayed, events come from outside.
        meter: counts each simulated day.
        log: file to which a line is written for each day applied; None = no log.
        snapshot_s: seconds after which a snapshot is due; 0 = after every message. A large actor works at least ten
            times as long as its last snapshot took.
        journal: makes each message durable before it is answered, in the service; None = the sender keeps them.
        zone: IANA name of the zone of learners whose profile has none.
        model: version of the risk model that the scoring pool is started with.
        campaigns: of the service.
        knowledge: what the policies of campaigns begin with, by treatment (`actors.agenda.name_of`).
        actors: how many there are in the service.
    """

    number: int
    first_learner: int
    count: int
    rules: Rules
    arms: tuple[Arm, ...] = (Arm("live"),)
    seed: int = 0
    first_day: int = NEVER
    worlds: WorldMaker | None = None
    meter: Meter | None = None
    log: Path | None = None
    snapshot_s: float = 5.0
    journal: Journal | None = None
    zone: str = "UTC"
    model: str = ""
    campaigns: tuple[Campaign, ...] = ()
    knowledge: dict[str, Knowledge] = field(default_factory=dict)
    actors: int = 1
