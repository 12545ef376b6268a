"""Records on their learners' own today: what is asked for is true now, also before the actor has closed the day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actors.views import LearnerView
from engine import batch, outcomes
from engine.record import LEARNER, Records
from engine.rules import Rules


def on_today(views: Sequence[LearnerView], rules: Rules) -> Records:
    """Return copies of learners' records, their days closed up to their own local today.

    Args:
        views: one of each learner.
        rules: of the product.
    """
    records = np.concatenate([np.zeros(0, LEARNER), *(view.record for view in views)])
    days = np.array([view.day for view in views], np.int32)
    unread = np.zeros(2 * outcomes.MARGIN, outcomes.OUTCOME)
    done = 0
    while done < len(records):
        done, _ = batch.close_day(records, days, done, rules.record, outcomes.scratch(), unread, 0)
    return records
