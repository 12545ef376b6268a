"""The event log: every format gives the same table, and whatever is wrong with a file is named with its remedy."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import rules as rules_module
from engine.errors import InputError
from engine.rules import SCORED
from simulation.adapters import hashing
from simulation.adapters.event_log import SCHEMA, canonical, read, resolve, write

RULES = rules_module.load()
HEAD = "learner_id,occurred_at,action"
GOOD = "ann,2026-03-29T08:15:00Z,lesson_start"


def frame(**columns: Sequence[object]) -> pl.DataFrame:
    """Return a canonical log; what is not given is ann's lesson on 29 March 2026."""
    rows = max(map(len, columns.values()), default=1)
    base: dict[str, Sequence[object]] = {
        "learner_id": ["ann"] * rows,
        "occurred_at": [datetime(2026, 3, 29, 8, 15, tzinfo=UTC)] * rows,
        "action": ["lesson_start"] * rows,
    }
    both = base | columns
    return canonical(pl.DataFrame(both, schema={name: SCHEMA[name] for name in both}))


FULL = frame(
    learner_id=["ann", "bob", "ann"],
    occurred_at=[datetime(2026, 3, 29, 8, minute, 1, 234_000, tzinfo=UTC) for minute in (5, 0, 9)],
    action=["quiz_complete", "lesson_start", "page_view"],
    event_id=["e1", None, 'with "quotes",\nand a break'],
    value=[0.1, None, 1e-9],
    timezone=["Europe/Berlin", None, "Pacific/Apia"],
    course_id=["ü", None, None],
    arrived_at=[datetime(2026, 3, 29, 9, tzinfo=UTC), None, None],
)


