"""The weekly report: says what happened, is made once, and by whoever is there."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from actors import daily
from actors.feed import Happening
from actors.ports import Entry
from actors.storage.reports import Report, ReportStore
from api import week, weekly
from api.routes import reports as routes
from api.weekly import WeeklyReports
from engine import calendar
from engine.experiments.campaigns import standard
from engine.risk.dropoff import standing_names
from tests.api.live import RULES, Live, living

MONDAY = date(2026, 3, 2)
ZONES = {"w": "UTC", "i": "Asia/Kolkata"}
FIRST_DAY, LAST = date(2026, 2, 2), date(2026, 3, 9)


def job(live: Live) -> WeeklyReports:
    return WeeklyReports(live.service, ReportStore(live.place.database), live.journal, RULES)


def stored(live: Live) -> list[Report]:
    """Return all reports, oldest first."""
    return ReportStore(live.place.database).newest(weekly.NAME)[::-1]


class Diary:
    """What a test saw happen, without asking any journal."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.active: dict[str, set[date]] = defaultdict(set)
        self.xp = Counter[str]()
        self.happened: list[Happening] = []
        live.service.feed.listen(self.happened.extend)

    def local_date(self, learner: str) -> date:
        return datetime.fromtimestamp(self.live.clock() / 1000, ZoneInfo(ZONES[learner[0]])).date()

    def track(self, learner: str) -> None:
        receipt = self.live.track(learner)
        today = self.local_date(learner)
        self.active[learner].add(today)
        if MONDAY <= today < MONDAY + timedelta(7):
            self.xp[learner] += receipt.xp_awarded

    def count(self, kind: str) -> int:
        days = range(calendar.day_number(MONDAY), calendar.day_number(MONDAY) + 7)
        return sum(each.kind == kind and each.facts["day"] in days for each in self.happened)

    def sends(self) -> Counter[str]:
        """Count the sends of the week, by what the learner did on the same day or the next."""
        tally = Counter[str]()
        for each in self.happened:
            sent_on = calendar.date_of(each.facts["day"]) if each.kind == "send" else date.min
            if MONDAY <= sent_on < MONDAY + timedelta(7):
                back = {sent_on, sent_on + timedelta(1)} & self.active[each.learner]
                over = self.local_date(each.learner) > sent_on + timedelta(1)
                tally["returned" if back else "gone" if over else "open"] += 1
        return tally


def five_weeks(live: Live) -> Diary:
    """Let forty learners of two zones come and go, until Monday morning after the week."""
    diary = Diary(live)
    chance = np.random.default_rng(5)
    learners = [f"{zone}-{number}" for zone in ZONES for number in range(20)]
    keen = dict(zip(learners, chance.beta(0.8, 1.2, len(learners)), strict=True))
    starts = {learner: FIRST_DAY + timedelta(int(chance.integers(0, 34))) for learner in learners}
    for learner in learners:
        live.profile(learner, timezone=ZONES[learner[0]])
    live.profile("w-only-a-profile", timezone="UTC")
    day = FIRST_DAY
    while day < LAST:
        # 15:35 is the best hour of the evening in Kolkata, 19:00 is tomorrow there
        for hour, busy in {"00:30": 0, "12:00": 1, "13:00": 1, "15:35": 0, "19:00": 1, "21:05": 0}.items():
            live.until(f"{day}T{hour}")
            for learner in learners:
                if busy and starts[learner] <= day and chance.random() < keen[learner] / 2:
                    diary.track(learner)
        day += timedelta(1)
    live.until(f"{LAST}T00:30", f"{LAST}T13:00")
    return diary


