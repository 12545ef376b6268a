"""OULAD: of those who are registered at the end of course day 55, who will fail or withdraw?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from simulation.adapters import oulad as adapter
from simulation.tasks import oulad
from simulation.tasks.base import Task

NAME = "oulad-risk"
DAY = 55
MARKING_DAYS = 14
"""From handing work in to its tutor's mark. The data tell no day of marking, so this is our assumption: two weeks.

Computers mark at once.
"""
_LOST = ("Fail", "Withdrawn")


def load(source_dir: Path) -> Task:
    """Return the task: every student who is registered; of work handed in so far, the marks that were given by then."""
    students = oulad.registered(source_dir, DAY)
    label = students["final_result"].is_in(_LOST).to_numpy()
    return without_later_marks(oulad.task(NAME, source_dir, students, label, DAY))


def without_later_marks(task: Task) -> Task:
    """Return a task that knows of work whose tutor has not marked it by the moment that it was handed in, no more."""
    moments = pl.DataFrame({"learner_id": task.learner_ids, "moment": task.day})
    age = pl.col("moment") - pl.col("occurred_at").dt.epoch("d")
    unmarked = (pl.col("action") == adapter.ASSESSMENTS["TMA"]) & (age < MARKING_DAYS)
    frame = task.frame.join(moments, on="learner_id", how="left", maintain_order="left").with_columns(
        pl.when(unmarked.fill_null(False)).then(None).otherwise("value").alias("value")
    )
    return replace(task, frame=frame.drop("moment"))
