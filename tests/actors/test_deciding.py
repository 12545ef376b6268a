"""Deciding: drawn once, by each learner's arm, on what the laboratory would have seen; logged, and learned from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from actors import agenda
from actors.agenda import name_of
from actors.deciding import stream_of, tables_of
from actors.erasure import without
from actors.holdings import holdings
from actors.ports import Entry, Message
from engine.experiments.assignment import HOLDOUT
from engine.experiments.campaigns import Campaign
from engine.policies import decide, gains, make, names
from engine.policies.decisions import MATURE_DAYS
from engine.policies.seen import seen
from tests.actors.homes import MONDAY, Home, instant, same
from tests.actors.test_sending import blast, campaign

LEARNERS = [f"u-{k}" for k in range(60)]


def compared(**entries: Any) -> Campaign:
    """Return a campaign that compares doing nothing with doing something at random."""
    arms = [
        {"id": "nothing", "policy": "none", "share": 0.5},
        {"id": "now_and_then", "policy": "random", "params": {"rate": 0.5}, "share": 0.5},
    ]
    return Campaign.model_validate({"id": "trial", "arms": arms, "holdout": 0.2, "priority": 10, **entries})


def crowd(campaigns: tuple[Campaign, ...], days: int = 1) -> Home:
    """Return a home in which many learners have been decided about each day, having been active on the first."""
    home = Home(campaigns=campaigns)
    for place, learner in enumerate(LEARNERS):
        home.acts(learner, instant(MONDAY - 1, 10 + place % 12))
    for day in range(days):
        home.settle(instant(MONDAY + day, 0.1))
        home.settle(instant(MONDAY + day, 23.9))
    return home


def decisions(home: Home) -> list[tuple[Any, str]]:
    """Return every decision of the story with the name of its treatment."""
    found = []
    for message in home.said("decide"):
        names_ = message.body["treatments"]
        found += [(row, names_[row["treatment"]]) for row in tables_of(message).logged]
    return found


def test_each_learner_is_treated_as_its_arm_says_and_that_is_logged_from_the_first_day() -> None:
    trial = compared()
    home = crowd((trial,))
    for row, treatment in decisions(home):
        assert treatment == name_of("trial", trial.arm_of(LEARNERS[row["row"]]))
        assert row["exposed"], "the arms might have treated everybody otherwise"
        assert (row["chosen"] >= 0) <= (treatment == "trial/now_and_then")
    arms = {treatment for _, treatment in decisions(home)}
    assert arms == {"trial/nothing", "trial/now_and_then", f"trial/{HOLDOUT}"}
    assert {send["arm"] for send in home.sends()} == {"now_and_then"}
    same(home.learners, home.replayed())


def test_arms_that_do_the_same_expose_nobody() -> None:
    arms = [{"id": name, "policy": "blast", "share": 0.5} for name in ("one", "other")]
    home = crowd((campaign("alike", "blast", arms=arms),))
    assert decisions(home) and not any(row["exposed"] for row, _ in decisions(home))


def test_before_its_start_a_campaign_treats_nobody_and_nobody_is_exposed() -> None:
    home = crowd((compared(start="2024-01-03"),), days=4)
    days = {int(row["day"]) - MONDAY for row, _ in decisions(home)}
    assert days == {2, 3}, "2024-01-03 is the third day"


def test_campaigns_draw_independently() -> None:
    arms = [{"id": "all", "policy": "random", "params": {"rate": 0.5}, "share": 1.0}]
    two = tuple(campaign(name, "random", arms=arms) for name in ("one", "other"))
    home = crowd(two)
    wanted = [(treatment, int(row["row"])) for row, treatment in decisions(home) if row["chosen"] >= 0]
    one, other = ({row for treatment, row in wanted if treatment == name} for name in ("one/all", "other/all"))
    assert 5 < len(one & other) < min(len(one), len(other))


def test_decisions_mature_with_their_rewards_and_leave() -> None:
    home = crowd((campaign("now", "random", arms=[{"id": "all", "policy": "random", "share": 1.0}]),), MATURE_DAYS)
    home.acts("u-3", instant(MONDAY + 2, 12))
    home.settle(instant(MONDAY + MATURE_DAYS, 0.1))
    matured = tables_of(home.said("decide")[-1]).matured
    assert set(matured["day"]) == {MONDAY}
    active = matured[(matured["row"] == 3) & (matured["day"] == MONDAY)]
    assert [active[f"active_{days}"].tolist() for days in (1, 3, 7)] == [[0], [1], [1]]
    assert (matured[matured["row"] != 3][matured[matured["row"] != 3]["day"] == MONDAY]["active_7"] == 0).all()
    sent = {(send["learner"], send["day"]) for send in home.sends()}
    for row in matured:
        assert (row["sent"] >= 0) == ((LEARNERS[row["row"]], row["day"]) in sent)
    assert int(home.learners.agenda.state()["logged"]["day"].min()) == MONDAY + 1
    same(home.learners, home.replayed())
    same(home.learners, home.restored())


def test_a_policy_learns_from_what_matured_and_keeps_it_through_a_restart() -> None:
    home = crowd((campaign("learn", "thompson"),), MATURE_DAYS + 2)
    rows = np.concatenate([tables_of(message).matured for message in home.said("decide")])
    expected = gains.learned(rows, "active_7")
    assert expected["count"].sum() == len(rows) > 100
    for learners in (home.learners, home.replayed(), home.restored()):
        found = learners.agenda.learned("learn/all")
        assert found.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("name", [name for name in names() if not make(name).reads_gains])
def test_the_same_policy_with_the_same_state_decides_the_same_live_and_in_the_laboratory(name: str) -> None:
    """The laboratory's loop is asked about copies of the very records that the service decided on."""
    only = campaign("only", name)
    home = crowd((only,), MATURE_DAYS)
    policy = make(name)
    learners = home.learners
    now_ms = instant(MONDAY + MATURE_DAYS, 0.1)
    home.settle(instant(MONDAY + MATURE_DAYS, 0) - 1)
    state = {}
    if policy.shares:
        rows = np.arange(len(LEARNERS))
        records = learners.loop.records
        day = MONDAY + MATURE_DAYS
        context = seen(policy, records, day, learners.loop.eligible(day), rows, 0, {})
        log = np.concatenate([tables_of(message).logged for message in home.said("decide")])
        state = policy.merge({}, [policy.gather(context, log)])
        home.do("knowledge", "only/all", json.loads(json.dumps(agenda.encoded(state))), now_ms)
    while learners.due(now_ms)[0] != "decide":
        home.do(learners.due(now_ms)[0], now_ms)
        while learners.rescore()[1]:
            pass
    records, day = learners.loop.records.copy(), MONDAY + MATURE_DAYS
    learners.loop.policy = policy
    numbers = np.arange(len(LEARNERS), dtype=np.int64)
    laboratory = decide(
        policy, seen(policy, records, day, learners.loop.eligible(day), numbers, stream_of(only), state)
    )
    home.do("decide", now_ms)
    log = tables_of(home.said("decide")[-1]).logged
    chosen = np.full(len(LEARNERS), -1)
    chosen[log["row"]] = log["chosen"]
    np.testing.assert_array_equal(chosen, laboratory.kinds)
    np.testing.assert_array_equal(log["propensity"], laboratory.propensity[log["row"]])


