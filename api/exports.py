"""Exports: what the journals hold, as Parquet tables for analysts.

A table is made from the journals alone, as they stand when it is begun; the service may go on meanwhile. Learners who
have been erased are in none of them; files made before an erasure are for their owner to delete.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from actors import daily
from actors.answers import Answer
from actors.ports import Entry, Journal
from actors.register import Register
from actors.retelling import retold, survey
from engine import calendar
from engine.arrival import VERDICTS
from engine.errors import InputError
from engine.events import from_frame
from engine.outcomes import KINDS
from engine.risk.dropoff import standing_names
from engine.rules import Rules

TableName = Literal["events", "signals", "outcomes"]
Progress = Callable[[int, int], None]
"""Called with (entries done, entries in all)."""

GROUP_ROWS = 65_536
"""Rows in memory at a time, and then in a row group of the file; an entry more or less."""

_INSTANT = pa.timestamp("ms", "UTC")
_LOG_ZONE = "UTC"  # of an event log's rows that name none, and so of imported ones

Columns = dict[str, Any]
"""Texts as lists, numbers as arrays, NaN = none; all of one length."""


class Source(NamedTuple):
    """What the rows of an entry are made with.

    Args:
        zone: IANA name of the service's own zone.
        rules: name actions and bands.
        signals: all that the table is to have.
    """

    zone: str
    rules: Rules
    signals: tuple[str, ...]


def export(
    name: TableName,
    journals: Sequence[Journal],
    zone: str,
    rules: Rules,
    out: Path,
    progress: Progress,
    columns: Collection[str] | None = None,
) -> int:
    """Write a table; return the number of its rows.

    Args:
        name: ``events`` (an event log, with what became of each event), ``signals`` (the daily scorings) or
            ``outcomes``.
        journals: all of a database, for reading.
        zone: IANA name of the service's own zone.
        rules: name actions and bands.
        out: file; it appears whole or not at all.
        progress: called as the work goes on.
        columns: that are written, ``learner_id`` among them; None = all.

    Raises:
        InputError: the rules are not those that the journals speak of.
    """
    table = _TABLES[name]
    found = [survey(journal) for journal in journals]
    source = Source(zone, rules, tuple(dict.fromkeys(signal for each in found for signal in each.signals)))
    total = sum(each.newest for each in found)
    schema = pa.schema([field for field in table.schema(source) if columns is None or field[0] in columns])

    def pieces() -> Iterator[Columns]:
        done = 0
        for journal, each in zip(journals, found, strict=True):
            for entry, register in retold(journal, each, zone):
                if (piece := table.rows(entry, register, source)) is not None:
                    yield {field: piece[field] for field in schema.names}
                done += 1
                progress(done, total)

    rows = 0
    draft = out.with_name(f".{out.name}.draft")
    try:
        with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
            for group in _groups(pieces()):
                writer.write_table(_arrow(group, schema))
                rows += len(group["learner_id"])
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return rows


def _groups(pieces: Iterator[Columns]) -> Iterator[Columns]:
    """Yield pieces put together, `GROUP_ROWS` at least but for the last."""
    parts: list[Columns] = []
    rows = 0
    for piece in pieces:
        parts.append(piece)
        rows += len(piece["learner_id"])
        if rows >= GROUP_ROWS:
            yield _joined(parts)
            parts, rows = [], 0
    if parts:
        yield _joined(parts)


def _joined(parts: list[Columns]) -> Columns:
    columns = {name: [part[name] for part in parts] for name in parts[0]}
    return {
        name: np.concatenate(column) if isinstance(column[0], np.ndarray) else list(itertools.chain(*column))
        for name, column in columns.items()
    }


def _arrow(columns: Columns, schema: Any) -> Any:
    plain = {"date32[day]": pa.int32(), str(_INSTANT): pa.int64()}
    arrays = []
    for field in schema:
        array = pa.array(columns[field.name], plain.get(str(field.type), field.type), from_pandas=True)
        arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class _Table:
    schema: Callable[[Source], list[tuple[str, Any]]]
    rows: Callable[[Entry, Register, Source], Columns | None]  # None = the entry has none


def _who(rows: NDArray[Any], register: Register) -> tuple[NDArray[np.int64], list[str]]:
    """Return the places of rows whose learners are there, and their ids."""
    ids = register.ids
    names = [ids[row] if row < len(ids) else None for row in rows.tolist()]
    return (
        np.array([place for place, name in enumerate(names) if name is not None], np.int64),
        [name for name in names if name is not None],
    )


def _events_schema(_source: Source) -> list[tuple[str, Any]]:
    text = pa.string()
    log = [("learner_id", text), ("occurred_at", _INSTANT), ("action", text), ("event_id", text)]
    log += [("value", pa.float32()), ("timezone", text), ("course_id", text), ("arrived_at", _INSTANT)]
    return [*log, ("local_day", pa.date32()), ("verdict", text), ("xp_awarded", pa.int32())]


def _events(entry: Entry, register: Register, source: Source) -> Columns | None:
    if entry.message.kind not in {"events", "import"}:
        return None
    batch = from_frame(entry.message.frame)
    kept, learners = _who(batch["learner"], register)
    details = entry.message.body.get("details") or [None] * len(batch)
    told = [details[place] or (None, None, None) for place in kept.tolist()]
    batch, receipts = batch[kept], Answer.of(entry.answer).receipts[kept]
    actions = list(source.rules.actions)
    if len(batch) and int(batch["action"].max()) >= len(actions):
        remedy = "Give the service's own rules: --rules FILE."
        raise InputError("rules", f"{len(actions)} actions", f"{int(batch['action'].max()) + 1} or more", remedy)
    own_ids = [told_id for told_id, _, _ in told]
    return {
        "learner_id": learners,
        "occurred_at": batch["occurred_ms"],
        "action": [actions[code] for code in batch["action"].tolist()],
        "event_id": [own or f"{key:016x}" for own, key in zip(own_ids, batch["event_id"].tolist(), strict=True)],
        "value": batch["value"],
        "timezone": _zones(batch, [zone for _, _, zone in told], register, source.zone),
        "course_id": [course for _, course, _ in told],
        "arrived_at": batch["arrived_ms"],
        "local_day": batch["day"],
        "verdict": [VERDICTS[code] for code in receipts["verdict"].tolist()],
        "xp_awarded": receipts["xp_awarded"],
    }


def _zones(batch: NDArray[Any], own: list[str | None], register: Register, default: str) -> list[str | None]:
    """Return for each event a zone that shows its local time as it counted, None = there is no telling which.

    So a replay counts it on the same day, whether the zone was the event's own, the profile's or the service's.
    """
    rows, occurred = batch["learner"].astype(np.int64), batch["occurred_ms"]
    zones: list[str | None] = [zone or default for zone in register.zones(rows, occurred, own)]
    wrong = _differs(batch, register.local(rows, occurred, own))
    imported = wrong & ~_differs(batch, calendar.local(occurred, calendar.zone(_LOG_ZONE)))
    for place in np.flatnonzero(wrong).tolist():
        zones[place] = _LOG_ZONE if imported[place] else None
    return zones


def _differs(batch: NDArray[Any], local: calendar.LocalTime) -> NDArray[np.bool_]:
    differs: NDArray[np.bool_] = (batch["day"] != local[0]) | (batch["minute"] != local[1])
    return differs


def _signals_schema(source: Source) -> list[tuple[str, Any]]:
    number = pa.float64()
    days = [("day", pa.date32()), ("signals_day", pa.date32())]
    fixed = [("learner_id", pa.string()), *days, ("risk", number), ("confidence", number), ("standing", pa.string())]
    return [*fixed, *((name, number) for name in source.signals)]


def _signals(entry: Entry, register: Register, source: Source) -> Columns | None:
    if entry.message.kind != "daily":
        return None
    table = daily.table_of(entry.message)
    kept, learners = _who(table["learner"], register)
    table = table[kept]
    names = standing_names(source.rules)
    unknown = np.full(len(table), np.nan)
    known = set(table.dtype.names or ())
    return {
        "learner_id": learners,
        "day": table["day"],
        "signals_day": table["signals_day"],
        "risk": table["risk"],
        "confidence": table["confidence"],
        "standing": [names[code] for code in table["standing"].tolist()],
        **{name: table[name] if name in known else unknown for name in source.signals},
    }


def _outcomes_schema(_source: Source) -> list[tuple[str, Any]]:
    who = [("learner_id", pa.string()), ("day", pa.date32()), ("kind", pa.string())]
    return [*who, *((name, pa.int32()) for name in ("threshold", "ordinal", "amount")), ("at", _INSTANT)]


def _outcomes(entry: Entry, register: Register, _source: Source) -> Columns | None:
    answer = Answer.of(entry.answer)
    if not len(answer.outcomes):
        return None
    if len(answer.receipts):  # those of the events, in their order
        at = np.repeat(from_frame(entry.message.frame)["arrived_ms"], answer.receipts["outcomes"])
    else:
        at = np.full(len(answer.outcomes), entry.message.body["now_ms"])
    kept, learners = _who(answer.outcomes["learner"], register)
    rows = answer.outcomes[kept]
    return {
        "learner_id": learners,
        "day": rows["day"],
        "kind": [KINDS[code] for code in rows["kind"].tolist()],
        **{name: rows[name] for name in ("threshold", "ordinal", "amount")},
        "at": at[kept],
    }


_TABLES: dict[str, _Table] = {
    "events": _Table(_events_schema, _events),
    "signals": _Table(_signals_schema, _signals),
    "outcomes": _Table(_outcomes_schema, _outcomes),
}
