"""What is put once, and what is put anew: reports, proofs of erasure, settings, signs of life."""

from __future__ import annotations

import threading
from dataclasses import replace

from actors.storage.database import Database
from actors.storage.erasures import Erasure, ErasureStore
from actors.storage.reports import Report, ReportStore
from actors.storage.services import Services
from actors.storage.settings import Settings

REPORT = Report("weekly", "2026-W14", {"dau": 12.5, "movers": ["u-1", None], "name": "\x00 é 漢 \ud800"}, 5_000)


def test_a_report_stands_once(database: Database) -> None:
    reports = ReportStore(database)
    assert reports.newest("weekly") == []
    assert reports.add(REPORT)
    assert not reports.add(replace(REPORT, body={}, created_ms=6_000))
    assert reports.newest("weekly") == [REPORT]
    assert reports.add(replace(REPORT, name="daily"))
    later = replace(REPORT, period="2026-W15")
    assert reports.add(later)
    assert reports.newest("weekly") == [later, REPORT]
    assert reports.newest("weekly", limit=1) == [later]
    assert reports.newest("weekly", before="2026-W15") == [REPORT]
    assert reports.newest("monthly") == []


def test_of_many_jobs_one_reports(database: Database) -> None:
    reports, added = ReportStore(database), []
    jobs = [
        threading.Thread(target=lambda n=n: added.append(reports.add(replace(REPORT, created_ms=n)))) for n in range(8)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert sorted(added) == [False] * 7 + [True]


def test_an_erasure_is_proved_by_the_hash_of_the_learner(database: Database) -> None:
    erasures = ErasureStore(database)
    first, again = Erasure(2, 10, "abc", 1_000, {"entries": 3}), Erasure(2, 40, "abc", 2_000, {})
    for erasure in (again, first, Erasure(1, 10, "other", 1_500, {})):
        assert erasures.add(erasure)
    assert not erasures.add(replace(first, learner_hash="other"))
    assert erasures.find("abc") == [first, again]
    assert erasures.find("nobody") == []


def test_a_setting_is_settled_by_the_first(database: Database) -> None:
    settings = Settings(database)
    assert settings.get("logs") is None
    assert settings.settle("logs", "4") == "4"
    assert settings.settle("logs", "8") == "4"
    settings.put("logs", "16")
    settings.put("format", "")
    assert (settings.get("logs"), settings.get("format"), settings.settle("format", "1")) == ("16", "", "")


def test_services_that_are_alive_are_seen(database: Database) -> None:
    services = Services(database)
    assert services.alive(0) == []
    for service, now_ms in (("a", 1_000), ("b", 2_000), ("a", 3_000)):
        services.beat(service, now_ms)
    assert services.alive(2_000) == ["a", "b"]
    assert services.alive(2_001) == ["a"]
    services.leave("a")
    services.leave("a")
    assert services.alive(0) == ["b"]


def test_services_that_were_killed_are_forgotten(database: Database) -> None:
    services = Services(database)
    for service, now_ms in (("a", 1_000), ("b", 2_000), ("c", 3_000)):
        services.beat(service, now_ms)
    services.forget(before_ms=2_000)
    assert services.alive(0) == ["b", "c"]
