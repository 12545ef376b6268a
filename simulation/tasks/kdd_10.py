"""KDD Cup 2015: after the 30 days of a course's window, will there be no record in the next 10?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from simulation.adapters import daily, kddcup2015
from simulation.tasks.base import Task

NAME = "kdd-10"
_WINDOW_DAYS, _LATELY_DAYS = 30, 7


def load(source_dir: Path) -> Task:
    """Return the task: every enrolment, by courses; the context is how many of the course are still there."""
    columns = {"enrollment_id": pl.Int64, "course": pl.String, "course_start": pl.Date, "dropout": pl.Boolean}
    asked = daily.table(source_dir, "enrollments", columns).with_columns(
        (pl.col("course_start") + pl.duration(days=_WINDOW_DAYS - 1)).alias("moment")
    )
    counts = daily.table(source_dir, "daily_counts", {"enrollment_id": pl.Int64, "date": pl.Date})
    age = (pl.col("moment") - pl.col("date")).dt.total_days()
    lately = counts.join(asked, on="enrollment_id").filter(age.is_between(0, _LATELY_DAYS - 1))
    there = asked["enrollment_id"].is_in(lately["enrollment_id"].unique().implode())
    share = asked.with_columns(there.alias("there")).select((pl.col("there").sum() + 0.5).over("course"))["there"]
    odds = share / (asked.select((pl.len() + 1).over("course"))["len"] - share)
    return Task(
        NAME,
        kddcup2015.convert(source_dir),
        asked["enrollment_id"].cast(pl.String).to_list(),
        asked["moment"].cast(pl.Int32).to_numpy().astype(np.int64),
        asked["dropout"].to_numpy(),
        falls=True,
        group=asked["course"].to_list(),
        window_days=_WINDOW_DAYS,
        context={"cohort_log_odds_active_7": np.log(odds.to_numpy())},
    )