def test_a_list_made_for_one_day_of_utc_serves_that_day_only() -> None:
    home = crowd((campaign("calls", "outreach_capacity"),))
    known = {"rank": np.array([90.0]), "learner": np.array([7]), "day": np.array(0)}
    home.do("knowledge", "calls/all", agenda.encoded(known), instant(MONDAY + 1, 0.05))
    home.settle(instant(MONDAY + 1, 0.1))
    home.settle(instant(MONDAY + 1, 23.9))
    home.settle(instant(MONDAY + 2, 0.1))
    home.settle(instant(MONDAY + 2, 23.9))
    assert [(send["learner"], send["day"]) for send in home.sends()] == [("u-7", MONDAY + 1)]


def test_campaigns_may_change_between_two_starts() -> None:
    """What other campaigns decided is kept under its name, and a send of theirs that has no moment left is withheld."""
    home = Home(campaigns=(blast("old", "personalised_content"),))
    home.acts("ann", instant(MONDAY - 1, 12))
    home.settle(instant(MONDAY, 0.1))
    home.campaigns = (blast("new", "peer_comparison"),)
    home.learners = home.restored()
    home.settle(instant(MONDAY, 23))
    assert home.sends() == [] and home.said("send")[-1].body["withheld"][0][-1] == "campaign ended"
    home.settle(instant(MONDAY + 1, 0.1))
    home.settle(instant(MONDAY + 1, 22))
    assert [send["campaign"] for send in home.sends()] == ["new"]
    same(home.learners, home.replayed())


def test_an_erasure_takes_a_learner_out_of_decisions_and_nobody_else() -> None:
    home = crowd((compared(),), MATURE_DAYS + 1)
    for entry in home.entries:
        before = {kind for held in holdings(entry, 5, "u-5") for kind in [held.kind]}
        changed = without(5, "u-5")(entry)
        if entry.message.kind in {"decide", "send"} and before - {"send"}:
            assert changed is not None
        after = changed or entry
        assert list(holdings(after, 5, "u-5")) == []
        if entry.message.kind != "events":
            assert list(holdings(after, 6, "u-6")) == list(holdings(entry, 6, "u-6"))
    kinds = {held.kind for entry in home.entries for held in holdings(entry, 5, "u-5")}
    assert {"decided", "decision", "reward"} <= kinds


def test_what_is_held_of_decisions_is_told_in_words_that_json_can_say() -> None:
    home = crowd((compared(),), 2)
    for entry in home.entries:
        for held in holdings(entry, 5, "u-5"):
            json.dumps(held.facts)
            if held.kind == "decision":
                assert "nothing" in held.facts["possible"] and held.facts["treatment"].startswith("trial/")


def test_an_erased_learner_is_forgotten() -> None:
    home = crowd((compared(),), 2)
    home.do("erase", "u-5", "hash", instant(MONDAY + 2, 0))
    state = home.learners.agenda.state()
    assert not (state["logged"]["row"] == 5).any() and state["decided_day"][5] == 0
    message = home.learners.resolve("decide", instant(MONDAY + 2, 12))
    assert not (tables_of(message).done["row"] == 5).any()
    entry = Entry(
        99,
        Message(message.kind, json.loads(json.dumps(message.body)), message.frame),
        Message("answer", {"receipts": 0}),
    )
    assert list(holdings(entry, 5, "u-5")) == []
