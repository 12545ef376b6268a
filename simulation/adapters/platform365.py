"""365: a self-paced data-science platform, 2021-12 to 2022-10; active days, minutes watched, exam attempts."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulation.adapters import daily

# What becomes of each table:
WATCHED = "video_watch"  # active_days, learning_minutes: both are days on which content was watched (date_watched)
EXAMINED = "quiz_complete"  # exam_attempts: finished exams; only passed or not is known, which is no score, so no value
# registrations: no event. Half of those who register never start, and an active day made of a registration would turn
#   all of them into learners who came and dropped off.
# purchases: no event. Paying is no act of learning, and the table runs on for ten months after the activity ends.


def convert(source_dir: Path) -> pl.DataFrame:
    """Return the event log: one video a watched day, with its minutes as value where known, and the exams.

    Args:
        source_dir: the folder with ``active_days``, ``learning_minutes`` and ``exam_attempts`` (Parquet).
    """
    day = {"student_id": pl.Int64, "date_watched": pl.Date}
    active = daily.table(source_dir, "active_days", day)
    minutes = daily.table(source_dir, "learning_minutes", day | {"minutes_watched": pl.Float64})
    exams = daily.table(source_dir, "exam_attempts", {"student_id": pl.Int64, "date_exam_completed": pl.Date})

    watched = active.join(minutes.drop("row"), on=list(day), how="left", maintain_order="left")
    unlisted = minutes.join(active, on=list(day), how="anti", maintain_order="left")  # the last day has minutes only
    tables = [
        _rows(watched, "active_days", "date_watched", WATCHED, pl.col("minutes_watched")),
        _rows(unlisted, "learning_minutes", "date_watched", WATCHED, pl.col("minutes_watched")),
        _rows(exams, "exam_attempts", "date_exam_completed", EXAMINED, pl.lit(None, pl.Float64)),
    ]
    return daily.spread(pl.concat(tables))


def _rows(frame: pl.DataFrame, source: str, date: str, action: str, value: pl.Expr) -> pl.DataFrame:
    return frame.select(
        pl.lit(source).alias("source"),
        "row",
        pl.col("student_id").cast(pl.String).alias("learner_id"),
        pl.col(date).alias("date"),
        pl.lit(action).alias("action"),
        pl.lit(1, pl.Int64).alias("count"),
        value.alias("value"),
        pl.lit(None, pl.String).alias("course_id"),
    )
