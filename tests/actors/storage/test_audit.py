"""The audit log as it is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from actors.storage import audit
from actors.storage.audit import AuditLine, AuditLog
from actors.storage.database import Database, open_database
from tests.databases import sqlite_url

NEVER_MS = 0  # nothing is so old


def line(n: int, learner: str | None = None) -> AuditLine:
    return AuditLine(1_000 + n, "key:k1", "admin", "GET", f"/learners/{n}", 200, learner)


def plain(lines: list[AuditLine]) -> list[AuditLine]:
    """Return lines without what the database made of them."""
    return [replace(each, id=None, learner=None) for each in lines]


def test_lines_are_paged_newest_first(database: Database) -> None:
    log = AuditLog(database)
    assert log.page() == []
    lines = [line(n) for n in range(7)]
    lines[3] = replace(lines[3], status=403)
    for some in (lines[:1], lines[1:3], lines[3:]):
        log.append(some, NEVER_MS)
    read: list[AuditLine] = []
    while page := log.page(before=read[-1].id if read else None, limit=3):
        assert len(page) <= 3
        read += page
    assert plain(read) == lines[::-1]
    assert log.page(limit=2) == read[:2]
    assert plain(log.page(since_ms=1_004)) == lines[:3:-1]


def test_a_learner_is_found_by_who_knows_the_id_and_stands_nowhere(database: Database) -> None:
    ids = ["u-secret-1", "u-secret-2", "é 漢 \ud800"]
    AuditLog(database).append([line(n, learner) for n, learner in enumerate([*ids, None])], NEVER_MS)
    with open_database(database.url.render_as_string(hide_password=False)) as same:  # as another process does
        again = AuditLog(same)
        again.append([line(9, ids[0])], NEVER_MS)
        for log in (AuditLog(database), again):
            assert [each.at_ms for each in log.page(learner=ids[0])] == [1_009, 1_000]
            assert [each.at_ms for each in log.page(learner=ids[2])] == [1_002]
            assert log.page(learner="nobody") == log.page(learner="") == []
    hashes = [each.learner for each in AuditLog(database).page()]
    assert hashes[0] == hashes[-1] and len(set(hashes)) == 4
    with database.reading() as connection:
        kept = repr(connection.execute(text("SELECT * FROM audit")).all())
    assert "secret" not in kept and "漢" not in kept


def test_equal_ids_look_different_in_every_database(database: Database, tmp_path: Path) -> None:
    with open_database(sqlite_url(tmp_path / "other.db")) as other:
        other.migrate()
        told = set()
        for each in (database, other):
            AuditLog(each).append([line(0, "u-1")], NEVER_MS)
            told.add(AuditLog(each).page()[0].learner)
    assert len(told) == 2


def test_old_lines_are_dropped_when_new_ones_come(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(database)
    log.append([line(n) for n in range(5)], NEVER_MS)
    log.append([line(5)], oldest_ms=1_003)
    assert [each.at_ms for each in log.page()] == [1_005, 1_004, 1_003]
    monkeypatch.setattr(audit, "_OLDEST", 2)  # a writing looks at some of the oldest only, and the next goes on
    log.append([line(6)], oldest_ms=1_006)
    assert [each.at_ms for each in log.page()] == [1_006, 1_005]
    log.append([line(7)], oldest_ms=1_006)
    assert [each.at_ms for each in log.page()] == [1_007, 1_006]
