"""Personas: lazy, deterministic, and living where the world lets them live."""

from collections.abc import Iterator
from typing import Any

import faker
import pytest

from engine import rules
from engine.errors import InputError
from simulation import personas
from simulation.population import load_population
from simulation.response import load_responses
from simulation.world import SyntheticWorlds

RULES = rules.load()
APP = load_population("app")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every name that Faker makes."""
    made: list[str] = []

    class Counting:
        def __init__(self, locale: str) -> None:
            self._faker = faker.Faker(locale)

        def seed_instance(self, seed: int) -> None:
            self._faker.seed_instance(seed)

        def name(self) -> Any:
            made.append(self._faker.name())
            return made[-1]

    monkeypatch.setattr(personas, "Faker", Counting)
    personas._faker.cache_clear()
    yield made
    personas._faker.cache_clear()


def test_faker_is_asked_once_for_each_persona_looked_at_and_never_otherwise(calls: list[str]) -> None:
    book = personas.Personas(APP, RULES, 7)
    SyntheticWorlds(APP, load_responses(), 7, 20_003, RULES)(0, 0, 0, 1_000_000)
    assert calls == []
    page = [book[learner] for learner in range(999_980, 1_000_000)]
    assert len(calls) == 20
    assert len({persona.email for persona in page}) == 20
    assert len({persona.name for persona in page}) > 15


def test_a_persona_depends_on_seed_replication_and_learner_only() -> None:
    book, other = personas.Personas(APP, RULES, 7), personas.Personas(APP, RULES, 7)
    backwards = [book[learner] for learner in range(30)][::-1]
    assert backwards == [other[learner] for learner in reversed(range(30))]
    assert [personas.Personas(APP, RULES, 8)[learner].name for learner in range(5)] != [book[k].name for k in range(5)]
    assert [personas.Personas(APP, RULES, 7, 1)[learner].name for learner in range(5)] != [
        book[k].name for k in range(5)
    ]


def test_a_persona_lives_in_the_zone_of_its_world() -> None:
    for replication in (0, 2):
        world = SyntheticWorlds(APP, load_responses(), 7, 20_003, RULES)(replication, 0, 100, 200)
        zones = [APP.zones[place] for place in world.state()["latent"]["zone"]]
        book = personas.Personas(APP, RULES, 7, replication)
        for place, zone in enumerate(zones):
            persona = book[100 + place]
            assert (persona.time_zone, persona.locale) == (zone.name, zone.locale)
    assert len({zone.name for zone in zones}) > 4


def test_a_number_that_no_learner_has_is_refused() -> None:
    with pytest.raises(InputError, match="4294967295"):
        personas.Personas(APP, RULES, 7)[-1]
