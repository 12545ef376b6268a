"""The learning loop in the service: a better model is found in what was kept, and everybody is moved on to it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actors import daily
from actors.storage.reports import ReportStore
from api import learning
from api.access import Role
from api.drifting import NAME as DRIFT
from api.drifting import Drifting
from api.learning import Learning, registry_of
from api.rolling import Rolling
from engine.calendar import MS_PER_DAY
from engine.risk import model as risk_model
from engine.risk.dropoff import labels
from engine.risk.model import RiskModel
from tests.api.engage import engage
from tests.api.live import Live, living
from tests.api.site import SOON_S, Site, open_site

MODEL = risk_model.load()
NOON = "2026-03-02T12:00"


def another(share: float = 0.5) -> RiskModel:
    """Return a model of other numbers: its risks are a share of the packaged one's."""
    table = MODEL.calibration
    return replace(MODEL, calibration=replace(table, low=table.low * share, p=table.p * share, high=table.high * share))


def risks(live: Live) -> dict[str, float]:
    found = {}
    for lane in live.service.lanes:
        risk = lane.ask("columns", ["risk"], live.clock())["risk"]
        found |= {learner: value for learner, value in zip(lane.ids(len(risk)), risk.tolist(), strict=True) if learner}
    return found


def test_everybody_is_scored_by_the_champion_and_by_the_one_before_after_a_roll_back(tmp_path: Path) -> None:
    with living(tmp_path, NOON, actors=2) as live:
        for learner in ("ann", "bob", "cyd"):
            live.track(learner)
        live.service.settle()
        before = risks(live)
        registry = registry_of(live.place.data)
        rolling = Rolling(live.service, registry, MODEL)
        rolling.step(live.clock())
        live.service.settle()
        assert risks(live) == before and rolling.model is MODEL

        version = registry.add(another())
        registry.promote(version, live.clock(), {})
        rolling.step(live.clock())
        live.service.settle()
        assert rolling.model.version == version
        assert risks(live) == pytest.approx({learner: risk / 2 for learner, risk in before.items()})

        registry.promote(registry.add(MODEL), live.clock(), {})
        rolling.step(live.clock())
        live.service.settle()
        assert risks(live) == before


def test_a_champion_that_cannot_be_read_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with living(tmp_path, NOON) as live:
        live.track("ann")
        registry = registry_of(live.place.data)
        rolling = Rolling(live.service, registry, MODEL)
        version = registry.add(another())
        registry.promote(version, live.clock(), {})
        (registry.directory / f"{version}.json").write_text("{}")
        for _ in range(3):
            rolling.step(live.clock())
        live.service.settle()
        assert rolling.model is MODEL and caplog.text.count("is not taken") == 1
        assert risks(live)["ann"] > 0


def test_no_daily_scoring_mixes_two_models_while_learners_come_and_the_model_changes(tmp_path: Path) -> None:
    halves = another()
    with living(tmp_path, NOON, actors=2) as live:
        registry = registry_of(live.place.data)
        rolling = Rolling(live.service, registry, MODEL)
        registry.add(halves), registry.add(MODEL)
        ending, failed = threading.Event(), []

        def come() -> None:
            number = 0
            while not ending.is_set():
                try:
                    live.track(f"u{number % 300}")
                except Exception as error:  # noqa: BLE001  # whatever it is, the test is told
                    failed.append(error)
                    return
                number += 1

        threads = [threading.Thread(target=come) for _ in range(2)]
        for thread in threads:
            thread.start()
        for turn in range(12):
            registry.promote((halves if turn % 2 else MODEL).version, live.clock(), {})
            rolling.step(live.clock())
            if turn % 3 == 2:
                live.clock.advance(days=1)
                live.service.settle()
        ending.set()
        for thread in threads:
            thread.join()
        live.service.settle()
        assert not failed
        messages = [
            entry.message
            for lane in live.service.lanes
            for entry in live.journal(lane.log).read(0)
            if entry.message.kind == "daily"
        ]
        assert {message.body["model"] for message in messages} <= {"", MODEL.version, halves.version}
        counted = 0
        for message in messages:
            table = daily.table_of(message)
            matrix = np.stack([table[name] for name in MODEL.signals], axis=1)
            used = halves if message.body["model"] == halves.version else MODEL
            np.testing.assert_array_equal(table["risk"], used.score(matrix)[:, 0])
            counted += len(table)
        assert counted >= 100


