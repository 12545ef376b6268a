"""Drift: how far learners have moved from those that the model was fitted on, and how its risks came true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from actors.storage.reports import Report, ReportStore
from api import drifting as drift_reports
from api.drifting import NAME as DRIFT
from api.drifting import Drifting
from api.model_metrics import ModelMetrics
from engine import calendar
from engine.bitmaps import set_day
from engine.calendar import MS_PER_DAY
from engine.risk.dropoff import labels
from engine.risk.model import RiskModel
from tests.api.live import living
from tests.api.models import MODEL, another
from tests.api.site import eventually, metrics, open_site

NOON = "2026-03-02T12:00"


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
        [(version, matured)] = drifting.newest["matured"].items()
        assert version == MODEL.version
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
        assert (report.body["learners"], report.body["matured"], report.body["model"]) == (30, {}, MODEL.version)
        assert Drifting(live.service.lanes, reports, lambda: MODEL).newest == report.body


def test_each_models_risks_are_held_against_what_came_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learners of 50 days, of whom each of two models has told risks on some of them."""
    monkeypatch.setattr("api.drifting._FEWEST", 5)
    with living(tmp_path, "2026-03-02T14:00") as live:
        first = live.clock() // MS_PER_DAY
        for day in range(50):
            for number in range(6):
                if number < 3 or day < 15:
                    live.track(f"u{number}")
            live.clock.advance(days=1)
            live.service.settle()
        reports = ReportStore(live.place.database)
        today = live.clock() // MS_PER_DAY

        def tell(back: int, model: RiskModel, risk: float) -> None:
            day = today - back
            body = {"model": model.version, "sample": [[0, row, day, risk] for row in range(6)]}
            reports.add(Report(DRIFT, str(calendar.date_of(day)), body, 0))

        tell(36, MODEL, 99.0)  # too old, though there are fewer than fourteen reports
        for back in (35, 34):
            tell(back, MODEL, 20.0)
        tell(30, another(), 60.0)
        drifting = Drifting(live.service.lanes, reports, another)
        drifting.step(live.clock())
        matured = drifting.newest["matured"]
        assert {version: (found["risks"], found["said"]) for version, found in matured.items()} == {
            MODEL.version: (12, pytest.approx(0.2)),
            another().version: (6, pytest.approx(0.6)),
        }
        assert matured[MODEL.version]["base_rate"] == 0.5 and first == today - 50
        told = {
            (sample.name, sample.labels.get("version")): sample.value
            for metric in ModelMetrics(drifting, another).collect()
            for sample in metric.samples
        }
        assert told["engage_risk_matured_said", MODEL.version] == pytest.approx(0.2)
        assert told["engage_risk_matured_risks", another().version] == 6
        assert told["engage_drift_report_timestamp_seconds", None] == today * MS_PER_DAY / 1000


def test_what_lies_beyond_the_days_that_are_remembered_is_unknown() -> None:
    bits = np.zeros(7, np.int64)
    for day in range(1_000, 1_030):
        set_day(bits, day)
    assert drift_reports._outcome(bits, 1_055, 1_013) is False
    assert drift_reports._outcome(bits, 1_055, 1_025) is True
    assert drift_reports._outcome(bits, 1_068, 1_026) is True
    assert drift_reports._outcome(bits, 1_069, 1_026) is None, "its day of 13 days before is forgotten"


def test_metrics_tell_of_drift(tmp_path: Path) -> None:
    with open_site(tmp_path, now="2026-03-02T14:00", actors=1) as site:
        site.track()
        site.service.settle()
        site.clock.advance(days=1)
        eventually(lambda: "engage_signal_drift_psi{" in metrics(site))
        assert re.search(r'engage_signal_drift_psi\{signal="log_tenure_days"\} \d', metrics(site))
