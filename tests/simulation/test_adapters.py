"""Adapters: each data set becomes the events that it holds, no more and no fewer, on its own dates."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from engine import rules
from engine.errors import InputError
from simulation import adapters
from simulation.adapters import daily, event_log, kddcup2015, oulad

NAMES = ("kddcup2015", "oulad", "platform365")


def put(folder: Path, name: str, **columns: list[object]) -> None:
    pl.DataFrame(columns, strict=False).write_parquet(folder / f"{name}.parquet")


def put_365(folder: Path) -> None:
    put(folder, "active_days", student_id=[7, 7, 8], date_watched=[date(2022, 1, day) for day in (1, 2, 2)])
    put(
        folder,
        "learning_minutes",
        student_id=[8, 7, 9],
        date_watched=[date(2022, 1, 2), date(2022, 1, 2), date(2022, 1, 3)],
        minutes_watched=[2.5, 12.0, 1.0],
    )
    put(folder, "exam_attempts", student_id=[7, 7], date_exam_completed=[datetime(2022, 1, 2)] * 2)  # noqa: DTZ001  # as the source has it


def put_oulad(folder: Path, **clicks: list[object]) -> None:
    course = {"code_module": ["AAA", "BBB"], "code_presentation": ["2013J", "2013B"]}
    put(folder, "course", **course)  # type: ignore[arg-type]  # lists of texts
    base: dict[str, list[object]] = {
        "code_module": ["AAA", "AAA", "BBB"],
        "code_presentation": ["2013J", "2013J", "2013B"],
        "id_student": [11, 11, 11],
        "date": [-1, -1, 28],
        "activity_type": ["oucontent", "forumng", "quiz"],
        "sum_click": [2, 1, 1],
    }
    put(folder, "clicks_by_day", **(base | clicks))
    put(
        folder,
        "assessment",
        code_module=["AAA", "BBB"],
        code_presentation=["2013J", "2013B"],
        id_assessment=[1, 2],
        assessment_type=["TMA", "CMA"],
    )
    put(
        folder,
        "student_assessment",
        id_assessment=[1, 2, 1],
        id_student=[11, 11, 12],
        date_submitted=[-1, 28, -1],
        is_banked=[False, False, True],
        score=[None, 100, 60],
    )


def put_kdd(folder: Path) -> None:
    counts: dict[str, list[object]] = {name: [0, 0] for name in kddcup2015.REQUESTS}
    counts |= {"access": [2, 0], "page_close": [1, 1], "video": [1, 0]}
    put(folder, "daily_counts", enrollment_id=[3, 5], date=[date(2014, 6, 19)] * 2, course=["x", "y"], **counts)


PUTS = {"kddcup2015": put_kdd, "oulad": put_oulad, "platform365": put_365}


def told(log: pl.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return log.select(columns).rows()


def at(year: int, month: int, day: int, second: int) -> datetime:
    return datetime(year, month, day, 9, 0, second, tzinfo=UTC)


def test_every_adapter_is_found() -> None:
    assert tuple(adapters.catalogue()) == NAMES
    assert all(adapters.adapter(name).__doc__ for name in NAMES)
    with pytest.raises(InputError, match="Did you mean 'oulad'"):
        adapters.adapter("ouladd")


def test_platform365(tmp_path: Path) -> None:
    put_365(tmp_path)
    assert told(
        adapters.adapter("platform365").convert(tmp_path), "event_id", "learner_id", "occurred_at", "action", "value"
    ) == [
        ("active_days:0:0", "7", at(2022, 1, 1, 0), "video_watch", None),
        ("active_days:1:0", "7", at(2022, 1, 2, 0), "video_watch", 12.0),
        ("active_days:2:0", "8", at(2022, 1, 2, 0), "video_watch", 2.5),
        ("exam_attempts:0:0", "7", at(2022, 1, 2, 1), "quiz_complete", None),
        ("exam_attempts:1:0", "7", at(2022, 1, 2, 2), "quiz_complete", None),
        ("learning_minutes:2:0", "9", at(2022, 1, 3, 0), "video_watch", 1.0),
    ]


def test_oulad(tmp_path: Path) -> None:
    """BBB-2013B starts on 1 February, so its day 28 is 1 March; AAA-2013J on 1 October; a banked score is no event."""
    put_oulad(tmp_path)
    log = oulad.convert(tmp_path)
    assert told(log, "event_id", "learner_id", "occurred_at", "action", "value") == [
        ("clicks_by_day:2:0", "BBB-2013B-11", at(2013, 3, 1, 0), "quiz_start", None),
        ("student_assessment:1:0", "BBB-2013B-11", at(2013, 3, 1, 1), "quiz_complete", 1.0),
        ("clicks_by_day:0:0", "AAA-2013J-11", at(2013, 9, 30, 0), "reading", None),
        ("clicks_by_day:0:1", "AAA-2013J-11", at(2013, 9, 30, 1), "reading", None),
        ("clicks_by_day:1:0", "AAA-2013J-11", at(2013, 9, 30, 2), "page_view", None),
        ("student_assessment:0:0", "AAA-2013J-11", at(2013, 9, 30, 3), "assignment_submit", None),
    ]
    assert set(log["course_id"]) == {"AAA-2013J", "BBB-2013B"}


def test_kddcup2015(tmp_path: Path) -> None:
    put_kdd(tmp_path)
    assert told(kddcup2015.convert(tmp_path), "event_id", "learner_id", "occurred_at", "action", "course_id") == [
        ("daily_counts:0:0", "3", at(2014, 6, 19, 0), "lesson_start", "x"),
        ("daily_counts:1:0", "5", at(2014, 6, 19, 0), "page_view", "y"),
        ("daily_counts:0:1", "3", at(2014, 6, 19, 1), "lesson_start", "x"),
        ("daily_counts:0:2", "3", at(2014, 6, 19, 2), "video_watch", "x"),
        ("daily_counts:0:3", "3", at(2014, 6, 19, 3), "page_view", "x"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_log_is_taken_in_as_it_is(tmp_path: Path, name: str) -> None:
    """Whatever an adapter makes is canonical, ordered by time, known to the rules, and no id comes twice."""
    PUTS[name](tmp_path)
    log = adapters.adapter(name).convert(tmp_path)
    assert log.schema == event_log.SCHEMA
    assert log["occurred_at"].is_sorted()
    assert log["event_id"].is_unique().all()
    events = event_log.resolve(log, rules.load()).events
    assert (events["arrived_ms"] == events["occurred_ms"]).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_table_or_column_is_named(tmp_path: Path, name: str) -> None:
    convert = adapters.adapter(name).convert
    with pytest.raises(InputError, match="no such folder"):
        convert(tmp_path / "none")
    PUTS[name](tmp_path)
    for path in sorted(tmp_path.glob("*.parquet")):
        whole = pl.read_parquet(path)
        for column in whole.columns:
            whole.rename({column: f"{column}s"}).write_parquet(path)
            with pytest.raises(InputError, match=rf"{path.name}: column '{column}'.*Did you mean '{column}s'"):
                convert(tmp_path)
        path.unlink()
        with pytest.raises(InputError, match=rf"{path.name}.*Check the source folder"):
            convert(tmp_path)
        whole.write_parquet(path)


def test_wrong_content_is_refused(tmp_path: Path) -> None:
    put_oulad(tmp_path, activity_type=["oucontent", "arcade", "quiz"])
    with pytest.raises(InputError, match=r"'arcade'.*Add it to the adapter's table"):
        oulad.convert(tmp_path)
    put_oulad(tmp_path, sum_click=[2, -1, 1])
    with pytest.raises(InputError, match=r"clicks_by_day.parquet: row 2.*count -1"):
        oulad.convert(tmp_path)
    put_oulad(tmp_path, code_presentation=["2013J", "2019J", "2013B"])
    with pytest.raises(InputError, match="date None"):
        oulad.convert(tmp_path)
    put_oulad(tmp_path, date=["first", "x", "y"])
    with pytest.raises(InputError, match="the data set's own types"):
        oulad.convert(tmp_path)
    put_oulad(tmp_path)
    put(tmp_path, "course", code_module=["AAA"], code_presentation=["autumn"])
    with pytest.raises(InputError, match=r"'autumn'.*such as 2013J"):
        oulad.convert(tmp_path)


def test_no_act_crosses_midnight() -> None:
    """More acts than seconds are left in the day share its last second, each with its own id."""
    count = daily.LAST_SECOND - daily.FIRST_SECOND + 3
    row = {"source": "s", "row": 0, "learner_id": "a", "date": date(2024, 2, 29), "action": "reading", "count": count}
    log = daily.spread(pl.DataFrame([row]).with_columns(value=None, course_id=None))
    assert log["occurred_at"].max() == datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    assert log["event_id"].n_unique() == len(log) == count


KNOWN = {
    "kddcup2015": (3_184_118, 45_196, 111_135),
    "oulad": (2_608_892, 2_272, 149_005),
    "platform365": (84_314, 13_735, 59_064),
}
"""Events, learners and learner-days of the real data: sums over the sources, counted without the adapters."""


@pytest.mark.parametrize("name", NAMES)
def test_real_data(data_dir: Path, name: str) -> None:
    log = adapters.adapter(name).convert(data_dir / name)
    days = log.select("learner_id", pl.col("occurred_at").dt.date()).n_unique()
    assert (len(log), log["learner_id"].n_unique(), days) == KNOWN[name]
    assert log["event_id"].n_unique() == len(log)
    ids = event_log.resolve(log, rules.load()).events["event_id"]
    assert pl.Series(ids).n_unique() == len(log)