def test_the_service_answers_by_the_new_model_and_says_so(tmp_path: Path) -> None:
    with open_site(tmp_path, actors=1) as site:
        site.days(3, "ann")
        before = site.post("/calculate", {"userId": "ann"})
        registry = registry_of(tmp_path)
        version = registry.add(another())
        registry.promote(version, site.clock(), {})
        eventually(lambda: site.post("/calculate", {"userId": "ann"})["modelVersion"] == version)
        after = site.post("/calculate", {"userId": "ann"})
        assert after["dropOffRisk"] == pytest.approx(before["dropOffRisk"] / 2, abs=0.011)
        assert f'engage_risk_model{{version="{version}"}} 1.0' in metrics(site)
    with open_site(tmp_path, actors=1) as site:
        assert site.post("/calculate", {"userId": "ann"})["modelVersion"] == version


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < until, "in vain"
        time.sleep(0.02)


def metrics(site: Site) -> str:
    return site.http.get("/metrics", headers=site.bearer(Role.ADMIN)).text


def test_what_is_told_of_a_risk_weeks_later_is_what_became_of_the_learner(tmp_path: Path) -> None:
    with living(tmp_path, "2026-03-02T14:00") as live:
        drifting = Drifting(live.service.lanes, ReportStore(live.place.database), lambda: MODEL)
        draw = np.random.default_rng(4)
        lives = {f"u{number}": int(draw.integers(2, 45)) for number in range(40)}
        active = np.zeros((40, 45), bool)
        for day in range(45):
            for number, (learner, end) in enumerate(lives.items()):
                if day < end and draw.random() < 0.6:
                    live.track(learner)
                    active[number, day] = True
            live.service.settle()
            drifting.step(live.clock())
            live.clock.advance(days=1)
            live.service.settle()
        reports = ReportStore(live.place.database).newest(DRIFT, 100)[::-1]
        assert [len(reports), reports[-1].body["period"]] == [45, "2026-04-15"]
        assert drifting.newest == reports[-1].body
        found, first = labels(active), live.clock() // MS_PER_DAY - 45
        said, happened = [], []
        for report in reports[45 - 22 - 14 : 45 - 22 + 0]:
            for _, row, day, risk in report.body["sample"]:
                learner = live.service.lanes[0].id_of(row)
                place = list(lives).index(str(learner)), day - first
                assert found.known[place] and found.eligible[place]
                said.append(risk / 100)
                happened.append(found.dropped[place])
        matured = drifting.newest["matured"]
        assert matured["risks"] == len(said) > 100
        assert matured["said"] == pytest.approx(np.mean(said))
        assert matured["base_rate"] == pytest.approx(np.mean(happened))
        assert matured["calibration_slope"] is not None


def test_drift_is_told_once_a_day_of_the_signals_that_the_model_reads(tmp_path: Path) -> None:
    with living(tmp_path, NOON) as live:
        reports = ReportStore(live.place.database)
        for number in range(30):
            live.track(f"u{number}")
        live.service.settle()
        drifting = Drifting(live.service.lanes, reports, lambda: MODEL)
        drifting.step(live.clock())
        assert reports.newest(DRIFT) == [], "not before its hour"
        live.clock.advance(hours=2)
        drifting.step(live.clock())
        drifting.step(live.clock() + 1)
        [report] = reports.newest(DRIFT)
        assert set(report.body["psi"]) <= set(MODEL.signals) and len(report.body["psi"]) > 40
        assert report.body["psi"]["log_tenure_days"] > 0.25, "everybody is new"
        assert (report.body["learners"], report.body["matured"], report.body["model"]) == (30, None, MODEL.version)
        assert Drifting(live.service.lanes, reports, lambda: MODEL).newest == report.body


