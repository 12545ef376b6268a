"""Reports of jobs. A job that runs twice, or on two nodes, reports once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from actors.storage.database import Database
from actors.storage.rows import put_once, to_json
from actors.storage.schema import REPORTS


@dataclass(frozen=True)
class Report:
    """What a job found for a period.

    Args:
        name: of the kind of report, such as ``weekly``.
        period: which it covers, such as ``2026-W14``; periods of one name sort as time goes.
        body: anything JSON can say.
        created_ms: when it was made.
    """

    name: str
    period: str
    body: Any
    created_ms: int


class ReportStore:
    """The reports of a database.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, report: Report) -> bool:
        """Keep a report. Return False where its period has one already, which stays."""
        return put_once(self._database, REPORTS, {**vars(report), "body": to_json(report.body)})

    def newest(self, name: str, limit: int = 100, before: str | None = None) -> list[Report]:
        """Return reports of a name, newest period first.

        Args:
            name: of the kind of report.
            limit: how many at most.
            before: period of the last report of the page before, None = from the newest.
        """
        wanted = select(REPORTS).where(REPORTS.c.name == name).order_by(REPORTS.c.period.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(REPORTS.c.period < before)
        with self._database.reading() as connection:
            return [_report(row._asdict()) for row in connection.execute(wanted)]


def _report(row: dict[str, Any]) -> Report:
    return Report(**{**row, "body": json.loads(row["body"])})
