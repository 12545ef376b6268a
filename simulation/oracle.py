"""The oracle's knowledge: how many active days each message would bring, told by the response model itself.

Nobody has it outside the laboratory. It is the policy that others are measured against: what they fall short of it is
their regret. It looks one message ahead and `HORIZON_DAYS` far; that a learner may turn a channel off for ever because
of one message more it leaves out, so an even better policy may exist.
"""

from __future__ import annotations

import math
from typing import Any

from engine.compiled import compiled
from simulation.behaviour import expit, habit, hazard, messages, take_in
from simulation.latent import ALIVE, FINISHED, LAPSED, NOT_ACTIVE, WAITING

HORIZON_DAYS = 28
"""Days ahead whose active ones are counted: all that a message does within the longest window of the response model."""

_LN2 = math.log(2.0)


@compiled
def _expected(r: Any, day: int, today: int, population: Any, response: Any) -> float:
    """Return the active days to be expected of the next ones if nothing more is sent, habit as it is today."""
    standing = int(r["standing"])
    fades = math.exp(-_LN2 / float(response["fatigue_half_life_days"]))
    fatigue = float(r["fatigue"])
    alive, total = 1.0, 0.0
    for ahead in range(HORIZON_DAYS):
        logit, multiplier, _ = messages(r, today + ahead, response)
        if standing == ALIVE:
            alive *= 1.0 - hazard(r, today + ahead, population) * multiplier
            base = habit(r, day, today, population)
        else:
            base = math.log(float(population["return_rate"]) / (1.0 - float(population["return_rate"])))
        total += alive * expit(base + logit - float(response["eta"]) * fatigue)
        fatigue *= fades
    return total


@compiled
def gains(
    latent: Any, eligible: Any, day: int, today: int, population: Any, response: Any, scratch: Any, out: Any
) -> None:
    """Write the active days that each type would bring each learner over sending nothing.

    Args:
        latent: rows of `LATENT` at the end of yesterday.
        eligible: types that may be sent, as bits; others are left at 0.
        day: local day that begins.
        today: the same as days since registration opened.
        population: one row of `POPULATION`.
        response: one row of `RESPONSE`.
        scratch: two rows of `LATENT`, working memory.
        out: float64 (learners, types), written here.
    """
    for i in range(len(latent)):
        for kind in range(out.shape[1]):
            out[i, kind] = 0.0
        standing = int(latent[i]["standing"])
        if int(eligible[i]) == 0 or standing >= FINISHED or standing == WAITING:
            continue
        if standing == LAPSED and float(population["return_rate"]) <= 0.0:
            continue
        scratch[0] = latent[i]
        r = scratch[0]
        r["recent"] = ((int(r["recent"]) << 1) | (1 if int(r["planned"]) < NOT_ACTIVE else 0)) & 0xFFFF
        nothing = _expected(r, day, today, population, response)
        for kind in range(out.shape[1]):
            if (int(eligible[i]) >> kind) & 1:
                scratch[1] = scratch[0]
                told = scratch[1]
                told["fatigue"] = float(told["fatigue"]) + 1.0
                missed = _expected(told, day, today, population, response)
                take_in(told, kind, today, response)
                reached = _expected(told, day, today, population, response)
                reach = float(response["reach"][kind])
                out[i, kind] = reach * reached + (1.0 - reach) * missed - nothing
