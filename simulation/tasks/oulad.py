"""What the tasks on OULAD share: who is still registered on a day of the course, and who clicked when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simulation.adapters import daily
from simulation.adapters import oulad as adapter
from simulation.tasks.base import Task

_COURSE: dict[str, type[pl.DataType]] = {"code_module": pl.String, "code_presentation": pl.String}
_WHO = [*_COURSE, "id_student"]
_FIRST_CLICK = -25  # day of the course from which its site is open


def registered(source_dir: Path, day: int) -> pl.DataFrame:
    """Return who is registered at the end of a day of the course, with ``final_result`` and the day's date.

    Args:
        source_dir: the data set.
        day: from the course's start.
    """
    of_student = _COURSE | {"id_student": pl.Int64}
    dates: dict[str, type[pl.DataType]] = {"date_registration": pl.Int64, "date_unregistration": pl.Int64}
    students = daily.table(source_dir, "student", of_student | {"final_result": pl.String})
    entries = daily.table(source_dir, "student_registration", of_student | dates).drop("row")
    begun = pl.col("date_registration").is_null() | (pl.col("date_registration") <= day)
    stays = pl.col("date_unregistration").is_null() | (pl.col("date_unregistration") > day)
    starts = adapter.starts(daily.table(source_dir, "course", _COURSE))
    return (
        students.join(entries, on=_WHO, how="left", maintain_order="left")
        .filter(begun & stays)
        .join(starts, on=list(_COURSE), how="left", maintain_order="left")
        .with_columns((pl.col("start") + pl.duration(days=day)).alias("date"))
    )


def clicked(source_dir: Path, students: pl.DataFrame, first: int, last: int) -> NDArray[np.bool_]:
    """Return whether each student clicked on any of the days ``first`` to ``last`` of the course."""
    clicks = daily.table(source_dir, "clicks_by_day", _COURSE | {"id_student": pl.Int64, "date": pl.Int64})
    there = clicks.filter(pl.col("date").is_between(first, last)).select(_WHO).unique()
    found = students.join(there.with_columns(pl.lit(True).alias("there")), on=_WHO, how="left", maintain_order="left")
    return found["there"].fill_null(False).to_numpy()


def task(name: str, source_dir: Path, students: pl.DataFrame, label: NDArray[np.bool_], day: int) -> Task:
    """Return a task on students at the end of a day of the course; nobody's two courses are on two sides."""
    return Task(
        name,
        adapter.convert(source_dir),
        students.select(pl.concat_str(_WHO, separator="-"))["code_module"].to_list(),
        students["date"].cast(pl.Int32).to_numpy().astype(np.int64),
        label,
        falls=True,
        group=students["id_student"].cast(pl.String).to_list(),
        window_days=day + 1 - _FIRST_CLICK,
    )