def test_metrics_tell_of_drift(tmp_path: Path) -> None:
    with open_site(tmp_path, now="2026-03-02T14:00", actors=1) as site:
        site.track()
        site.service.settle()
        site.clock.advance(days=1)
        eventually(lambda: "engage_signal_drift_psi{" in metrics(site))
        assert re.search(r'engage_signal_drift_psi\{signal="log_tenure_days"\} \d', metrics(site))


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service's directory after 16 weeks of 130 learners, whose keenness the model has to find."""
    folder = tmp_path_factory.mktemp("school")
    draw = np.random.default_rng(1)
    keen = draw.uniform(0.1, 0.95, 130)
    stays = draw.random((130, 112)) < (0.88 + 0.12 * keen)[:, None]
    with living(folder, "2026-01-05T12:00") as live:
        for day in range(112):
            for number in np.flatnonzero(stays[:, : day + 1].all(axis=1) & (draw.random(130) < keen)):
                live.track(f"u{number}")
            if day % 7 == 0:
                for number in range(8):
                    live.track(f"new{day}-{number}")
            live.clock.advance(days=1)
            live.service.settle()
    return folder


def test_a_service_learns_from_what_it_kept_and_remembers_what_came_of_it(school: Path) -> None:
    told = engage("train", "--data", str(school))
    assert "On later days" in told.out, told.err
    registry = registry_of(school)
    [decision] = registry.history()
    promoted = "promoted" in decision
    assert ("The challenger is promoted" in told.out) == promoted
    assert registry.champion() == (decision["promoted"] if promoted else None)
    assert MODEL.version in registry.versions() and len(registry.versions()) == 2
    [made] = [registry.model(version) for version in registry.versions() if version != MODEL.version]
    assert made.about["later_days"]["champion"]["version"] == MODEL.version
    assert {"auc", "brier", "calibration_slope"} <= set(decision["ahead"])
    assert made.about["trained_on"][0]["name"] == "this service"
    shown = engage("models", "--data", str(school), "--use", made.version).out
    assert "in use" in shown and made.version in shown and registry.champion() == made.version
    assert not list(school.glob("learning-*"))


def test_it_is_tried_again_after_so_many_days_also_if_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(tmp_path, NOON) as live:
        reports, tried = ReportStore(live.place.database), []
        job = Learning(live.place, reports, 7, ["--rules", "mine.toml"])
        monkeypatch.setattr(learning.subprocess, "run", lambda command, **_: tried.append(command) or Done())
        start = live.clock()
        for day in range(16):
            job.step(start + day * MS_PER_DAY)
            Learning(live.place, reports, 7).step(start + day * MS_PER_DAY)
        assert len(tried) == 2 and tried[0][-2:] == ["--rules", "mine.toml"]
        assert [report.body.get("exit") for report in reports.newest(learning.NAME)] == [1, 1, None]
        assert reports.newest(learning.NAME)[0].body["told"] == "too little is known"


def test_where_nothing_was_kept_there_is_nothing_to_learn(tmp_path: Path) -> None:
    with living(tmp_path, NOON) as live:
        live.track("ann")
        live.service.settle()
        job = Learning(live.place, ReportStore(live.place.database), 1)
        job.step(live.clock())
        job.step(live.clock() + MS_PER_DAY)
        [told, _] = ReportStore(live.place.database).newest(learning.NAME)
        assert told.body["exit"] == 2 and "daily scorings" in told.body["told"]


class Done:
    returncode, stdout, stderr = 1, "", "too little is known\n"
