"""What the data sets of day resolution share: source tables checked by name, and n acts of a day made n events.

The sources say on which day something happened, not at what time. The acts of a learner's day, in the order of the
source, get the instants 09:00:00, 09:00:01, ... UTC: the same in every run, in order, and never beyond the day (acts
past the last second share it). With the zone UTC the local day of each event is the source's own date.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from polars.datatypes import DataTypeClass

from engine.errors import InputError, did_you_mean
from simulation.adapters import event_log
from simulation.adapters.columns import INSTANT

FIRST_SECOND = 9 * 3600
LAST_SECOND = 24 * 3600 - 1


def table(source_dir: Path, name: str, columns: Mapping[str, DataTypeClass | pl.DataType]) -> pl.DataFrame:
    """Return columns of ``source_dir/name.parquet``, with ``row``, the place of each row in the source, from 0.

    Args:
        source_dir: the folder of the data set.
        name: the table.
        columns: the columns needed, and the type that each is cast to.

    Raises:
        InputError: the folder, the file or a column is missing, or a column holds something else.
    """
    path = source_dir / f"{name}.parquet"
    if not path.is_file():
        found = sorted(file.name for file in source_dir.glob("*.parquet"))
        got = f"a folder with {', '.join(found) or 'no Parquet files'}" if source_dir.is_dir() else "no such folder"
        raise InputError(str(path), got, f"the table {name!r} of this data set", "Check the source folder.")
    try:
        frame = pl.read_parquet(path)
        for column in columns:
            if column not in frame.columns:
                remedy = did_you_mean(column, frame.columns)
                raise InputError(f"{path}: column {column!r}", "no such column", "this column of the data set", remedy)
        return frame.select(pl.col(column).cast(dtype) for column, dtype in columns.items()).with_row_index("row")
    except pl.exceptions.PolarsError as error:
        raise InputError(str(path), str(error).splitlines()[0], "the data set's own types") from None


def known(frame: pl.DataFrame, source: str, column: str, names: Mapping[str, str]) -> pl.Expr:
    """Return the expression that maps a column by one of the adapters' tables.

    Raises:
        InputError: the column holds a name that the table lacks.
    """
    unknown = sorted(set(frame[column].drop_nulls().unique()) - set(names))
    if unknown or frame[column].null_count():
        got = repr(unknown[0]) if unknown else "nothing"
        raise InputError(f"{source}: {column}", got, f"one of {', '.join(names)}", "Add it to the adapter's table.")
    return pl.col(column).replace_strict(dict(names), return_dtype=pl.String)


def spread(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a canonical log, ordered by time, of acts that were counted by day.

    Args:
        rows: in the order of the learners' days, with ``source`` and ``row`` (where it stands), ``learner_id``,
            ``date``, ``action``, ``count`` (acts, 0 or more), ``value`` and ``course_id``. Several rows may have the
            same source row; its acts are numbered on.

    Returns:
        as many events as there are acts; event id ``source:row:k``.

    Raises:
        InputError: a count is negative, or a learner or date is missing.
    """
    wrong = rows.filter(
        pl.col("count").is_null() | (pl.col("count") < 0) | pl.col("date").is_null() | pl.col("learner_id").is_null()
    )
    if len(wrong):
        bad = wrong.row(0, named=True)
        got = ", ".join(f"{name} {bad[name]}" for name in ("learner_id", "date", "count"))
        raise InputError(f"{bad['source']}.parquet: row {bad['row'] + 1}", got, "a learner, a date and a count >= 0")
    before = pl.col("count").cum_sum() - pl.col("count")  # acts of the same group so far
    numbered = rows.filter(pl.col("count") > 0).with_columns(
        before.over("source", "row").alias("first_k"),
        before.over("learner_id", "date").alias("first_second"),
    )
    acts = numbered.with_columns(pl.int_ranges(0, pl.col("count")).alias("act")).explode("act", empty_as_null=False)
    second = (FIRST_SECOND + pl.col("first_second") + pl.col("act")).clip(upper_bound=LAST_SECOND)
    log = acts.select(
        "learner_id",
        "action",
        "value",
        "course_id",
        (pl.col("date").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC") + pl.duration(seconds=second))
        .cast(INSTANT)
        .alias("occurred_at"),
        pl.format("{}:{}:{}", "source", "row", pl.col("first_k") + pl.col("act")).alias("event_id"),
        pl.lit("UTC").alias("timezone"),
    )
    return event_log.canonical(log.sort("occurred_at", maintain_order=True))
