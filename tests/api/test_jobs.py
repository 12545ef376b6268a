"""Jobs: called as the clock goes on; what fails is tried again, and the service never ends by it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.ports import JournalError
from actors.storage.database import Database
from actors.storage.reports import Report, ReportStore
from actors.storage.services import Services
from api import jobs, keys, weekly
from api.access import Role, Scope
from api.cli import history as command
from api.clock import ManualClock, wall_clock
from api.context import Context
from api.place import find_place, zone_of
from api.serving import open_app
from api.settings import Settings
from api.week import monday_of, name_of
from engine.errors import InputError
from engine.risk import model as risk_model
from tests.api.live import RULES, ms

SOON_S = 10.0


def soon(happens: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    until = time.monotonic() + SOON_S
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.01)


class Counting:
    """A job that fails as often as it is told to."""

    def __init__(self, failures: int = 0, error: Exception | None = None) -> None:
        self.failures, self.error = failures, error or ZeroDivisionError("oh")
        self.instants: list[int] = []

    def step(self, now_ms: int) -> None:
        self.instants.append(now_ms)
        if len(self.instants) <= self.failures:
            raise self.error


def test_a_job_is_called_as_the_clock_goes_on() -> None:
    clock, job = ManualClock(1_000), Counting()
    with jobs.ticking("test", job, clock):
        soon(lambda: 1_000 in job.instants)
        clock.advance(days=3)
        soon(lambda: clock() in job.instants)
    count = len(job.instants)
    time.sleep(0.3)
    assert len(job.instants) == count
    assert not [thread for thread in threading.enumerate() if thread.name == "job-test"]


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), JournalError("database x", "no room left on its disk")])
def test_a_job_that_fails_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(jobs, "_TROUBLE_S", 0.05)
    job = Counting(failures=3, error=error)
    with jobs.ticking("test", job, ManualClock()):
        soon(lambda: len(job.instants) > 4)
    told = [record for record in caplog.records if record.name == "engage.jobs"]
    assert [record.levelno for record in told] == [logging.WARNING] * 3
    assert all("job-test" in record.getMessage() and str(error) in record.getMessage() for record in told)
    assert bool(told[0].exc_info) is isinstance(error, ZeroDivisionError)  # known trouble needs no traceback


def test_a_service_shows_every_ten_seconds_that_it_is_alive(database: Database) -> None:
    services = Services(database)
    beats = jobs.Beats(services, "a")
    for now_ms, alive_since in ((50_000, 50_000), (59_999, 50_000), (60_000, 60_000), (20_000, 20_000)):
        beats.step(now_ms)
        assert services.alive(alive_since) == ["a"]
        assert services.alive(alive_since + 1) == []


def test_a_service_is_alive_while_it_runs(database: Database) -> None:
    services, clock = Services(database), ManualClock(1_000_000)
    with jobs.alive(services, clock), jobs.alive(services, clock):
        assert len(services.alive(clock())) == 2
        clock.advance(seconds=11)
        soon(lambda: len(services.alive(clock())) == 2)
    assert services.alive(0) == []


def test_a_service_that_enters_forgets_those_that_were_killed_long_ago(database: Database) -> None:
    services, clock = Services(database), ManualClock(1_000_000)
    services.beat("killed", clock())
    for days, rows in ((0, 2), (1, 2), (0.001, 1)):
        clock.advance(days=days)
        with jobs.alive(services, clock):
            assert len(services.alive(0)) == rows


def app_context(app: Any) -> Context:
    context: Context = app.state.context
    return context


def test_a_running_app_beats_and_reports(tmp_path: Path) -> None:
    clock = ManualClock(wall_clock())
    model = risk_model.load()
    with open_app(tmp_path, None, Settings(), RULES, model, runtime="local", clock=clock, zone="Asia/Kolkata") as app:
        log = tmp_path / "log.csv"
        log.write_text("learner_id,occurred_at,action\nana,2026-03-02T09:00:00Z,lesson_complete\n")
        with pytest.raises(InputError, match="running on it"):
            command.import_(log, tmp_path)
    command.import_(log, tmp_path)
    assert zone_of(find_place(tmp_path, None)) == "Asia/Kolkata"

    clock.set(ms("2026-03-08T20:00"))
    with open_app(tmp_path, None, Settings(), RULES, model, runtime="local", clock=clock, zone="Asia/Kolkata") as app:
        reports = ReportStore(app_context(app).database)
        time.sleep(0.5)
        assert reports.newest(weekly.NAME) == []
        clock.set(ms("2026-03-09T13:00"))
        soon(lambda: bool(reports.newest(weekly.NAME)))
        assert [each.period for each in reports.newest(weekly.NAME)] == ["2026-W10"]
    with find_place(tmp_path, None).database as database:
        assert Services(database).alive(0) == []


def test_reports_are_read_page_by_page_by_admins(tmp_path: Path) -> None:
    clock = ManualClock(ms("2026-03-04T12:00"))
    empty: dict[str, Any] = {
        "learners": 0, "new": 0, "by_day": [0] * 7, "weekly": 0, "monthly": 0, "standings": {"low": 0},
        "sends": {"streak_warning": [3, 1, 1], "gentle_reminder": [1, 0, 1]}, "streaks_ended": 1, "streaks_restored": 0,
        "freezes_used": 2, "freezes_refunded": 0, "risers": [], "earners": [], "next": {},
    }  # fmt: skip
    names = [name_of(monday_of("2025-W48") + 7 * number) for number in range(7)]
    with open_app(tmp_path, None, Settings(), RULES, risk_model.load(), runtime="local", clock=clock) as app:
        reports = ReportStore(app_context(app).database)
        for name in names:
            reports.add(Report(weekly.NAME, name, empty, clock()))
        tokens = app.state.rim.tokens

        def ask(role: Role, **params: Any) -> httpx.Response:
            async def call() -> httpx.Response:
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engage") as client:
                    headers = {"Authorization": f"Bearer {credentials[role]}"}
                    return await client.get("/api/engagement/reports/weekly", params=params, headers=headers)

            return asyncio.run(call())

        store = app.state.rim.keys
        credentials = {role: keys.create(store, "test", role, clock()).text for role in (Role.SERVICE, Role.ADMIN)} | {
            Role.LEARNER: tokens.mint("ana", 600, frozenset(Scope)).text
        }
        assert [ask(role).status_code for role in (Role.LEARNER, Role.SERVICE, Role.ADMIN)] == [403, 403, 200]

        found, cursor = [], {}
        for size in (3, 3, 1):
            page = ask(Role.ADMIN, limit=3, **cursor).json()
            assert len(page["reports"]) == size
            found += [report["week"] for report in page["reports"]]
            cursor = {"cursor": page["nextCursor"]}
        assert (found, cursor) == (names[::-1], {"cursor": None})
        assert "2026-W01" in found

        report = ask(Role.ADMIN, limit=1).json()["reports"][0]
        assert (report["week"], report["begins"], report["ends"]) == ("2026-W02", "2026-01-05", "2026-01-11")
        assert report["madeAt"] == "2026-03-04T12:00:00Z"
        assert report["standings"] == [{"standing": "low", "learners": 0, "share": None}]
        assert [(each["type"], each["returnRate"]) for each in report["sends"]] == [
            ("streak_warning", 0.5), ("gentle_reminder", None),
        ]  # fmt: skip
        for wrong in ({"limit": 0}, {"limit": 54}, {"cursor": "2026"}, {"cursor": "2026-W54"}, {"limit": "x"}):
            assert ask(Role.ADMIN, **wrong).status_code == 422