def refused(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz", ".ndjson", ".ndjson.gz", ".jsonl"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    write(FULL, path)
    assert read(path).equals(FULL)
    assert read(path).schema == SCHEMA
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_optional_columns_without_values_are_not_written(tmp_path: Path) -> None:
    write(frame(), tmp_path / "log.csv")
    assert (tmp_path / "log.csv").read_text() == f"{HEAD}\nann,2026-03-29T08:15:00.000Z,lesson_start\n"


def test_instants_may_have_offsets_and_tables_other_zones(tmp_path: Path) -> None:
    at = "2026-03-29 10:15:00.5+02:00"
    (tmp_path / "log.csv").write_text(f"{HEAD}\nann,{at},lesson_start\n\n\n")
    assert read(tmp_path / "log.csv")["occurred_at"][0] == datetime(2026, 3, 29, 8, 15, 0, 500_000, tzinfo=UTC)
    zoned = FULL.with_columns(
        pl.col("occurred_at").dt.convert_time_zone("Asia/Tokyo").cast(pl.Datetime("us", "Asia/Tokyo"))
    )
    zoned.write_parquet(tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet").equals(FULL)


def test_other_columns_are_left_out_and_numbers_are_names(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(f"browser,{HEAD},value\nlynx,17,2026-03-29T08:15:00Z,lesson_start,NaN\n")
    log = read(tmp_path / "log.csv")
    assert log.columns == SCHEMA.names()
    assert log["learner_id"][0] == "17"
    assert log["value"][0] is None
    write(frame(), tmp_path / "log.parquet")
    pl.read_parquet(tmp_path / "log.parquet").with_columns(learner_id=pl.lit(17)).write_parquet(tmp_path / "n.parquet")
    assert read(tmp_path / "n.parquet")["learner_id"][0] == "17"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["an empty file", "learner_id, occurred_at, action"]),
        (f"{HEAD}\n", ["no events", "at least one row"]),
        ("learner_id,occurred_at\nann,2026-03-29T08:15:00Z\n", ["column 'action'", "learner_id, occurred_at"]),
        (f"learner,{HEAD[11:]}\n{GOOD}\n", ["column 'learner_id'", "Rename 'learner' to 'learner_id'."]),
        (f"{HEAD},time_zone\n{GOOD},UTC\n", ["column 'time_zone'", "Did you mean 'timezone'?"]),
        (f"{HEAD},action\n{GOOD},x\n", ["'action' twice", "each column once"]),
        (f"{HEAD}\n{GOOD}\n,2026-03-29T08:15:00Z,lesson_start\n", ["line 3: learner_id", "got nothing"]),
        (f"{HEAD}\n{GOOD}\nann,,lesson_start\n", ["line 3: occurred_at", "got nothing", "2026-03-29T08:15:00Z"]),
        (f"{HEAD}\n{GOOD}\nann,2026-03-29T08:15:00Z,\n", ["line 3: action", "got nothing"]),
        (f"{HEAD}\n\n{GOOD}\n", ["line 2: learner_id", "got nothing"]),
        (f"{HEAD}\n{GOOD}\nann,2026-02-30T08:15:00Z,lesson_start\n", ["line 3: occurred_at", "'2026-02-30T08:15:00Z'"]),
        (f"{HEAD}\nann,2026-03-29T08:15:00,lesson_start\n", ["line 2: occurred_at", "end it in 'Z'", "'+02:00'"]),
        (f"{HEAD}\nann,2026-03-29,lesson_start\n", ["line 2: occurred_at", "end it in 'Z'"]),
        (f"{HEAD}\nann,1774772100,lesson_start\n", ["line 2: occurred_at", "'1774772100'"]),
        (f"{HEAD}\nann,0026-03-29T08:15:00Z,lesson_start\n", ["line 2: occurred_at", "1970 to 2099", "year"]),
        (
            f"{HEAD},timezone\n{GOOD},\n{GOOD},Europe/Berln\n",
            ["line 3: timezone", "'Europe/Berln'", "'Europe/Berlin'?"],
        ),
        (f"{HEAD},timezone\n{GOOD},qqq\n", ["line 2: timezone", "'qqq'", "an IANA time zone"]),
        (f"{HEAD},value\n{GOOD},0.5\n{GOOD},half\n", ["line 3: value", "'half'", "a number"]),
        (f"{HEAD},value\n{GOOD},inf\n", ["line 2: value", "'inf'", "finite"]),
        (f"{HEAD},arrived_at\n{GOOD},soon\n", ["line 2: arrived_at", "'soon'"]),
        (f'{HEAD},value\n"a\nb",2026-03-29T08:15:00Z,x,1\n{GOOD},half\n', ["line 4: value", "'half'"]),
        (f"{HEAD}\n{GOOD},surplus\n", ["a whole csv file"]),
        (f"{HEAD}\n".encode() + b"\xff\xfe,2026-03-29T08:15:00Z,x\n", ["a whole csv file"]),
    ],
)
def test_wrong_csv(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(path, *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"learner_id":"a","occurred_at":"2026-03-29T08:15:00Z"}', ["column 'action'"]),
        ("[1]", ["line 1", "one JSON object a line"]),
        ("not json", ["line 1", "one JSON object a line"]),
        ('{"learner_id":"a","learner_id":"b"}', ["'learner_id' twice"]),
    ],
)
def test_wrong_ndjson(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "log.ndjson"
    path.write_text(text + "\n")
    refused(path, *words)


def test_ndjson_lines_are_counted_with_the_blank_ones(tmp_path: Path) -> None:
    line = '{"learner_id":"ann","occurred_at":"2026-03-29T08:15:00Z","action":"lesson_start"}'
    path = tmp_path / "log.ndjson.gz"
    path.write_bytes(gzip.compress(f"{line}\n\n{line.replace('08:15', '25:15')}\n".encode()))
    refused(path, "line 3: occurred_at", "25:15")
    path.write_bytes(gzip.compress(f"{line}\n\n{line[:-1]}\n".encode()))
    refused(path, "line 3", "one JSON object a line")


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("occurred_at", pl.Series([datetime(2026, 3, 29)]), ["without a time zone", "replace_time_zone('UTC')"]),  # noqa: DTZ001  # naive is what is tested
        ("occurred_at", pl.Series([1_774_772_100]), ["type Int64", "Datetime('ms', 'UTC')"]),
        ("learner_id", pl.Series([1.5]), ["type Float64", "texts"]),
        ("learner_id", pl.Series([""]), ["row 1: learner_id", "''"]),
        ("value", pl.Series([True]), ["type Boolean", "numbers"]),
    ],
)
def test_wrong_parquet(tmp_path: Path, column: str, values: pl.Series, words: list[str]) -> None:
    path = tmp_path / "log.parquet"
    frame().with_columns(values.alias(column)).write_parquet(path)
    refused(path, column, *words)


def test_wrong_files(tmp_path: Path) -> None:
    refused(tmp_path / "log.xlsx", "'.xlsx'", ".parquet, .csv")
    refused(tmp_path / "log.parquet.gz", ".parquet.gz", "a text format with .gz")
    write(frame(), tmp_path / "events.csv")
    refused(tmp_path / "event.csv", "no such file", "Did you mean 'events.csv'?")
    (tmp_path / "log.parquet").write_bytes(b"PAR1 and no more")
    refused(tmp_path / "log.parquet", "a whole parquet file")
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(HEAD.encode())[:-4])
    refused(tmp_path / "log.csv.gz", "a readable file")
    with pytest.raises(InputError, match=r"log\.xls"):
        write(frame(), tmp_path / "log.xls")
    assert not list(tmp_path.glob("*.part"))


def test_resolve_turns_names_into_numbers() -> None:
    log = resolve(FULL, RULES)
    events = log.events
    assert log.learner_ids == ["ann", "bob"]
    assert events["learner"].tolist() == [0, 1, 0]
    assert events["action"].tolist() == [RULES.code(name) for name in FULL["action"]]
    assert events["value"][0] == np.float32(0.1)
    assert np.isnan(events["value"][1])
    assert events["occurred_ms"].tolist() == [int(at.timestamp() * 1000) for at in FULL["occurred_at"]]
    day = 20_541  # 2026-03-29; in Berlin clocks went forward at 01:00 UTC, Apia is 13 hours ahead
    assert list(zip(events["day"], events["minute"], strict=True)) == [(day, 605), (day, 480), (day, 21 * 60 + 9)]


