"""What a policy sees of learners' records: the one way in which a `Context` is made, live and simulated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.policies.base import Context, Policy, State
from engine.policies.decisions import rested_days
from engine.policies.features import COUNT, features
from engine.record import Records


def seen(
    policy: Policy,
    records: Records,
    day: int,
    eligible: NDArray[np.uint16],
    learners: NDArray[np.int64],
    stream: int,
    state: State | None = None,
) -> Context:
    """Return what a policy sees of learners at the beginning of a local day.

    Args:
        policy: that will be asked; what it does not read is not made.
        records: one row a learner, closed and scored at the day's beginning.
        day: the local day.
        eligible: types that may be sent, as bits.
        learners: number of each in the whole population.
        stream: of chance.
        state: what the policy knows beyond its parameters; None = nothing.
    """
    risk, standing = records["risk"].copy(), records["standing"].copy()
    if not policy.reads_features:
        return Context(day, learners, risk, standing, eligible, stream, state=state or {})
    read = np.zeros((len(records), COUNT), np.int16)
    rows = np.flatnonzero(eligible)  # for nobody else is anything chosen
    read[rows] = features(records, rows)
    rested = rested_days(records, np.arange(len(records)), day)
    return Context(day, learners, risk, standing, eligible, stream, read, rested, state=state or {})