@pytest.mark.parametrize("actors", [1, 3])
def test_a_report_says_what_happened(tmp_path: Path, actors: int) -> None:
    with living(tmp_path, f"{FIRST_DAY}T00:10", actors=actors, campaigns=standard("none")[2:]) as live:  # streaks
        diary = five_weeks(live)
        job(live).step(live.clock())
        (report,) = stored(live)
        body = report.body
        days = [MONDAY + timedelta(number) for number in range(7)]
        month = {MONDAY + timedelta(6 - ago) for ago in range(30)}
        by_sunday = {learner: {day for day in seen if day <= days[-1]} for learner, seen in diary.active.items()}
        begun = {learner for learner, seen in by_sunday.items() if seen}

        assert (report.period, report.created_ms) == ("2026-W10", live.clock())
        assert body["learners"] == 41
        assert body["new"] == sum(min(by_sunday[learner]) >= MONDAY for learner in begun) > 0
        assert body["by_day"] == [sum(day in seen for seen in by_sunday.values()) for day in days]
        assert body["weekly"] == sum(bool(seen & set(days)) for seen in by_sunday.values())
        assert body["monthly"] == sum(bool(seen & month) for seen in by_sunday.values()) > body["weekly"]

        sends = diary.sends()
        counted = [sum(sends.values()), sends["returned"], sends["open"]]
        assert body["sends"] == {"streak_warning": counted}
        assert min(sends[kind] for kind in ("returned", "gone", "open")) > 0
        for name in ("streaks_ended", "freezes_used", "streaks_restored", "freezes_refunded"):
            kind = name.replace("streaks", "streak").replace("freezes", "freeze")
            assert body[name] == diary.count(kind)
        assert body["streaks_ended"] > 0

        def named(rows: list[list[Any]]) -> list[tuple[Any, ...]]:
            return [(live.service.lanes[log].id_of(row), *rest) for log, row, *rest in rows]

        earned = dict(named(body["earners"]))
        assert list(earned.values()) == sorted(diary.xp.values(), reverse=True)[: weekly.TOP]
        assert all(diary.xp[learner] == xp for learner, xp in earned.items())
        standing, risks = scored(live)
        rises = {learner: after - before for learner, (before, after) in risks.items() if after > before}
        risers = [learner for learner, _, _ in named(body["risers"])]
        assert [rises[learner] for learner in risers] == sorted(rises.values(), reverse=True)[: weekly.TOP]
        for learner, before, after in named(body["risers"]):
            assert (before, after) == tuple(np.round(risks[learner], 1))

        silent = {learner for learner in begun if max(by_sunday[learner]) < MONDAY + timedelta(6 - 13)}
        expected = Counter(standing[learner] for learner in begun - silent)
        expected |= Counter(dropped_off=len(silent), not_started=41 - len(begun))
        assert {name: count for name, count in body["standings"].items() if count} == expected
        assert min(expected["dropped_off"], expected["not_started"], expected["low"]) > 0
        assert sum(body["standings"].values()) == body["learners"]


def scored(live: Live) -> tuple[dict[str, str], dict[str, tuple[float, float]]]:
    """Return each learner's last standing, and first and last risk, of the daily scorings of the week."""
    monday, names = calendar.day_number(MONDAY), standing_names(RULES)
    standing: dict[str, str] = {}
    risks: dict[str, tuple[float, float]] = {}
    for lane in live.service.lanes:
        for entry in live.journal(lane.log).read(0):
            for row in daily.table_of(entry.message) if entry.message.kind == "daily" else ():
                learner = lane.id_of(int(row["learner"])) or ""
                if monday <= row["day"] <= monday + 7:
                    standing[learner] = names[row["standing"]]
                    risks[learner] = (risks.get(learner, (row["risk"],))[0], row["risk"])
    return standing, risks


def test_it_is_due_when_sunday_has_ended_everywhere(tmp_path: Path) -> None:
    with living(tmp_path, "2026-03-04T12:00", zone="Europe/Berlin") as live:
        live.track("ana")
        works = job(live)
        for instant in ("2026-03-04T12:00", "2026-03-08T23:00", "2026-03-09T12:59"):
            live.until(instant)
            works.step(live.clock())
        assert stored(live) == []
        live.until("2026-03-09T13:00")
        works.step(live.clock())
        assert [report.period for report in stored(live)] == ["2026-W10"]


def test_run_twice_or_on_two_nodes_it_counts_once(tmp_path: Path) -> None:
    with living(tmp_path, "2026-03-04T12:00") as live:
        live.track("ana")
        live.until("2026-03-09T13:00")
        nodes = [threading.Thread(target=job(live).step, args=(live.clock(),)) for _ in range(4)]
        for node in nodes:
            node.start()
        for node in nodes:
            node.join()
        (first,) = stored(live)
        live.until("2026-03-12T13:00")
        live.track("ben")
        job(live).step(live.clock())
        assert stored(live) == [first]


def test_a_node_that_was_down_on_monday_makes_it_when_it_is_back(tmp_path: Path) -> None:
    with living(tmp_path, "2026-03-04T12:00") as live:
        live.track("ana")
        job(live).step(live.clock())
    with living(tmp_path, "2026-03-11T15:00") as live:
        job(live).step(live.clock())
        (report,) = stored(live)
        assert (report.period, report.created_ms) == ("2026-W10", live.clock())
        assert report.body["by_day"] == [0, 0, 1, 0, 0, 0, 0]
        assert report.body["standings"]["not_scored"] == 1  # nobody was there to score on the days that followed


