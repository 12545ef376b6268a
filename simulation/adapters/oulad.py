"""OULAD: Open University (CC BY 4.0); clicks by day and activity type, and assessments handed in."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from engine.errors import InputError
from simulation.adapters import daily

# A click shows that a page was opened, never that something was written, finished or attended, so each type becomes
# the least that it proves.
CLICKS = {
    "homepage": "page_view",
    "subpage": "page_view",  # a page of links to other pages
    "sharedsubpage": "page_view",
    "forumng": "page_view",  # reading and writing are not told apart: a post for each click would be a gift
    "oucontent": "reading",  # the course's own texts
    "resource": "reading",  # mostly PDF
    "url": "reading",  # a link out to further material
    "glossary": "reading",
    "dataplus": "reading",  # records such as further texts and recordings
    "oucollaborate": "video_watch",  # live rooms and their recordings: opened, while attendance is not known
    "ouelluminate": "video_watch",
    "quiz": "quiz_start",  # what was finished, with its score, stands among the assessments
}
ASSESSMENTS = {
    "TMA": "assignment_submit",  # marked by a tutor
    "CMA": "quiz_complete",  # marked by computer at once
    "Exam": "assignment_submit",  # no rows of it are published for these courses
}
MONTHS = {"B": 2, "J": 10}  # a presentation is a year and the month in which it starts: 2013J = 1 October 2013
# date_registration: no event; it is an office's entry up to nine months before the course opens.
# date_unregistration and final_result: never events; they are the outcomes that models predict.
# Banked scores (is_banked) were earned in an earlier presentation: no act in this one.


def convert(source_dir: Path) -> pl.DataFrame:
    """Return the event log: one event a click, and each assessment handed in with its score / 100 as value.

    A learner is one student in one presentation, such as ``AAA-2013J-11391``: who takes a second course starts anew.

    Args:
        source_dir: the folder with ``course``, ``clicks_by_day``, ``assessment``, ``student_assessment`` (Parquet).
    """
    course = {"code_module": pl.String, "code_presentation": pl.String}
    first_days = starts(daily.table(source_dir, "course", course))
    clicks = daily.table(
        source_dir,
        "clicks_by_day",
        course | {"id_student": pl.Int64, "date": pl.Int64, "activity_type": pl.String, "sum_click": pl.Int64},
    )
    kinds = daily.table(source_dir, "assessment", course | {"id_assessment": pl.Int64, "assessment_type": pl.String})
    done = daily.table(
        source_dir,
        "student_assessment",
        {
            "id_assessment": pl.Int64,
            "id_student": pl.Int64,
            "date_submitted": pl.Int64,
            "is_banked": pl.Boolean,
            "score": pl.Float64,
        },
    )
    clicked = clicks.select(
        "row", *course, "id_student", "date",
        pl.lit("clicks_by_day").alias("source"),
        daily.known(clicks, "clicks_by_day", "activity_type", CLICKS).alias("action"),
        pl.col("sum_click").alias("count"),
        pl.lit(None, pl.Float64).alias("value"),
    )  # fmt: skip
    handed_in = done.filter(~pl.col("is_banked")).join(
        kinds.drop("row"), on="id_assessment", how="left", maintain_order="left"
    )
    submitted = handed_in.select(
        "row", *course, "id_student", pl.col("date_submitted").alias("date"),
        pl.lit("student_assessment").alias("source"),
        daily.known(handed_in, "assessment", "assessment_type", ASSESSMENTS).alias("action"),
        pl.lit(1, pl.Int64).alias("count"),
        (pl.col("score") / 100).alias("value"),
    )  # fmt: skip
    rows = pl.concat([clicked, submitted]).join(first_days, on=list(course), how="left", maintain_order="left")
    course_id = pl.concat_str(list(course), separator="-")
    return daily.spread(
        rows.select(
            "source", "row", "action", "count", "value",
            course_id.alias("course_id"),
            pl.concat_str(course_id, "id_student", separator="-").alias("learner_id"),
            (pl.col("start") + pl.duration(days="date")).alias("date"),
        )
    )  # fmt: skip


def starts(courses: pl.DataFrame) -> pl.DataFrame:
    """Return the first day of each presentation."""
    presentation = pl.col("code_presentation")
    odd = courses.filter(~presentation.str.contains(rf"^\d{{4}}[{''.join(MONTHS)}]$"))
    if len(odd):
        got = repr(odd["code_presentation"][0])
        raise InputError("course.parquet: code_presentation", got, "a year and B or J, such as 2013J")
    month = presentation.str.tail(1).replace_strict(MONTHS, return_dtype=pl.Int8)
    start = pl.date(presentation.str.head(4).cast(pl.Int32), month, 1)
    return courses.select("code_module", "code_presentation", start.alias("start"))
