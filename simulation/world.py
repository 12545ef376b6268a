"""The synthetic world: the events of a block of learners, day by day, beside their records in the learner actor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from actors.ports import Inbox, State, World
from engine import chance, events
from engine.errors import EngageError, InputError
from engine.record import Records
from engine.rules import Rules
from simulation import activity, behaviour, oracle
from simulation.latent import LATENT, create
from simulation.population import Population
from simulation.response import ResponseDraw, Responses, centre, draw, off

_ROOM_PER_LEARNER = 8  # rows of the event buffer at first; it grows when a day needs more
_MOST_LEARNERS = 1 << 32  # a learner's number is a word of the chance key
_MOST_DAYS = 65_000  # days of the simulation are kept in 16 bits

ResponseMode = Literal["drawn", "centre", "off"]
"""Where a replication's responses come from: drawn from their ranges, the published values, or none at all."""


class SyntheticWorld:
    """Behaviour of learners ``first_learner ... first_learner + count - 1`` in one arm of one replication.

    Chance is keyed by (seed, replication, learner) and counted by (day, purpose, k); no arm is in the key, so the same
    learner in another arm has the same luck, and a learner is the same in whatever block he stands.

    Args:
        population: who they are.
        draw: how they respond.
        stream: from `engine.chance.stream`.
        first_learner: number of the first of them in the whole population.
        count: how many.
        first_day: the local day on which all of them register.
        rules: for the codes of the actions.
    """

    def __init__(
        self,
        population: Population,
        draw: ResponseDraw,
        stream: int,
        first_learner: int,
        count: int,
        first_day: int,
        rules: Rules,
    ) -> None:
        if not (count >= 0 and 0 <= first_learner <= _MOST_LEARNERS - 1 - count):
            raise InputError(
                "learners", f"{count} from number {first_learner}", f"numbers from 0 to {_MOST_LEARNERS - 2}"
            )
        self._population = population.record(rules)
        self._response = draw.record()
        self._tables = population.tables()
        self._stream = stream
        self._first_learner = first_learner
        self._first_day = first_day
        # A learner's day: its events; a module, a course and an enrolment for each lesson; the first enrolment.
        self._margin = int(2.5 * population.volume.events_cap.value) + 8
        self._out = np.zeros(_ROOM_PER_LEARNER * count + self._margin, events.EVENT)
        self._minutes = np.empty(count, np.int16)
        self.latent: NDArray[Any] = np.zeros(count, LATENT)
        create(self.latent, stream, first_learner, self._population)

    def plan(self, day: int, records: Records, inbox: Inbox) -> NDArray[np.int16]:
        """Begin a local day: see `actors.ports.World`. The array is used again by the next call.

        Days must follow one another: each ends the one before.
        """
        today = self._today(day)
        behaviour.plan_block(
            self.latent, records, inbox.kinds, inbox.channels, self._first_learner, day, today, self._stream,
            self._population, self._response, self._minutes,
        )  # fmt: skip
        return self._minutes

    def events(self, day: int, records: Records, evening: Inbox) -> events.Events:
        """Complete the day: see `actors.ports.World`. The events lie in a buffer that the next call writes again."""
        today = self._today(day)
        clocks = activity.clocks(day, self._tables)
        place = used = 0
        while True:
            place, used = activity.fill_block(
                self.latent, evening.kinds, evening.channels, self._first_learner, day, today, self._stream,
                self._population, self._response, clocks, self._out, self._margin, place, used,
            )  # fmt: skip
            if place == len(self.latent):
                return self._out[:used]
            larger = np.zeros(2 * len(self._out), events.EVENT)
            larger[:used] = self._out[:used]
            self._out = larger

    def gains(self, day: int, eligible: NDArray[np.uint16], types: int) -> NDArray[np.float64]:
        """Return the active days that each type would bring each learner: see `actors.ports.World`."""
        out = np.empty((len(self.latent), types))
        scratch = np.zeros(2, LATENT)
        today = self._today(day)
        oracle.gains(self.latent, eligible, day, today, self._population, self._response, scratch, out)
        return out

    def consents(self) -> NDArray[np.uint8]:
        """Return the channels each learner allows; an opt-out is never taken back."""
        return self.latent["consent"].copy()

    def state(self) -> State:
        """Return all latent state."""
        return {"latent": self.latent.copy()}

    def restore(self, state: State) -> None:
        """Take latent state back.

        Raises:
            EngageError: the state is of another block or version.
        """
        latent = state["latent"]
        if latent.dtype != LATENT or latent.shape != self.latent.shape:
            raise EngageError(
                "latent state",
                f"{latent.shape} rows of {latent.dtype.itemsize} bytes",
                f"{self.latent.shape} rows of {LATENT.itemsize} bytes",
                "Restore a snapshot of the same block and version.",
            )
        self.latent = latent.copy()

    def _today(self, day: int) -> int:
        today = day - self._first_day
        if not 0 <= today < _MOST_DAYS:
            raise InputError("day", str(today), f"0 to {_MOST_DAYS - 1} days after registration")
        return today


@dataclass(frozen=True)
class SyntheticWorlds:
    """Makes synthetic worlds for learner actors; see `actors.ports.WorldMaker`.

    Args:
        population: who the learners are.
        responses: how they respond, with ranges.
        seed: of the scenario.
        first_day: the local day on which all learners register.
        rules: of the product.
        response_mode: where each replication's responses come from.
    """

    population: Population
    responses: Responses
    seed: int
    first_day: int
    rules: Rules
    response_mode: ResponseMode = "drawn"

    def __call__(self, replication: int, arm: int, first_learner: int, count: int) -> World:
        """Return the world of a block; ``arm`` changes nothing in it."""
        stream = chance.stream(self.seed, replication)
        return SyntheticWorld(
            self.population, self._draw(replication), stream, first_learner, count, self.first_day, self.rules
        )

    def describe(self, replication: int) -> dict[str, float]:
        """Return the response parameters of a replication, by place in the file of responses."""
        return self._draw(replication).describe()

    def _draw(self, replication: int) -> ResponseDraw:
        if self.response_mode == "centre":
            return centre(self.responses)
        if self.response_mode == "off":
            return off(self.responses)
        return draw(self.responses, chance.stream(self.seed, replication))
