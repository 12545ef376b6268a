"""The audit log as it is stored."""

from __future__ import annotations

from dataclasses import replace

from actors.storage.audit import AuditLine, AuditLog
from actors.storage.database import Database


def test_lines_are_paged_newest_first(database: Database) -> None:
    log = AuditLog(database)
    assert log.page() == []
    lines = [AuditLine(1_000 + n, "key:k1", "admin", "GET", f"/learners/{n}", 200, f"u-{n}") for n in range(7)]
    lines[3] = replace(lines[3], learner=None, status=403)
    for line in lines:
        log.append(line)
    read: list[AuditLine] = []
    while page := log.page(before=read[-1].id if read else None, limit=3):
        assert len(page) <= 3
        read += page
    assert [replace(line, id=None) for line in read] == lines[::-1]
    assert log.page(limit=2) == read[:2]
