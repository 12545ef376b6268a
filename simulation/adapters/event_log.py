"""The event log: the one table that every data set is turned into, read and written as Parquet, CSV or NDJSON.

| column | meaning |
|---|---|
| learner_id | text; who |
| occurred_at | UTC instant; when (a text ends in Z or an offset) |
| action | a name of the rules; what |
| event_id | text; the same id of a learner never counts twice. Without one, the event's content is its id |
| value | score in 0-1, minutes, ... by action |
| timezone | IANA name that gives the local day; UTC where none is given |
| course_id | text |
| arrived_at | UTC instant of intake; without one the clock of a replay is the latest ``occurred_at`` so far |

The first three are needed, the others optional. Columns of other names are left out, but a name that is nearly one of
these is refused, since a column that is silently ignored costs more than an error.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from engine import calendar, events
from engine.errors import InputError, did_you_mean
from engine.rules import SCORED, Rules
from simulation.adapters import hashing
from simulation.adapters.columns import INSTANT, RawTable, first_broken_json, unpacked

SCHEMA: pl.Schema = pl.Schema(
    {
        "learner_id": pl.String(),
        "occurred_at": INSTANT,
        "action": pl.String(),
        "event_id": pl.String(),
        "value": pl.Float64(),
        "timezone": pl.String(),
        "course_id": pl.String(),
        "arrived_at": INSTANT,
    }
)
"""The canonical table, as `read` returns it: optional columns are there too, null where nothing was given."""

REQUIRED = ("learner_id", "occurred_at", "action")

FORMATS = {".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_CSV_INSTANT = "%Y-%m-%dT%H:%M:%S%.3fZ"
_NEARLY = 0.85  # likeness from which a column's name is taken for a misspelling


@dataclass(frozen=True)
class ResolvedLog:
    """A log as the engine takes it in."""

    learner_ids: list[str]  # sorted; an event's ``learner`` is the place here
    events: events.Events  # rows of `engine.events.EVENT`, in the order of the log


def read(path: Path) -> pl.DataFrame:
    """Return a log from a file, checked and typed as `SCHEMA`, rows in the file's order.

    Args:
        path: ``.parquet``, ``.csv``, ``.ndjson`` or ``.jsonl``; the last three also with ``.gz``.

    Raises:
        InputError: anything that is wrong with the file, its columns or a cell.
    """
    raw = _read_raw(path, format_of(path))
    if raw.frame.is_empty():
        raise InputError(str(path), "no events", "at least one row below the header")
    present = raw.frame.columns
    columns = {
        "learner_id": raw.text("learner_id", required=True),
        "occurred_at": raw.instant("occurred_at", required=True),
        "action": raw.text("action", required=True),
    }
    if "value" in present:
        columns["value"] = raw.number("value")
    if "timezone" in present:
        columns["timezone"] = raw.choice("timezone", calendar.zone_names(), "an IANA time zone such as 'Europe/Berlin'")
    if "arrived_at" in present:
        columns["arrived_at"] = raw.instant("arrived_at")
    columns |= {name: raw.text(name) for name in ("event_id", "course_id") if name in present}
    return canonical(pl.DataFrame(columns))


def canonical(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with exactly the columns of `SCHEMA`, those it lacks filled with nulls."""
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name not in frame.columns]
    return frame.with_columns(missing).select(SCHEMA.names()).cast(SCHEMA)


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a canonical log in the format of the file's name; optional columns without any value are left out.

    The file appears whole or not at all.

    Raises:
        InputError: the name has an unknown suffix.
    """
    form = format_of(path)
    kept = [name for name in SCHEMA if name in REQUIRED or frame[name].null_count() < len(frame)]
    frame = frame.select(kept)
    part = path.with_name(path.name + ".part")
    if form == "parquet":
        frame.write_parquet(part)
    else:
        instants = [pl.col(name).dt.strftime(_CSV_INSTANT) for name, dtype in frame.schema.items() if dtype == INSTANT]
        text = io.BytesIO()
        texts = frame.with_columns(instants)
        texts.write_csv(text) if form == "csv" else texts.write_ndjson(text)
        packed = gzip.compress(text.getvalue(), mtime=0) if path.suffix == ".gz" else text.getvalue()
        part.write_bytes(packed)
    os.replace(part, path)


def resolve(frame: pl.DataFrame, rules: Rules, source: str = "event log") -> ResolvedLog:
    """Return a canonical log as events: names become numbers, instants local days, event ids stable hashes.

    Args:
        frame: as `read` returns it.
        rules: the actions' codes, and how far clocks may run ahead.
        source: what to call the log in errors.

    Raises:
        InputError: an action that is unknown or made by the engine itself, a score outside 0-1, an event of the future.
    """
    ids = frame["learner_id"].unique().sort()
    places = pl.DataFrame({"learner_id": ids, "place": np.arange(len(ids), dtype=np.uint32)})
    learners = frame.select("learner_id").join(places, on="learner_id", how="left", maintain_order="left")["place"]

    log = events.empty(len(frame))
    log["learner"] = learners.to_numpy()
    log["occurred_ms"] = frame["occurred_at"].to_physical().to_numpy()
    log["arrived_ms"] = _arrivals(frame, log["occurred_ms"])
    log["action"] = _actions(frame, rules, source)
    log["value"] = frame["value"].fill_null(float("nan")).to_numpy()
    log["day"], log["minute"] = _local_times(frame["timezone"], log["occurred_ms"])
    log["event_id"] = _event_ids(frame, hashing.texts(ids)[log["learner"]])

    scored = frame["action"].is_in(SCORED) & ~frame["value"].is_between(0.0, 1.0).fill_null(value=True)
    _refuse(frame, scored, source, "value", "a score from 0 to 1", "Divide a percentage by 100.")
    early = pl.Series(log["occurred_ms"] - log["arrived_ms"] > rules.limits.future_minutes * calendar.MS_PER_MINUTE)
    limit = f"an instant at most {rules.limits.future_minutes} minutes after arrived_at"
    _refuse(frame, early, source, "occurred_at", limit, "Check the sender's clock, or mend the row.")
    return ResolvedLog(ids.to_list(), log)


def _arrivals(frame: pl.DataFrame, occurred_ms: events.Events) -> events.Events:
    clock = np.maximum.accumulate(occurred_ms)
    given = frame["arrived_at"]
    if given.null_count() == len(given):
        return clock
    return np.where(given.is_null().to_numpy(), clock, given.to_physical().fill_null(0).to_numpy())


def _actions(frame: pl.DataFrame, rules: Rules, source: str) -> events.Events:
    actions = frame["action"]
    sendable = {name: code for name, code in rules.codes.items() if not rules.actions[name].derived}
    for name in actions.unique(maintain_order=True):
        if name in sendable:
            continue
        derived = name in rules.codes
        expected = "an action that a log may hold" if derived else "an action of the rules"
        remedy = "The engine makes it itself: leave these rows out." if derived else did_you_mean(name, sendable)
        _refuse(frame, actions == name, source, "action", expected, remedy)
    return actions.replace_strict(sendable, return_dtype=pl.UInt8).to_numpy()


def _local_times(zones: pl.Series, occurred_ms: events.Events) -> calendar.LocalTime:
    names = zones.fill_null("UTC")
    known = names.unique().sort()
    if len(known) == 1:
        return calendar.local(occurred_ms, calendar.zone(known[0]))
    codes = names.cast(pl.Enum(known)).to_physical().cast(pl.Int64).to_numpy()
    return calendar.local_days(occurred_ms, codes, [calendar.zone(name) for name in known])


def _event_ids(frame: pl.DataFrame, learners: hashing.Hashes) -> hashing.Hashes:
    """Return the hash of each event's id, or of what the event says where it has none."""
    given = hashing.texts(frame["event_id"])
    nameless = frame["event_id"].is_null()
    if nameless.any():
        rows = np.flatnonzero(nameless.to_numpy())
        part = frame.filter(nameless)
        given[rows] = hashing.combine(
            learners[rows],
            part["occurred_at"].to_physical().to_numpy().view(np.uint64),
            hashing.texts(part["action"]),
            hashing.numbers(part["value"]),
            hashing.texts(part["course_id"]),
        )
    return given


