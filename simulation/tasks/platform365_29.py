"""365: of those active in the 7 days from registration, who will be active on days 7-29?"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from simulation.adapters import daily, platform365
from simulation.tasks.base import Task

NAME = "365-29"
_WINDOW_DAYS, _LAST_DAY = 7, 29
_TEST_FROM = date(2022, 5, 1)


def load(source_dir: Path) -> Task:
    """Return the task: registrations before May 2022 to train on, later ones to test on; the context is purchases."""
    registered = daily.table(source_dir, "registrations", {"student_id": pl.Int64, "date_registered": pl.Date})
    active = daily.table(source_dir, "active_days", {"student_id": pl.Int64, "date_watched": pl.Date})
    age = (pl.col("date_watched") - pl.col("date_registered")).dt.total_days()
    lived = (
        active.join(registered, on="student_id")
        .group_by("student_id")
        .agg(
            age.is_between(0, _WINDOW_DAYS - 1).any().alias("begun"),
            age.is_between(_WINDOW_DAYS, _LAST_DAY).any().alias("back"),
        )
    )
    asked = registered.join(lived.filter("begun"), on="student_id", how="inner", maintain_order="left")
    ids = asked["student_id"].cast(pl.String).to_list()
    bought = daily.table(source_dir, "purchases", {"student_id": pl.Int64, "date_purchased": pl.Date})
    since = (pl.col("date_purchased") - pl.col("date_registered")).dt.total_days()
    early = bought.join(asked, on="student_id").filter(since < _WINDOW_DAYS).group_by("student_id").len()
    purchases = asked.join(early, on="student_id", how="left", maintain_order="left")["len"].fill_null(0)
    return Task(
        NAME,
        platform365.convert(source_dir),
        ids,
        asked["date_registered"].cast(pl.Int32).to_numpy().astype(np.int64) + _WINDOW_DAYS - 1,
        asked["back"].to_numpy(),
        falls=False,
        group=ids,
        window_days=_WINDOW_DAYS,
        context={"purchases": purchases.to_numpy().astype(np.float64)},
        test=(asked["date_registered"] >= _TEST_FROM).to_numpy(),
    )
