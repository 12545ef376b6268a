"""Exports: what the journals hold, as Parquet tables for analysts.

A table is made from the journals alone, as they stand when it is begun; the service may go on meanwhile. Learners who
have been erased are in none of them; files made before an erasure are for their owner to delete.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from actors.ports import Journal
from actors.retelling import retold, survey
from api.export_tables import INSTANT, TABLES, Columns, Source, TableName
from engine.rules import Rules

Progress = Callable[[int, int], None]
"""Called with (entries done, entries in all)."""

GROUP_ROWS = 65_536
"""Rows in memory at a time, and then in a row group of the file; an entry more or less."""


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
            ``outcomes``, or ``decisions`` (of campaigns, once their rewards are known).
        journals: all of a database, for reading.
        zone: IANA name of the service's own zone.
        rules: name actions and bands.
        out: file; it appears whole or not at all.
        progress: called as the work goes on.
        columns: that are written, ``learner_id`` among them; None = all.

    Raises:
        InputError: the rules are not those that the journals speak of.
    """
    table = TABLES[name]
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
    plain = {"date32[day]": pa.int32(), str(INSTANT): pa.int64()}
    arrays = []
    for field in schema:
        array = pa.array(columns[field.name], plain.get(str(field.type), field.type), from_pandas=True)
        arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