def _refuse(frame: pl.DataFrame, wrong: pl.Series, source: str, column: str, expected: str, remedy: str) -> None:
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise InputError(f"{source}: row {row + 1}: {column}", repr(frame[column][row]), expected, remedy)


def format_of(path: Path) -> str:
    """Return the format that a file's name asks for: ``parquet``, ``csv`` or ``ndjson``.

    Raises:
        InputError: the name has an unknown suffix.
    """
    packed = path.suffix == ".gz"
    suffix = Path(path.stem).suffix if packed else path.suffix
    if suffix not in FORMATS or (packed and FORMATS[suffix] == "parquet"):
        raise InputError(
            str(path),
            f"suffix {''.join(path.suffixes[-2:]) if packed else path.suffix!r}",
            f"{', '.join(FORMATS)}, or a text format with .gz",
            did_you_mean(suffix, FORMATS),
        )
    return FORMATS[suffix]


def _read_raw(path: Path, form: str) -> RawTable:
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.glob("*")], n=1)
        raise InputError(str(path), "no such file", "an event log", f"Did you mean {near[0]!r}?" if near else "")
    if path.stat().st_size == 0:
        raise InputError(str(path), "an empty file", f"a log with the columns {', '.join(REQUIRED)}")
    try:
        if form == "parquet":
            _check_columns(path, pl.read_parquet_schema(path))
            return RawTable(path, form, pl.read_parquet(path))
        data = unpacked(path)
        first = next((line for line in io.BytesIO(data) if line.strip()), b"").decode("utf-8-sig")
        if form == "csv":
            _check_columns(path, next(csv.reader([first]), []))
            frame = pl.read_csv(data, infer_schema=False)
        else:
            _check_columns(path, json.loads(first, object_pairs_hook=lambda pairs: [name for name, _ in pairs]))
            frame = pl.read_ndjson(data, schema={name: pl.String() for name in SCHEMA})
    except (pl.exceptions.PolarsError, OSError, TypeError, ValueError) as error:
        broken = first_broken_json(path) if form == "ndjson" else 0
        where = f"{path}: line {broken}" if broken else str(path)
        expected = "one JSON object a line" if broken else f"a whole {form} file"
        raise InputError(where, str(error).splitlines()[0], expected) from None
    while len(frame) and all(cell is None for cell in frame.row(-1)):  # blank lines at the end
        frame = frame[:-1]
    return RawTable(path, form, frame)


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    found = list(columns)
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise InputError(f"{path}: columns", f"{twice[0]!r} twice", "each column once", "Rename or drop one of them.")
    extra = [name for name in found if name not in SCHEMA]
    for name in REQUIRED:
        if name not in found:
            near = difflib.get_close_matches(name, extra, n=1)
            remedy = f"Rename {near[0]!r} to {name!r}." if near else ""
            raise InputError(f"{path}: column {name!r}", f"columns {', '.join(found)}", f"a column {name!r}", remedy)
    absent = [name for name in SCHEMA if name not in found]
    for name in extra:
        near = difflib.get_close_matches(name, absent, n=1, cutoff=_NEARLY)
        if near:
            remedy = f"Did you mean {near[0]!r}?"
            raise InputError(f"{path}: column {name!r}", "an unknown column", "one of the event log's", remedy)
