"""The oracle: what it says a message brings is what it brings, and nobody does better day by day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.notifications.catalogue import catalogue
from engine.policies import NO_MESSAGE, decide, make
from engine.policies.seen import seen
from simulation.latent import ALIVE
from simulation.oracle import HORIZON_DAYS
from tests.simulation.worlds import MONDAY, Life, make_world

LEARNERS, BEFORE = 6_000, 20
TYPES = catalogue()
EVERYTHING = (1 << len(TYPES.names)) - 1


def grown(mode: str) -> Life:
    """Return learners after some days without messages."""
    life = Life(make_world("paid_course", LEARNERS, mode), LEARNERS)
    for day in range(BEFORE):
        life.day(MONDAY + day)
    return life


def told(life: Life) -> Any:
    eligible = np.full(LEARNERS, EVERYTHING, np.uint16)
    return life.world.gains(MONDAY + BEFORE, eligible, len(TYPES.names))


def active_days(mode: str, kind: int) -> Any:
    """Return each learner's active days of the horizon after one message on its first day, or none."""
    life, total = grown(mode), np.zeros(LEARNERS)
    for ahead in range(HORIZON_DAYS):
        minutes, _ = life.day(MONDAY + BEFORE + ahead, kind if ahead == 0 else NO_MESSAGE)
        total += minutes < 1440
    return total


def test_without_any_response_no_message_brings_anything() -> None:
    assert (told(grown("off")) == 0).all()


@pytest.mark.parametrize("kind", ["gentle_reminder", "personalised_content", "human_outreach"])
def test_what_it_says_of_a_message_is_what_the_message_brings(kind: str) -> None:
    """Twins with and without: their mean difference is the oracle's, but for the habit that an active day leaves."""
    life = grown("centre")
    code = TYPES.code(kind)
    expected = told(life)[:, code]
    difference = active_days("centre", code) - active_days("centre", NO_MESSAGE)
    alive = life.world.latent["standing"] == ALIVE
    mean, error = difference[alive].mean(), difference[alive].std() / np.sqrt(alive.sum())
    said = expected[alive].mean()
    low, high = sorted((0.5 * said, 2.5 * said))  # an active day makes the next one likelier, which it leaves out
    assert low - 3.5 * error < mean < high + 3.5 * error, (mean, error, said)
    if kind == "personalised_content":  # what works for weeks is seen to work, and most for whom it is said to
        most = expected >= np.quantile(expected[alive], 0.5)
        assert mean > 5 * error and difference[alive & most].mean() > difference[alive & ~most].mean() + 3 * error


def test_asking_changes_nothing_and_only_what_may_be_sent_has_a_gain() -> None:
    life = grown("centre")
    before = life.world.latent.copy()
    eligible = np.arange(LEARNERS, dtype=np.uint16) % (EVERYTHING + 1)
    gains = life.world.gains(MONDAY + BEFORE, eligible, len(TYPES.names))
    assert life.world.latent.tobytes() == before.tobytes()
    allowed = (eligible[:, None] >> np.arange(len(TYPES.names))) & 1 == 1
    assert (gains[~allowed] == 0).all() and (gains[allowed] != 0).mean() > 0.3


def test_the_oracle_sends_nothing_where_nobody_can_tell() -> None:
    """As in the service: its context has no gains."""
    life, policy = grown("centre"), make("oracle")
    eligible, learners = np.full(LEARNERS, EVERYTHING, np.uint16), np.arange(LEARNERS)
    context = seen(policy, life.records, MONDAY + BEFORE, eligible, learners, stream=1)
    assert (decide(policy, context).kinds == NO_MESSAGE).all()
