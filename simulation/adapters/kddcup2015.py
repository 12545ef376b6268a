"""KDD Cup 2015: XuetangX, 23 courses; counts of each kind of request by enrolment and day."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulation.adapters import daily

# A request shows what was opened; what was finished or written is not recorded. Every kind becomes an event, so that
# each day with a record is an active day, as the label (no record in ten days) has it.
REQUESTS = {
    "navigate": "page_view",  # moved to another part of the course
    "access": "lesson_start",  # opened a part of the course that is neither video nor problem
    "video": "video_watch",
    "wiki": "reading",
    "problem": "quiz_start",  # worked on a problem; neither an end nor a score is known
    "discussion": "page_view",  # opened the forum: reading and writing are not told apart
    "page_close": "page_view",  # left a page; on some days the only trace
}
# enrollments: no event; course_start is the course's and dropout is the outcome.


def convert(source_dir: Path) -> pl.DataFrame:
    """Return the event log: one event a request. A learner is an enrolment, one person in one course.

    Args:
        source_dir: the folder with ``daily_counts`` (Parquet).
    """
    counts = daily.table(
        source_dir,
        "daily_counts",
        {"enrollment_id": pl.Int64, "course": pl.String, "date": pl.Date} | dict.fromkeys(REQUESTS, pl.Int64),
    )
    place = pl.col("request").replace_strict({name: at for at, name in enumerate(REQUESTS)}, return_dtype=pl.Int8)
    rows = counts.unpivot(list(REQUESTS), index=["row", "enrollment_id", "course", "date"], variable_name="request")
    return daily.spread(
        rows.sort("row", place).select(
            pl.lit("daily_counts").alias("source"),
            "row",
            pl.col("enrollment_id").cast(pl.String).alias("learner_id"),
            "date",
            pl.col("request").replace_strict(REQUESTS, return_dtype=pl.String).alias("action"),
            pl.col("value").alias("count"),
            pl.lit(None, pl.Float64).alias("value"),
            pl.col("course").alias("course_id"),
        )
    )