def test_the_clock_is_the_latest_instant_unless_arrival_is_given() -> None:
    at = [datetime(2026, 3, day, tzinfo=UTC) for day in (2, 5, 3, 6)]
    given_at = datetime(2026, 3, 4, tzinfo=UTC)
    events = resolve(frame(occurred_at=at, arrived_at=[None, None, given_at, None]), RULES).events
    expected = [at[0], at[1], given_at, at[3]]
    assert events["arrived_ms"].tolist() == [int(instant.timestamp() * 1000) for instant in expected]
    events = resolve(frame(occurred_at=at), RULES).events
    assert events["arrived_ms"][2] == int(at[1].timestamp() * 1000)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"action": ["lesson_start", "leson_start"]},
            ["row 2: action", "'leson_start'", "Did you mean 'lesson_start'?"],
        ),
        ({"action": ["perfect_quiz"]}, ["row 1: action", "'perfect_quiz'", "leave these rows out"]),
        (
            {"action": ["quiz_complete"] * 2, "value": [1.0, 85.0]},
            ["row 2: value", "85.0", "Divide a percentage by 100."],
        ),
        ({"action": ["quiz_complete"], "value": [-0.1]}, ["row 1: value", "-0.1"]),
        (
            {"arrived_at": [datetime(2026, 3, 29, 8, 15, tzinfo=UTC), datetime(2026, 3, 29, 8, 9, 59, tzinfo=UTC)]},
            ["row 2: occurred_at", "at most 5 minutes after arrived_at"],
        ),
    ],
)
def test_what_resolve_refuses(columns: dict[str, list[object]], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        resolve(frame(**columns), RULES, "march.csv")
    for word in ("march.csv", *words):
        assert word in str(caught.value)


def test_minutes_may_exceed_one_and_clocks_run_five_minutes_ahead() -> None:
    arrived = datetime(2026, 3, 29, 8, 10, tzinfo=UTC)
    assert resolve(frame(action=["video_watch"], value=[85.0], arrived_at=[arrived]), RULES).events["value"][0] == 85.0


def test_without_an_id_an_event_is_what_it_says() -> None:
    """Equal events have equal ids; each part of the content changes the id."""
    other = {
        "learner_id": "bob",
        "occurred_at": datetime(2026, 3, 29, 8, 16, tzinfo=UTC),
        "action": "lesson_complete",
        "value": 0.0,
        "course_id": "",
    }
    ids = [int(resolve(frame(), RULES).events["event_id"][0])]
    ids += [int(resolve(frame(**{name: [value]}), RULES).events["event_id"][0]) for name, value in other.items()]
    assert len(set(ids)) == 1 + len(other)
    assert int(resolve(frame(learner_id=["zoe", "ann"]), RULES).events["event_id"][1]) == ids[0]
    assert int(resolve(frame(value=[float("nan")]), RULES).events["event_id"][0]) == ids[0]


def test_ids_are_the_same_in_another_process() -> None:
    code = (
        "import polars as pl\nfrom simulation.adapters import hashing\n"
        "print(*hashing.texts(pl.Series(['', 'e1', 'a rather long id: 12345678', None])))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    here = hashing.texts(pl.Series(["", "e1", "a rather long id: 12345678", None]))
    assert out.split() == [str(value) for value in here]


def _by_hand(text: str) -> int:
    """Return the hash as the module's docstring defines it, in plain integers."""
    most = 2**64 - 1

    def mix(word: int) -> int:
        mixed = (word + 0x9E3779B97F4A7C15) & most
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & most
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & most
        return mixed ^ (mixed >> 31)

    data = text.encode()
    result = mix(len(data))
    for start in range(0, len(data), 8):
        result = mix(result ^ int.from_bytes(data[start : start + 8], "little"))
    return result


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1), st.integers(0, 3))
def test_text_hashes_are_as_defined(texts: list[str], cut: int) -> None:
    column = pl.Series(["cut off", None, *texts], dtype=pl.String)[min(cut, 2) :]
    expected = [_by_hand(text) if text is not None else int(hashing._NONE) for text in column]
    assert hashing.texts(column).tolist() == expected


def test_number_hashes_tell_none_from_zero() -> None:
    hashes = hashing.numbers(pl.Series([0.0, -0.0, None, float("nan"), 1.0]))
    assert hashes[0] == hashes[1]
    assert hashes[2] == hashes[3]
    assert len(set(hashes.tolist())) == 3


def test_scored_actions_are_in_the_rules() -> None:
    assert set(SCORED) <= set(RULES.actions)
