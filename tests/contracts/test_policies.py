"""The contract of every policy, found by name."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from engine.errors import InputError
from engine.policies import NO_MESSAGE, Context, Decision, Policy, decide, make, names
from tests.engine.decisions import KINDS, context, knowing, log, rows, same, same_state


@pytest.fixture(params=names())
def policy(request: pytest.FixtureRequest) -> Any:
    return make(request.param)


@pytest.fixture(params=["knowing nothing", "knowing"])
def given(request: pytest.FixtureRequest, policy: Policy) -> Context:
    return context() if request.param == "knowing nothing" else knowing(policy, context())


def test_ours_are_found() -> None:
    assert set(names()) == {
        "at_risk", "blast", "calendar", "intermediate_risk", "linucb", "none", "oracle", "outreach_capacity", "random",
        "sleeping_recovering", "thompson", "uplift",
    }  # fmt: skip
    assert all(make(name).name == name for name in names())


def test_chances_are_a_distribution_over_what_may_be_sent_and_nothing(policy: Policy, given: Context) -> None:
    for count in (0, 1, 300):
        chances = policy.chances(rows(given, slice(count)))
        assert chances.shape == (count, len(KINDS) + 1) and chances.dtype == np.float64
    chances = policy.chances(given)
    assert (chances >= 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert (chances[:, :-1][~given.options()] == 0).all()


def test_only_eligible_types_are_chosen_with_their_propensity(policy: Policy, given: Context) -> None:
    decision = decide(policy, given)
    assert decision.kinds.dtype == np.int8 and decision.propensity.dtype == np.float64
    sent = decision.kinds != NO_MESSAGE
    assert ((decision.kinds[sent] >= 0) & (decision.kinds[sent] < len(KINDS))).all()
    assert given.options()[np.flatnonzero(sent), decision.kinds[sent]].all()
    assert (decision.propensity > 0).all()
    np.testing.assert_array_equal(
        decision.propensity, policy.chances(given)[np.arange(len(decision.kinds)), decision.kinds]
    )


def test_nobody_is_sent_anything_for_whom_there_is_nothing(policy: Policy, given: Context) -> None:
    nobody = decide(policy, replace(given, eligible=np.zeros_like(given.eligible)))
    assert (nobody.kinds == NO_MESSAGE).all()
    np.testing.assert_allclose(nobody.propensity, 1.0, rtol=0, atol=1e-12)


def test_choices_come_as_often_as_their_propensities_say(policy: Policy, given: Context) -> None:
    """Over 40 days of the same learners: each choice's count lies within 4.5 standard errors of its summed chances."""
    found, expected, variance = (np.zeros(len(KINDS) + 1) for _ in range(3))
    for day in range(40):
        today = replace(given, day=day)
        chances = policy.chances(today)
        found += np.bincount(decide(policy, today).kinds % (len(KINDS) + 1), minlength=len(KINDS) + 1)
        expected += chances.sum(axis=0)
        variance += (chances * (1 - chances)).sum(axis=0)
    assert (np.abs(found - expected) <= 4.5 * np.sqrt(variance) + 1e-6).all()


def test_the_same_question_gets_the_same_answer(policy: Policy, given: Context) -> None:
    copies = {field.name: np.copy(getattr(given, field.name)) for field in fields(given) if field.name != "state"}
    state = {name: array.copy() for name, array in given.state.items()}
    first = decide(policy, given)
    again = pickle.loads(pickle.dumps(policy))  # noqa: S301  (just written here)
    assert same(first, decide(policy, given)) and same(first, decide(again, given))
    for name, before in copies.items():
        np.testing.assert_array_equal(getattr(given, name), before)  # the context is left as it was
    assert same_state(given.state, state)


def test_one_learner_at_a_time_gets_the_same_as_all_at_once(policy: Policy, given: Context) -> None:
    few = rows(given, slice(300))
    whole = decide(policy, few)
    singly = [decide(policy, rows(few, slice(k, k + 1))) for k in range(300)]
    assert same(whole, Decision(*(np.concatenate(parts) for parts in zip(*map(_pair, singly), strict=True))))
    order = np.random.default_rng(1).permutation(300)
    shuffled = decide(policy, rows(few, order))
    assert same(shuffled, Decision(whole.kinds[order], whole.propensity[order], whole.possible[order]))


def _pair(decision: Decision) -> tuple[Any, Any, Any]:
    return decision.kinds, decision.propensity, decision.possible


def test_what_is_gathered_does_not_depend_on_the_partitions(policy: Policy) -> None:
    """Ten partitions, merged in any order and from any state, bring to the bit what one partition brings."""
    given, matured = context(), log(5_000)
    before = policy.merge({}, [policy.gather(given, log(seed=4))])
    whole = policy.merge(before, [policy.gather(given, matured)])
    part_of = np.random.default_rng(2).integers(0, 10, 5_000)
    parts = [policy.gather(rows(given, part_of == k), matured[part_of == k]) for k in range(10)]
    assert same_state(whole, policy.merge(before, parts)) and same_state(whole, policy.merge(before, parts[::-1]))
    assert same_state(before, policy.merge({}, [policy.gather(given, log(seed=4))]))  # and is left as it was
    assert policy.shares == bool(whole)


def test_an_unknown_name_or_parameter_gets_the_nearest(policy: Any) -> None:
    with pytest.raises(InputError, match=f"Did you mean '{policy.name}'"):
        make(policy.name + "x")
    with pytest.raises(InputError, match="'no_such_thing'"):
        make(policy.name, {"no_such_thing": 1})


def test_parameters_of_a_wrong_type_are_refused_by_name(policy: Any) -> None:
    for field in fields(policy):
        with pytest.raises(InputError, match=f"{policy.name}.*{field.name}"):
            make(policy.name, {field.name: {"no": "table"}})
