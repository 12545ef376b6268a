"""Contexts and decision logs that policies are tried on."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from engine import chance
from engine.notifications.catalogue import catalogue
from engine.policies import Context, Decision, Policy, State, decide, make
from engine.policies.decisions import DECISION, REWARD_DAYS
from engine.policies.features import COUNT, ONE
from engine.record import NOTIFICATION_TYPES

KINDS = catalogue().names
ALL_KINDS = (1 << len(KINDS)) - 1
NOTHING: Any = np.zeros(0, DECISION)


def context(count: int = 5_000, day: int = 20_000, stream: int = chance.stream(7, 0)) -> Context:
    """Return learners of every risk, standing and set of types; some without a score, some who may be sent nothing."""
    draw = np.random.default_rng(11)
    risk = draw.uniform(0, 100, count)
    risk[: count // 10] = np.nan
    risk[-8:] = [0.0, 39.999, 40.0, 59.999, 60.0, 79.999, 80.0, 100.0]
    eligible = draw.integers(0, ALL_KINDS + 1, count).astype(np.uint16)
    eligible[count // 2 : count // 2 + 50] = 0
    standing = draw.integers(0, 6, count).astype(np.uint8)
    features = draw.integers(0, ONE + 1, (count, COUNT)).astype(np.int16)
    gains = draw.normal(0, 0.1, (count, len(KINDS)))
    rested = draw.integers(0, 256, (count, NOTIFICATION_TYPES)).astype(np.uint8)
    return Context(
        day, draw.permutation(count).astype(np.int64), risk, standing, eligible, stream, features, rested, gains
    )


def log(count: int = 4_000, seed: int = 3) -> Any:
    """Return matured decisions drawn evenly, after which those of the second type brought more active days."""
    draw = np.random.default_rng(seed)
    given = context(count)
    rows = np.zeros(count, DECISION)
    for name in ("risk", "standing", "eligible", "features", "rested_days"):
        rows[name] = getattr(given, name)
    chosen = decide(make("random", {"rate": 0.8}), replace(given, day=int(draw.integers(1_000))))
    rows["learner"], rows["chosen"], rows["propensity"] = given.learners, chosen.kinds, chosen.propensity
    rows["possible"] = chosen.possible
    for days in REWARD_DAYS:
        rows[f"active_{days}"] = draw.binomial(days, np.where(chosen.kinds == 1, 0.8, 0.3))
    return rows


def knowing(policy: Policy, given: Context) -> Context:
    """Return the context with what the policy gathers from matured decisions and from it."""
    return replace(given, state=policy.merge({}, [policy.gather(given, log())]))


def rows(given: Context, chosen: Any) -> Context:
    arrays = {field.name: getattr(given, field.name) for field in fields(given)}
    return Context(**{name: a[chosen] if isinstance(a, np.ndarray) else a for name, a in arrays.items()})


def same(one: Decision, other: Decision) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


def same_state(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