def test_weeks_that_were_missed_are_made_up_for(tmp_path: Path) -> None:
    with living(tmp_path, "2026-03-04T12:00") as live:
        live.track("ana")
        live.until("2026-03-09T13:00")
        works = job(live)
        works.step(live.clock())
        live.until("2026-03-18T13:00")
        live.track("ana")
        live.until("2026-04-01T13:00")
        works.step(live.clock())
        made = {report.period: report.body["weekly"] for report in stored(live)}
        assert made == {"2026-W10": 1, "2026-W11": 0, "2026-W12": 1, "2026-W13": 0}
        live.until("2027-03-01T13:00")
        job(live).step(live.clock())
        assert len(stored(live)) == 4 + 8


def test_there_is_no_report_of_a_week_without_learners(tmp_path: Path) -> None:
    with living(tmp_path, "2026-03-11T12:00") as live:
        works = job(live)
        works.step(live.clock())
        live.track("ana")
        job(live).step(live.clock())
        assert stored(live) == []
        live.until("2026-03-16T13:00")
        works.step(live.clock())
        assert [report.period for report in stored(live)] == ["2026-W11"]


def test_a_week_is_read_from_where_the_one_before_ended(tmp_path: Path) -> None:
    begun: list[int] = []

    class Watched:
        def __init__(self, live: Live, log: int) -> None:
            self.live, self.log = live, log

        def read(self, after: int) -> Iterator[Entry]:
            begun.append(after)
            return self.live.journal(self.log).read(after)

    with living(tmp_path, "2026-03-02T12:00") as live:
        watched: Any = partial(Watched, live)  # it is only read
        works = WeeklyReports(live.service, ReportStore(live.place.database), watched, RULES)
        for day in range(2, 24):
            live.until(f"2026-03-{day:02}T13:00")
            works.step(live.clock())
            live.track("ana")
            live.until(f"2026-03-{day:02}T19:00")
        assert len(begun) == 3
        assert begun[0] == 0 < begun[1] < begun[2]
        lane = live.service.lanes[0]
        for report, after in zip(stored(live), begun, strict=True):
            monday = week.monday_of(report.period)
            short, whole = (week.gather(lane, live.journal(), monday, start, live.clock()) for start in (after, 0))
            for name in ("risk", "standing", "xp", "outcomes"):
                np.testing.assert_array_equal(getattr(short, name), getattr(whole, name))
            assert (short.sends, short.next) == (whole.sends, whole.next)
            assert short.xp.sum() > 0


def test_who_is_erased_has_no_name_in_any_report(tmp_path: Path) -> None:
    with living(tmp_path, "2026-03-04T12:00") as live:
        for learner in ("ana-of-old", "ben"):
            live.track(learner)
        live.until("2026-03-05T00:10", "2026-03-06T00:10", "2026-03-09T13:00")
        job(live).step(live.clock())
        assert "ana-of-old" not in json.dumps(stored(live)[0].body)
        page = partial(routes._page, live.service, ReportStore(live.place.database), 10, None)
        assert {each.user_id for each in page().reports[0].top_earners} == {"ana-of-old", "ben"}
        assert {each.user_id for each in page().reports[0].risers} == {"ana-of-old", "ben"}
        live.service.erase("ana-of-old", "hash")
        live.track("somebody-new")
        assert {each.user_id for each in page().reports[0].top_earners} == {"ben"}
        assert {each.user_id for each in page().reports[0].risers} == {"ben"}


@pytest.mark.parametrize("name", ["2026-W01", "2026-W53", "2027-W01", "2024-W09"])
def test_a_week_has_one_name(name: str) -> None:
    monday = week.monday_of(name)
    assert calendar.weekday(monday) == 0
    assert week.name_of(monday) == name
    assert week.name_of(monday + 7) > name


def test_sunday_evening_in_the_west_is_in_the_report(tmp_path: Path) -> None:
    with living(tmp_path, "2026-03-04T12:00") as live:
        live.profile("lou", timezone="America/Los_Angeles")
        for instant in ("2026-03-09T06:10", "2026-03-09T06:40", "2026-03-09T13:00"):
            live.track("lou")  # at first on Wednesday; then until 23:40 of her Sunday
            live.until(instant)
            job(live).step(live.clock())
        [report] = stored(live)
        assert (report.period, report.body["by_day"]) == ("2026-W10", [0, 0, 1, 0, 0, 0, 1])
