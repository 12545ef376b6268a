"""The tables that can be exported, each made entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from actors import daily
from actors.answers import Answer
from actors.deciding import tables_of
from actors.ports import Entry
from actors.register import Register
from engine import calendar
from engine.arrival import VERDICTS
from engine.errors import InputError
from engine.events import from_frame
from engine.outcomes import KINDS
from engine.risk.dropoff import standing_names
from engine.rules import Rules
from simulation import decision_log

TableName = Literal["events", "signals", "outcomes", "decisions"]

INSTANT = pa.timestamp("ms", "UTC")
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


@dataclass(frozen=True)
class ExportTable:
    """One table.

    Args:
        schema: returns names and types of its columns.
        rows: returns those of an entry, with the register as it stands after it; None = the entry has none.
    """

    schema: Callable[[Source], list[tuple[str, Any]]]
    rows: Callable[[Entry, Register, Source], Columns | None]


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
    log = [("learner_id", text), ("occurred_at", INSTANT), ("action", text), ("event_id", text)]
    log += [("value", pa.float32()), ("timezone", text), ("course_id", text), ("arrived_at", INSTANT)]
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
    return [*who, *((name, pa.int32()) for name in ("threshold", "ordinal", "amount")), ("at", INSTANT)]


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


def _decisions_schema(_source: Source) -> list[tuple[str, Any]]:
    columns = pl.DataFrame(schema=decision_log.schema()).to_arrow().schema
    own = [("learner_id", pa.string()), ("campaign", pa.string()), ("exposed", pa.bool_())]
    return [*own, *((field.name, _plain(field.type)) for field in columns)]


def _plain(kind: Any) -> Any:
    """Return a type without polars' large offsets."""
    if pa.types.is_large_list(kind):
        return pa.list_(pa.string())
    return pa.string() if pa.types.is_large_string(kind) else kind


def _decisions(entry: Entry, register: Register, source: Source) -> Columns | None:
    if entry.message.kind != "decide":
        return None
    table = tables_of(entry.message).matured
    kept, learners = _who(table["row"], register)
    table = table[kept]
    arms = [entry.message.body["treatments"][code] for code in table["treatment"].tolist()]
    frame = decision_log.to_frame(table, arms, source.rules)
    nested = (pl.String, pl.List)
    columns = {each.name: each.to_list() if each.dtype in nested else each.to_numpy() for each in frame}
    own = {"learner_id": learners, "campaign": [arm.partition("/")[0] for arm in arms], "exposed": table["exposed"] > 0}
    return {**own, **columns, "day": table["day"]}


TABLES: dict[TableName, ExportTable] = {
    "events": ExportTable(_events_schema, _events),
    "signals": ExportTable(_signals_schema, _signals),
    "outcomes": ExportTable(_outcomes_schema, _outcomes),
    "decisions": ExportTable(_decisions_schema, _decisions),
}
