"""The latent state of synthetic learners: who they are, what they feel. Records, signals and policies never see it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.chance import PURPOSE_PERSON, normal, uniforms
from engine.compiled import compiled
from engine.record import NOTIFICATION_TYPES

NOT_ACTIVE = 1440  # planned minute of a day without activity

WAITING, ALIVE, LAPSED, FINISHED, NEVER_STARTS = range(5)
"""Standing: will start some day; learning; dropped out, may come back; all courses done; never starts."""

PAYS, ENROLLED, REPAIRED = 1, 2, 4
"""Flags: pays; enrolled in the first course; the broken streak was restored."""

LATENT = np.dtype(
    [
        ("z", "<f4"),  # propensity, standard normal
        ("rank", "<f4"),  # the same as a quantile, 0-1
        ("peer", "<f4"),  # personal reaction to comparison, standard normal
        ("fatigue", "<f4"),  # decayed sends
        ("base", "<f4"),  # today's log-odds of activity without messages
        ("strength", "<f4", (NOTIFICATION_TYPES,)),  # of the last message seen by type: 1 = fresh, less = habituated
        ("seen", "<u2", (NOTIFICATION_TYPES,)),  # 1 + day of the simulation of that message; 0 = never
        ("until", "<u2"),  # day of the simulation from which no message works any more
        ("start", "<u2"),  # day of the simulation on which the learner started, or came back
        ("units", "<u2"),  # done of the present course
        ("courses", "<u2"),  # done
        ("broken", "<u2"),  # 1 + day of the simulation on which a streak was found broken; 0 = never
        ("streak", "<u2"),  # days of the streak as the record had it this morning
        ("ended", "<u2"),  # streaks ended as the record had it this morning
        ("recent", "<u2"),  # bits: bit k = active k + 1 days before today
        ("sends", "<u2"),  # two bits a day for the last 7 days, as many set as messages came
        ("planned", "<i2"),  # local minute of today's first activity, or NOT_ACTIVE
        ("peak", "<i2"),  # local minute around which the learner's days begin
        ("standing", "|u1"),
        ("consent", "|u1"),  # channel bits as in LEARNER.consent
        ("zone", "|u1"),  # place in the population's zones
        ("flags", "|u1"),
    ]
)


@compiled
def zone_of(luck: float, population: Any) -> int:
    """Return the place of the zone for a uniform number."""
    zone = 0
    while luck >= float(population["zone_ends"][zone]):
        zone += 1
        if zone == len(population["zone_ends"]) - 1:
            break
    return zone


@compiled
def zone_of_learner(stream: int, learner: int, population: Any) -> int:
    """Return the place of a learner's zone: what `create` gives, for one learner alone."""
    return zone_of(uniforms(stream, learner, 0, PURPOSE_PERSON, 0)[2], population)


@compiled
def create(latent: Any, stream: int, first_learner: int, population: Any) -> None:
    """Draw who the learners are.

    Args:
        latent: rows of `LATENT`, written here.
        stream: from `engine.chance.stream`.
        first_learner: number of the first row's learner in the population.
        population: one row of `POPULATION`.
    """
    for i in range(len(latent)):
        r = latent[i]
        learner = first_learner + i
        u = uniforms(stream, learner, 0, PURPOSE_PERSON, 0)
        z = normal(u[0], u[1])
        r["z"] = z
        r["rank"] = 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
        r["zone"] = zone_of(u[2], population)
        r["standing"] = NEVER_STARTS if u[3] < float(population["never_starts"]) else WAITING
        u = uniforms(stream, learner, 0, PURPOSE_PERSON, 1)
        peak = float(population["peak_minute"]) + float(population["peak_sd_minutes"]) * normal(u[0], u[1])
        r["peak"] = int(peak) % 1440
        r["peer"] = normal(u[2], u[3])
        u = uniforms(stream, learner, 0, PURPOSE_PERSON, 2)
        consent = 1 if u[0] < float(population["email"]) else 0
        consent |= 2 if u[1] < float(population["push"]) else 0
        consent |= 4 if u[2] < float(population["in_app"]) else 0
        consent |= 8 if u[3] < float(population["sms"]) else 0
        r["consent"] = consent
        pays = uniforms(stream, learner, 0, PURPOSE_PERSON, 3)[0] < float(population["payers"])
        r["flags"] = PAYS if pays else 0
        r["planned"] = NOT_ACTIVE
