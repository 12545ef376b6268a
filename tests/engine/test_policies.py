"""What each of our policies does."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from engine import chance
from engine.calendar import day_number
from engine.errors import InputError
from engine.notifications.catalogue import catalogue
from engine.policies import NO_MESSAGE, decide, make, names
from engine.policies.decisions import REWARD_DAYS
from tests.engine.decisions import ALL_KINDS, KINDS, NOTHING, context, knowing, log, rows, same_state


def test_a_frozen_policy_learns_no_more() -> None:
    for name in names():
        if "frozen" in (field.name for field in fields(make(name))):
            frozen, known = make(name, {"frozen": True}), make(name).gather(context(), log())
            assert same_state(frozen.merge(known, [frozen.gather(context(), log(seed=9))]), known)


@pytest.mark.parametrize("name", ["thompson", "linucb", "uplift", "sleeping_recovering"])
def test_a_policy_that_learns_prefers_what_brought_more(name: str) -> None:
    policy, given = make(name), replace(context(), eligible=np.full(5_000, ALL_KINDS, np.uint16))
    fresh, learned = (policy.chances(one).mean(axis=0) for one in (given, knowing(policy, given)))
    assert learned[1] > 2 * fresh[1] and learned[1] > 2 * np.delete(learned[:-1], 1).max()


def test_a_type_that_brings_nothing_is_not_sent_by_predicted_gain() -> None:
    policy: Any = make("uplift", {"explore": 0.0})
    even = log()
    for days in REWARD_DAYS:
        even[f"active_{days}"] = np.random.default_rng(5).binomial(days, 0.3, len(even))
    chances = policy.chances(replace(context(), state=policy.learned(even)))
    assert chances[:, -1].mean() > 0.7  # 4,000 decisions are few, and eight types may be lucky


@pytest.mark.parametrize("first", ["risk", "intermediate"])
def test_calls_go_to_those_who_come_first_of_all_partitions_and_to_no_more(first: str) -> None:
    policy, given = make("outreach_capacity", {"calls_a_day": 7, "first": first}), context()
    parts = [policy.gather(rows(given, slice(k, None, 3)), NOTHING) for k in range(3)]
    today = replace(given, state=policy.merge({}, parts))
    called = np.flatnonzero(decide(policy, today).kinds != NO_MESSAGE)
    rank = given.risk if first == "risk" else -np.abs(given.risk - 50)
    may = given.may(catalogue().code("human_outreach")) & ~np.isnan(rank)
    assert len(called) == 7 and may[called].all()
    assert rank[called].min() >= np.max(np.delete(np.where(may, rank, -np.inf), called))
    tomorrow = replace(today, day=given.day + 1)  # yesterday's list is not today's
    assert (decide(policy, tomorrow).kinds == NO_MESSAGE).all()


def test_equal_learners_are_called_in_the_order_of_their_numbers() -> None:
    policy, given = make("outreach_capacity", {"calls_a_day": 5}), rows(context(), slice(100))
    equal = replace(given, risk=np.full(100, 50.0), eligible=np.full(100, ALL_KINDS, np.uint16))
    today = replace(equal, state=policy.merge({}, [policy.gather(equal, NOTHING)]))
    called = equal.learners[decide(policy, today).kinds != NO_MESSAGE]
    assert sorted(called) == sorted(equal.learners)[:5]


def test_the_calendar_follows_the_weekday_and_a_date_goes_before_it() -> None:
    policy: Any = make(
        "calendar", {"weekdays": {"monday": "peer_comparison"}, "dates": {"2026-11-27": "discount_offer"}}
    )
    given = replace(context(10), eligible=np.full(10, ALL_KINDS, np.uint16))
    for text, kind in (("2026-11-23", "peer_comparison"), ("2026-11-24", None), ("2026-11-27", "discount_offer")):
        today = replace(given, day=day_number(date.fromisoformat(text)))
        assert set(decide(policy, today).kinds.tolist()) == {NO_MESSAGE if kind is None else catalogue().code(kind)}


def test_intermediate_risk_leaves_the_highest_and_the_lowest_alone() -> None:
    given = context()
    sent = decide(make("intermediate_risk"), given).kinds != NO_MESSAGE
    assert sent.any() and ((given.risk[sent] >= 30) & (given.risk[sent] < 70)).all()


WRONG: list[tuple[str, str, Any, str]] = [
    ("random", "rate", "a lot", "'a lot'"),
    ("random", "rate", "0.5", "'0.5'"),
    ("random", "rate", True, "True"),
    ("random", "rate", float("nan"), "nan"),
    ("at_risk", "from_risk", None, "None"),
    ("at_risk", "critical_from", float("nan"), "nan"),
    ("at_risk", "high", "gentle_reminder", "'gentle_reminder'"),
    ("at_risk", "critical", ["gentle_reminder", 5], "critical.1; got 5"),
    ("at_risk", "critical", ["gentle_remindr"], "Did you mean 'gentle_reminder'?"),
    ("intermediate_risk", "types", ["gentle_remindr"], "Did you mean 'gentle_reminder'?"),
    ("intermediate_risk", "from_risk", 80, "below_risk"),
    ("calendar", "weekdays", {"moonday": "gentle_reminder"}, "moonday"),
    ("calendar", "weekdays", {"monday": "gentle_remindr"}, "Did you mean 'gentle_reminder'?"),
    ("calendar", "dates", {"2026-13-01": "gentle_reminder"}, "'2026-13-01'"),
    ("outreach_capacity", "calls_a_day", -1, "0 or more"),
    ("thompson", "explore", 1.5, "from 0 to 1"),
    ("thompson", "opinions", 0, "1 to 1,000"),
    ("linucb", "width", -1.0, "0 to 100"),
    ("uplift", "price", 8.0, "-7 to 7"),
    ("uplift", "margin", -1.0, "0 to 100"),
    ("uplift", "reward", "active_2", "active_2"),
    ("sleeping_recovering", "temperature", 0.0, "above 0"),
    ("blast", "kinds", "gentle_reminder", "'gentle_reminder'"),
    ("blast", "kinds", ["gentle_remindr"], "Did you mean 'gentle_reminder'?"),
]


@pytest.mark.parametrize(("name", "key", "value", "said"), WRONG)
def test_wrong_values_are_refused(name: str, key: str, value: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        make(name, {key: value})
    assert said in str(refused.value)


def test_lists_as_toml_gives_them_are_taken() -> None:
    policy: Any = make("at_risk", {"high": ["discount_offer"], "from_risk": 50})
    assert policy.high == ("discount_offer",) and policy.from_risk == 50


def test_none_sends_nothing() -> None:
    decision = decide(make("none"), context())
    assert (decision.kinds == NO_MESSAGE).all() and (decision.propensity == 1).all()


def test_blast_sends_its_type_to_everyone_who_may_have_it() -> None:
    given = context()
    for kind in KINDS:
        code = catalogue().code(kind)
        sent = decide(make("blast", {"kinds": [kind]}), given).kinds
        np.testing.assert_array_equal(sent, np.where((given.eligible >> code) & 1, code, NO_MESSAGE))


def test_at_risk_sends_the_first_eligible_type_of_the_learners_tier() -> None:
    given = context()
    policy: Any = make("at_risk")
    decided = decide(policy, given).kinds
    for risk, eligible, kind in zip(given.risk, given.eligible, decided, strict=True):
        tier = policy.critical if risk >= 80 else policy.high if risk >= 60 else ()
        wanted = [catalogue().code(name) for name in tier if eligible >> catalogue().code(name) & 1]
        assert kind == (wanted[0] if wanted else NO_MESSAGE)
    assert (decided[np.isnan(given.risk)] == NO_MESSAGE).all()


@pytest.mark.parametrize(("from_risk", "critical_from"), [(90, 80), (-1, 80), (60, 101)])
def test_at_risk_refuses_thresholds_out_of_order(from_risk: float, critical_from: float) -> None:
    with pytest.raises(InputError, match="from_risk"):
        make("at_risk", {"from_risk": from_risk, "critical_from": critical_from})


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.7])
def test_the_propensities_of_random_are_the_observed_frequencies(rate: float) -> None:
    """40,000 learners on 5 days, each with the same four types: every choice comes as often as its propensity says."""
    count, options = 40_000, (0, 3, 4, 7)
    eligible = np.full(count, sum(1 << code for code in options), np.uint16)
    given = replace(rows(context(), np.zeros(count, np.int64)), learners=np.arange(count), eligible=eligible)
    decisions = [decide(make("random", {"rate": rate}), replace(given, day=day)) for day in range(5)]
    kinds = np.concatenate([decision.kinds for decision in decisions])
    propensity = np.concatenate([decision.propensity for decision in decisions])
    assert set(kinds.tolist()) == {NO_MESSAGE, *options}
    for kind in (NO_MESSAGE, *options):
        stated = np.unique(propensity[kinds == kind])
        assert stated == pytest.approx([1 - rate if kind == NO_MESSAGE else rate / 4])
        error = np.sqrt(stated[0] * (1 - stated[0]) / len(kinds))
        assert abs((kinds == kind).mean() - stated[0]) < 4.5 * error
    # What inverse propensities weigh adds up to everyone: the log can be evaluated off-policy.
    assert np.sum(1 / propensity) / len(kinds) == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5])
def test_random_refuses_a_rate_that_leaves_a_choice_without_a_chance(rate: float) -> None:
    with pytest.raises(InputError, match="strictly between 0 and 1"):
        make("random", {"rate": rate})


def test_random_draws_anew_for_each_learner_day_and_stream() -> None:
    given = replace(context(), eligible=np.full(5_000, ALL_KINDS, np.uint16))
    first = decide(make("random", {"rate": 0.5}), given).kinds
    for other in (replace(given, day=20_001), replace(given, stream=chance.stream(7, 1))):
        again = decide(make("random", {"rate": 0.5}), other).kinds
        assert 0.15 < (first == again).mean() < 0.4
