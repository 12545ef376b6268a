"""Personas: a name and an address for a synthetic learner, for people who look at one; no simulation needs them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from faker import Faker

from engine import chance
from engine.chance import PURPOSE_PERSON, uniforms
from engine.errors import InputError
from engine.rules import Rules
from simulation.latent import zone_of_learner
from simulation.population import Population

_K_PERSONA = 100  # ordinal of the persona's luck, far from that of the latent traits


@dataclass(frozen=True)
class Persona:
    """A made-up person.

    Args:
        learner: number in the population.
        name: as people of the locale are called.
        locale: such as ``en_GB``.
        email: at example.org, which belongs to nobody; it holds the learner's number, so it is never shared.
        time_zone: IANA name; the zone in which the world lets the learner live.
    """

    learner: int
    name: str
    locale: str
    email: str
    time_zone: str


class Personas:
    """The personas of one replication, made when asked for: Faker is slow (about 50 microseconds a name).

    The same arguments give the same persona, whatever was asked before.

    Args:
        population: whose zones and locales they have.
        rules: of the product.
        seed: of the scenario.
        replication: its learners are others.
    """

    def __init__(self, population: Population, rules: Rules, seed: int, replication: int = 0) -> None:
        self._zones = population.zones
        self._record = population.record(rules)
        self._stream = chance.stream(seed, replication)

    def __getitem__(self, learner: int) -> Persona:
        """Return the persona of a learner, by his number in the population.

        Raises:
            InputError: the number is negative or too large.
        """
        if not 0 <= learner < 1 << 32:
            raise InputError("learner", str(learner), "a number from 0 to 4294967295")
        zone = self._zones[zone_of_learner(self._stream, learner, self._record)]
        luck = uniforms(self._stream, learner, 0, PURPOSE_PERSON, _K_PERSONA)
        faker = _faker(zone.locale)
        faker.seed_instance(int(luck[0] * 2.0**33))
        name = faker.name()
        return Persona(learner, name, zone.locale, f"learner.{learner}@example.org", zone.name)


@functools.cache
def _faker(locale: str) -> Faker:
    """Return the generator of a locale: making one costs far more than a name."""
    try:
        return Faker(locale)
    except AttributeError:  # what Faker raises for a locale it does not have
        raise InputError("locale", repr(locale), "a locale of Faker, such as 'en_GB'") from None
