"""Unseen: which learner-days of a log a risk model was fitted on, so that it is judged by the others alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import numpy as np

from engine.calendar import day_number
from engine.risk.model import RiskModel
from engine.risk.rows import BUCKETS, Flags, stable_hash
from simulation.logs import Population

NEW = "No log that the model was fitted on begins like this one: all learner-days are judged."
PARTLY = "The model was fitted on this log: only learner-days that it was not fitted on are judged."
UNKNOWN = (
    "Warning: the model's file does not tell what it was fitted on. All learner-days are judged; if it was fitted on "
    "some of them, it looks better than it is."
)


class Seen(NamedTuple):
    """What a model was fitted on of a log.

    Args:
        days: (learners, days), whether it was fitted on the learner-day.
        told: what that means for its figures, in words.
    """

    days: Flags
    told: str


def fingerprint(began: Mapping[str, int], last_day: int) -> str:
    """Return a hash of who had begun by a day, and when: a log that goes on from there still has the same.

    Args:
        began: first local day of each learner, days since 1970-01-01.
        last_day: up to which is looked.
    """
    lines = sorted(f"{day} {learner}" for learner, day in began.items() if day <= last_day)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def began(log: Population) -> dict[str, int]:
    """Return the first local day of each learner of a log, days since 1970-01-01."""
    first = np.full(len(log.learner_ids), np.iinfo(np.int64).max)
    np.minimum.at(first, log.events["learner"], log.events["day"])
    return dict(zip(log.learner_ids, first.tolist(), strict=True))


def seen(log: Population, model: RiskModel, first_day: int, days: int) -> Seen:
    """Return which learner-days of a log a model was fitted on, as far as its file tells.

    A log is known again by its `fingerprint`; of it, the model's ``fitted_on`` tells learners and days.

    Args:
        log: to judge on.
        model: to judge.
        first_day: of the answer, days since 1970-01-01.
        days: of the answer.
    """
    found = np.zeros((len(log.learner_ids), days), bool)
    try:
        pairs = zip(model.about["trained_on"], model.about["fitted_on"], strict=False)
        told = [
            (str(each["fingerprint"]), _day(each["last_day"]), int(part["buckets_below"]), _day(part["until"]))
            for each, part in pairs  # of a log beyond, no day was fitted on
        ]
    except (KeyError, TypeError, ValueError):  # a file of an earlier version, or changed by hand
        told = []
    if not told:
        return Seen(found, UNKNOWN)
    first, known = began(log), False
    bucket = np.array([stable_hash(learner) % BUCKETS for learner in log.learner_ids])
    column = first_day + np.arange(days)
    for its_print, last_day, buckets_below, until in told:
        if its_print == fingerprint(first, last_day):
            known = True
            found |= (bucket < buckets_below)[:, None] & (column <= until)
    return Seen(found, PARTLY if known else NEW)


def _day(told: str) -> int:
    return day_number(date.fromisoformat(told))
