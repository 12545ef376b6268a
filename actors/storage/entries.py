"""Entries as rows: a checksum over every byte tells a row that is what was written from one that is not."""

from __future__ import annotations

import json
import zlib
from typing import Any

from actors.ports import CorruptJournalError, Entry, Message
from actors.storage.rows import Row, to_json


def encoded(log: int, entry: Entry, epoch: int) -> dict[str, Any]:
    """Return the row of an entry, as the columns of `actors.storage.schema.JOURNAL` are called."""
    row = {
        "log": log,
        "sequence": entry.sequence,
        "epoch": epoch,
        "kind": entry.message.kind,
        "body": to_json(entry.message.body),
        "frame": entry.message.frame,
        "answer_kind": entry.answer.kind,
        "answer": to_json(entry.answer.body),
        "answer_frame": entry.answer.frame,
    }
    row["checksum"] = _checksum(row)
    return row


def decoded(row: Row) -> Entry:
    """Return the entry of a row.

    Raises:
        CorruptJournalError: the row is not what was written.
    """
    if row["checksum"] != (computed := _checksum(row)):
        raise damaged(
            row["log"], row["sequence"], f"content with checksum {computed}", f"checksum {row['checksum']}, as written"
        )
    return Entry(
        row["sequence"],
        Message(row["kind"], json.loads(row["body"]), row["frame"]),
        Message(row["answer_kind"], json.loads(row["answer"]), row["answer_frame"]),
    )


def damaged(log: int, sequence: int, got: str, expected: str) -> CorruptJournalError:
    """Return the error that names an entry which is not what was written."""
    remedy = "Stop the service, check the disk, and restore the newest back-up; nothing is read past this entry."
    return CorruptJournalError(f"journal entry {sequence} of log {log}", got, expected, remedy)


def _checksum(row: Row) -> int:
    """Return the CRC-32 of all parts and of where each begins; of the epoch not, which says nothing of the content."""
    parts = [row[name].encode() for name in ("kind", "body", "answer_kind", "answer")]
    parts += [row["frame"], row["answer_frame"]]
    crc = zlib.crc32(f"{row['log']} {row['sequence']} {[len(part) for part in parts]}".encode())
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc
