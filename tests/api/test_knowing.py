"""Knowing: what one actor's learners have taught all decide by, a restart included, and calls are counted over all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.agenda import name_of
from actors.deciding import tables_of
from engine.experiments.campaigns import Campaign
from engine.policies import make
from engine.policies.base import State
from engine.policies.knowledge import read
from tests.actors.test_sending import campaign
from tests.api.engage import engage_here
from tests.api.site import Site, eventually, open_site

LEARNERS = [f"u-{number}" for number in range(40)]
NAME = "learned/all"


def learning(**entries: Any) -> tuple[Campaign, ...]:
    arms = [{"id": "all", "policy": "thompson", "share": 1.0, **entries}]
    return (campaign("learned", "thompson", arms=arms),)


def weeks(site: Site, days: int, first: int = 0) -> None:
    """Let learners come at noon on days of their own, and the job share what was learned late each evening."""
    for day in range(first, first + days):
        here = [learner for place, learner in enumerate(LEARNERS) if (place * 7 + day) % 3]
        site.post("/events", {"events": [{"userId": each, "action": "lesson_complete"} for each in here]})
        site.advance(hours=11)
        site.service.settle()  # whatever matured today is in before the list of tomorrow is made
        site.advance(hours=0.5)
        eventually(lambda: shared(site))
        site.advance(hours=12.5)
        site.service.settle()


def shared(site: Site) -> bool:
    """Tell whether all actors know what has been learned up to now."""
    parts, policy = gathered(site), make("thompson")
    return all(same(known(site, log), policy.merge({}, parts)) for log in range(len(site.service.lanes)))


def gathered(site: Site) -> list[State]:
    return [lane.ask("gathered", NAME, site.clock()) for lane in site.service.lanes]


def known(site: Site, log: int) -> State:
    state: State = site.service.lanes[log].ask("known", NAME, site.clock())
    return state


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_all_actors_decide_by_what_all_have_learned(tmp_path: Path) -> None:
    with open_site(tmp_path, campaigns=learning(), actors=2) as site:
        weeks(site, 12)
        parts = gathered(site)
        assert all(parts) and not same(parts[0], parts[1]), "each has learners of its own"
        before = known(site, 0)
        assert not same(before, make("thompson").merge({}, parts)), "what matured this morning waits for the evening"
    with open_site(tmp_path, "2026-03-14T12:00", campaigns=learning(), actors=2) as site:
        assert same(known(site, 0), before) and same(known(site, 1), before), "a restart forgets nothing"
        weeks(site, 1, first=12)
        assert not same(known(site, 0), before)


def test_what_was_learned_can_be_taken_elsewhere_and_is_added_to(tmp_path: Path) -> None:
    with open_site(tmp_path / "one", campaigns=learning(), actors=2) as site:
        weeks(site, 10)
        taught = known(site, 0)
    file = tmp_path / "campaigns.toml"
    file.write_text('campaigns = [{ id = "learned", policy = "thompson" }]', "utf-8")
    where = ("--data", tmp_path / "one", "--campaigns", file, "--out", tmp_path / "knowledge.json")
    assert engage_here("policy", "export", "learned/all", *where).code == 0
    assert same(read(tmp_path / "knowledge.json", make("thompson")), taught)
    refused = engage_here("policy", "export", "learnt/all", *where)
    assert refused.code == 2 and "an arm that learns: learned/all" in refused.err
    warm = learning(knows=str(tmp_path / "knowledge.json"))
    with open_site(tmp_path / "two", campaigns=warm, actors=2) as site:
        assert same(known(site, 0), taught)
        site.post("/events", {"events": [{"userId": each, "action": "lesson_complete"} for each in LEARNERS]})
        for _ in range(9):
            site.advance(days=1)
            site.service.settle()
        site.advance(hours=11.5)
        policy = make("thompson")
        eventually(lambda: all(gathered(site)) and same(known(site, 1), policy.merge(taught, gathered(site))))


def test_a_policy_that_takes_anothers_place_is_not_given_what_that_one_knew(tmp_path: Path) -> None:
    for number, (policy, params) in enumerate(CHANGES):
        arms = [{"id": "all", "policy": policy, "params": params, "share": 1.0}]
        changed = (campaign("learned", policy, arms=arms),)
        with open_site(tmp_path, f"2026-03-{2 + 12 * number:02}T12:00", campaigns=changed, actors=2) as site:
            told, made = known(site, 0), make(policy, params)
            own = same(told, made.merge({}, gathered(site))) if made.learns else "day" in told
            assert not told or own, "at most what the journal teaches this very policy"
            for _ in range(10):
                site.post("/events", {"events": [{"userId": each, "action": "lesson_complete"} for each in LEARNERS]})
                site.advance(days=1)
                site.service.settle()
            assert "learned/all" in {name for log in range(2) for name in decided(site, log)}


CHANGES = [("thompson", {}), ("thompson", {"reward": "active_3"}), ("outreach_capacity", {"calls_a_day": 2})]


def decided(site: Site, log: int) -> list[str]:
    return [name for entry in site.service.entries_of(log, "decide") for name in entry.message.body["treatments"]]


@pytest.mark.parametrize("calls", [1, 3])
def test_calls_are_chosen_among_all_learners_of_all_actors(tmp_path: Path, calls: int) -> None:
    arms = [{"id": "all", "policy": "outreach_capacity", "params": {"calls_a_day": calls}, "share": 1.0}]
    with open_site(tmp_path, campaigns=(campaign("calls", "none", arms=arms),), actors=2) as site:
        site.post("/events", {"events": [{"userId": each, "action": "lesson_complete"} for each in LEARNERS]})
        for _ in range(12):
            site.advance(hours=11.5)  # 23:30 UTC: the list of the day that begins at midnight is made
            eventually(lambda: all(listed(site, log) for log in range(2)))
            site.advance(hours=12.5)
        chosen: dict[int, int] = {}
        for lane in site.service.lanes:
            for entry in site.service.entries_of(lane.log, "decide"):
                for row in tables_of(entry.message).logged:
                    chosen[int(row["day"])] = chosen.get(int(row["day"]), 0) + int(row["chosen"] >= 0)
    assert len(chosen) >= 10 and max(chosen.values()) == calls
    assert sum(count == calls for count in chosen.values()) >= 9, "and as many as there is time for"


def listed(site: Site, log: int) -> bool:
    return bool(site.service.lanes[log].ask("known", name_of("calls", "all"), site.clock()))
