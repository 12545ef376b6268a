"""Small synthetic worlds for tests."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from actors.ports import Inbox
from engine import record, rules
from engine.arrival import SEEN
from engine.batch import close_day, fold_batch
from engine.outcomes import MARGIN, OUTCOME, scratch
from engine.policies.base import NO_MESSAGE
from simulation.population import Population, load_population
from simulation.response import load_responses
from simulation.world import SyntheticWorld, SyntheticWorlds

MONDAY = 20003
RULES = rules.load()
WARNING = 1  # streak_warning


@cache
def a_population(name: str) -> Population:
    return load_population(name)


def make_worlds(name: str, mode: Any = "off", first_day: int = MONDAY) -> SyntheticWorlds:
    return SyntheticWorlds(a_population(name), load_responses(), 7, first_day, RULES, mode)


def make_world(name: str, count: int, mode: Any = "off", first: int = 0, arm: int = 0) -> SyntheticWorld:
    world = make_worlds(name, mode)(0, arm, first, count)
    assert isinstance(world, SyntheticWorld)
    return world


def inbox(count: int, kind: int = NO_MESSAGE, channels: int = 15) -> Inbox:
    return Inbox(np.full(count, kind, np.int8), np.full(count, channels, np.uint8))


class Life:
    """A world with its records, folded day by day as the learner actor does."""

    def __init__(self, world: SyntheticWorld, count: int) -> None:
        self.world, self.count = world, count
        self.records = record.new_records(count, MONDAY)
        self._outcomes, self._before = np.zeros(count * 64 + 2 * MARGIN, OUTCOME), scratch()

    def day(self, day: int, morning: int = NO_MESSAGE, evening: int = NO_MESSAGE) -> tuple[Any, Any]:
        close_day(self.records, np.full(self.count, day, np.int32), 0, RULES.record, self._before, self._outcomes, 0)
        minutes = self.world.plan(day, self.records, inbox(self.count, morning)).copy()
        late = np.where(minutes >= 1080, evening, NO_MESSAGE).astype(np.int8)
        found = self.world.events(day, self.records, Inbox(late, np.full(self.count, 15, np.uint8))).copy()
        verdicts = np.zeros(len(found), "u1")
        done, _ = fold_batch(
            self.records, found, 0, RULES.record, np.zeros(0, SEEN), verdicts, self._before, self._outcomes, 0
        )
        assert done == len(found)
        return minutes, found

    def run(self, days: int, choose: Callable[[int], tuple[int, int]] = lambda _: (NO_MESSAGE, NO_MESSAGE)) -> Any:
        return np.concatenate([self.day(MONDAY + k, *choose(k))[1] for k in range(days)])
