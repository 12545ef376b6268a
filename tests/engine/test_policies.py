"""The contract of every policy, found by name, and what each of ours does."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from engine import chance
from engine.errors import InputError
from engine.notifications.catalogue import catalogue
from engine.policies import NO_MESSAGE, Context, Decision, make, names

KINDS = catalogue().names
ALL_KINDS = (1 << len(KINDS)) - 1


def context(count: int = 5_000, day: int = 20_000, stream: int = chance.stream(7, 0)) -> Context:
    """Return learners of every risk, standing and set of types; some without a score, some who may be sent nothing."""
    draw = np.random.default_rng(11)
    risk = draw.uniform(0, 100, count)
    risk[: count // 10] = np.nan
    risk[-8:] = [0.0, 39.999, 40.0, 59.999, 60.0, 79.999, 80.0, 100.0]
    eligible = draw.integers(0, ALL_KINDS + 1, count).astype(np.uint8)
    eligible[count // 2 : count // 2 + 50] = 0
    standing = draw.integers(0, 6, count).astype(np.uint8)
    return Context(day, draw.permutation(count).astype(np.int64), risk, standing, eligible, stream)


def rows(given: Context, chosen: Any) -> Context:
    arrays = {field.name: getattr(given, field.name) for field in fields(given)}
    return Context(**{name: a[chosen] if isinstance(a, np.ndarray) else a for name, a in arrays.items()})


def same(one: Decision, other: Decision) -> bool:
    return bool(np.array_equal(one.kinds, other.kinds) and np.array_equal(one.propensity, other.propensity))


@pytest.fixture(params=names())
def policy(request: pytest.FixtureRequest) -> Any:
    return make(request.param)


def test_ours_are_found() -> None:
    assert {"none", "at_risk", "blast", "random"} <= set(names())
    assert all(make(name).name == name for name in names())


def test_a_decision_has_one_row_a_learner_of_the_right_type(policy: Any) -> None:
    for count in (0, 1, 300):
        decision = policy.decide(rows(context(300), slice(count)))
        assert decision.kinds.shape == decision.propensity.shape == (count,)
        assert decision.kinds.dtype == np.int8 and decision.propensity.dtype == np.float64


def test_only_eligible_types_are_chosen(policy: Any) -> None:
    given = context()
    kinds = policy.decide(given).kinds
    sent = kinds != NO_MESSAGE
    assert ((kinds[sent] >= 0) & (kinds[sent] < len(KINDS))).all()
    assert ((given.eligible[sent] >> kinds[sent].astype(np.uint8)) & 1 == 1).all()


def test_a_propensity_is_a_probability_and_certain_where_there_is_no_choice(policy: Any) -> None:
    given = context()
    decision = policy.decide(given)
    assert ((decision.propensity > 0) & (decision.propensity <= 1)).all()
    nobody = policy.decide(replace(given, eligible=np.zeros_like(given.eligible)))
    assert (nobody.kinds == NO_MESSAGE).all() and (nobody.propensity == 1).all()


def test_the_same_question_gets_the_same_answer(policy: Any) -> None:
    given = context()
    copies = {field.name: np.copy(getattr(given, field.name)) for field in fields(given)}
    first = policy.decide(given)
    assert same(first, policy.decide(given)) and same(first, make(policy.name).decide(given))
    for name, before in copies.items():
        np.testing.assert_array_equal(getattr(given, name), before)  # the context is left as it was


def test_one_learner_at_a_time_gets_the_same_as_all_at_once(policy: Any) -> None:
    given = context(400)
    whole = policy.decide(given)
    singly = [policy.decide(rows(given, slice(k, k + 1))) for k in range(400)]
    assert same(whole, Decision(*(np.concatenate(parts) for parts in zip(*map(_pair, singly), strict=True))))
    order = np.random.default_rng(1).permutation(400)
    shuffled = policy.decide(rows(given, order))
    assert same(shuffled, Decision(whole.kinds[order], whole.propensity[order]))


def _pair(decision: Decision) -> tuple[Any, Any]:
    return decision.kinds, decision.propensity


def test_an_unknown_name_or_parameter_gets_the_nearest(policy: Any) -> None:
    with pytest.raises(InputError, match=f"Did you mean '{policy.name}'"):
        make(policy.name + "x")
    with pytest.raises(InputError, match="'no_such_thing'"):
        make(policy.name, {"no_such_thing": 1})


def test_parameters_of_a_wrong_type_are_refused_by_name(policy: Any) -> None:
    for field in fields(policy):
        with pytest.raises(InputError, match=f"{policy.name}.*{field.name}"):
            make(policy.name, {field.name: {"no": "table"}})


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
    ("blast", "kind", ["gentle_reminder"], "['gentle_reminder']"),
    ("blast", "kind", "gentle_remindr", "Did you mean 'gentle_reminder'?"),
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
    decision = make("none").decide(context())
    assert (decision.kinds == NO_MESSAGE).all() and (decision.propensity == 1).all()


def test_blast_sends_its_type_to_everyone_who_may_have_it() -> None:
    given = context()
    for kind in KINDS:
        code = catalogue().code(kind)
        sent = make("blast", {"kind": kind}).decide(given).kinds
        np.testing.assert_array_equal(sent, np.where((given.eligible >> code) & 1, code, NO_MESSAGE))


def test_at_risk_sends_the_first_eligible_type_of_the_learners_tier() -> None:
    given = context()
    policy: Any = make("at_risk")
    decided = policy.decide(given).kinds
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
    eligible = np.full(count, sum(1 << code for code in options), np.uint8)
    given = replace(rows(context(), np.zeros(count, np.int64)), learners=np.arange(count), eligible=eligible)
    decisions = [make("random", {"rate": rate}).decide(replace(given, day=day)) for day in range(5)]
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
    given = replace(context(), eligible=np.full(5_000, ALL_KINDS, np.uint8))
    first = make("random", {"rate": 0.5}).decide(given).kinds
    for other in (replace(given, day=20_001), replace(given, stream=chance.stream(7, 1))):
        again = make("random", {"rate": 0.5}).decide(other).kinds
        assert 0.15 < (first == again).mean() < 0.4
