"""What a policy would have earned where another one decided: off-policy evaluation of a decision log."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.experiments import off_policy
from engine.notifications.catalogue import catalogue
from engine.policies import Context, Policy, State
from engine.policies.base import NOTHING_BIT
from engine.policies.decisions import MATURE_DAYS, UNKNOWN, Reward
from engine.policies.features import ONE


def evaluate(
    log: NDArray[Any], policy: Policy, reward: Reward, begin_with: State | None = None
) -> off_policy.Evaluation | off_policy.Refusal:
    """Return what a policy would have earned a decision, active days, or why the log cannot tell.

    A policy that learns is asked day by day, with what it would have known by then from the log's own earlier days.
    What is asked never looks at what comes after, so the estimators stay right.

    Args:
        log: rows of `engine.policies.decisions.DECISION`, sorted by day.
        policy: to be evaluated.
        reward: column of the log.
        begin_with: what the policy knows before, of other decisions than these: of what taught it a log tells nothing.

    Raises:
        InputError: no decision of the log has a known reward.
    """
    known = log[reward] != UNKNOWN
    if not known.any():
        raise InputError("decision log", f"no decision with a known {reward}", f"days of which {reward} is known")
    chances = target_chances(log, policy, begin_with)[known]
    log = log[known]
    nothing = chances.shape[1] - 1
    action = np.where(log["chosen"] < 0, nothing, log["chosen"]).astype(np.int64)
    bits = np.append(np.arange(nothing), NOTHING_BIT).astype(np.uint32)
    beyond = np.where((log["possible"][:, None] >> bits) & 1 == 1, 0.0, chances).sum(axis=1)
    got = log[reward].astype(np.float64)
    features = log["features"] / float(ONE)
    expected_logged, expected_target = off_policy.cross_fit(log["learner"], features, action, got, chances)
    return off_policy.evaluate(
        off_policy.Log(
            log["learner"],
            log["propensity"],
            chances[np.arange(len(log)), action],
            got,
            np.clip(beyond, 0.0, 1.0),
            expected_logged,
            expected_target,
        )
    )


def target_chances(log: NDArray[Any], policy: Policy, begin_with: State | None = None) -> NDArray[np.float64]:
    """Return the chances that a policy would have given each choice in the situations of a log."""
    chances = np.zeros((len(log), len(catalogue().names) + 1))
    state: State = begin_with or {}
    learned_to = 0  # rows that the state knows
    days, starts = np.unique(log["day"], return_index=True)
    for day, start, end in zip(days.tolist(), starts.tolist(), [*starts.tolist()[1:], len(log)], strict=True):
        context = _context(log[start:end])
        if policy.shares:
            matured = int(np.searchsorted(log["day"], day - MATURE_DAYS, side="right"))
            state = policy.merge(state, [policy.gather(replace(context, state=state), log[learned_to:matured])])
            learned_to = matured
        chances[start:end] = policy.chances(replace(context, state=state))
    return chances


def _context(rows: NDArray[Any]) -> Context:
    return Context(
        int(rows["day"][0]),
        rows["learner"].astype(np.int64),
        rows["risk"],
        rows["standing"],
        rows["eligible"],
        0,
        rows["features"],
        rows["rested_days"],
    )


def on_policy(log: NDArray[Any], reward: Reward) -> float:
    """Return what the policy that decided earned a decision."""
    known = log[reward] != UNKNOWN
    return float(log[reward][known].mean())


def described(found: off_policy.Evaluation | off_policy.Refusal) -> dict[str, Any]:
    """Return an evaluation as JSON can hold it."""
    return {"answer": "refused" if isinstance(found, off_policy.Refusal) else "evaluated", **asdict(found)}
