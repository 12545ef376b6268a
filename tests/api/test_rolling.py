"""Rolling: everybody is moved on to the model that the registry says; whatever is wrong with it, the service lives."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors import daily
from actors.ports import ScoringError
from actors.scoring import DirectScorer
from api.learning import registry_of
from api.rolling import Rolling
from engine.calendar import MS_PER_MINUTE
from engine.errors import InputError
from engine.risk.model import RiskModel
from engine.risk.registry import Registry
from tests.api.live import Live, living
from tests.api.models import MODEL, another
from tests.api.site import eventually, metrics, open_site

NOON = "2026-03-02T12:00"


def fails(*_: Any) -> Any:
    """Score like a model whose numbers do not fit together, or a pool that is not there."""
    raise IndexError("far out")


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
        assert {message.body["model"] for message in messages} <= {MODEL.version, halves.version}
        counted = 0
        for message in messages:
            table = daily.table_of(message)
            matrix = np.stack([table[name] for name in MODEL.signals], axis=1)
            used = halves if message.body["model"] == halves.version else MODEL
            np.testing.assert_array_equal(table["risk"], used.score(matrix)[:, 0])
            counted += len(table)
        assert counted >= 100


def test_a_model_that_the_pool_cannot_score_with_is_not_taken_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = Registry.model
    with living(tmp_path, NOON, actors=2) as live:
        registry = registry_of(live.place.data)
        rolling = Rolling(live.service, registry, MODEL)
        version = registry.add(another())
        registry.promote(version, live.clock(), {})
        file = registry.directory / f"{version}.json"

        def vanishing(self: Registry, wanted: str) -> RiskModel:
            found = read(self, wanted)
            file.rename(tmp_path / "away")
            return found

        monkeypatch.setattr(Registry, "model", vanishing)
        rolling.step(live.clock())
        monkeypatch.undo()
        for _ in range(3):
            live.track("ann")
            rolling.step(live.clock())
        live.service.settle()
        assert rolling.model is MODEL and caplog.text.count("is not taken") == 1 and risks(live)["ann"] > 0
        (tmp_path / "away").rename(file)
        rolling.step(live.clock() + MS_PER_MINUTE)
        assert rolling.model.version == version


def test_a_model_that_loads_but_scores_nobody_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    registry = registry_of(tmp_path)
    version = registry.add(another())
    registry.promote(version, 0, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RiskModel, "score", fails)
        with pytest.raises(InputError, match=f"{version}.json; got IndexError: .*; expected a model that scores"):
            registry.model(version)
        assert registry.champion_or(MODEL) is MODEL


def test_trouble_with_scoring_makes_risks_late_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("actors.lane._TROUBLE_S", 0.01)
    with living(tmp_path, NOON) as live:
        live.track("ann")
        live.service.settle()
        [lane] = live.service.lanes
        with monkeypatch.context() as patch:
            patch.setattr(DirectScorer, "submit", fails)
            for learner in ("ann", "bob"):
                assert live.track(learner).verdict == "full"
            eventually(lambda: lane.waiting_scores == 2 and "IndexError" in caplog.text)
            with pytest.raises(ScoringError, match=f"scoring by model {MODEL.version}; got IndexError"):
                live.service.settle()
            assert lane.is_alive() and np.isnan(risks(live)["bob"])
        live.service.settle()
        assert lane.waiting_scores == 0 and risks(live)["bob"] > 0
        assert caplog.text.count("IndexError") == 1, "what lasts is not logged again and again"


def test_at_a_start_everybody_is_scored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = registry_of(tmp_path)
    registry.promote(registry.add(another()), 0, {})
    asked: list[tuple[str, int]] = []
    submit = DirectScorer.submit

    def counted(self: DirectScorer, matrix: Any, version: str = "") -> Any:
        asked.append((version, len(matrix)))
        return submit(self, matrix, version)

    with open_site(tmp_path, actors=1) as site:
        for learner in ("ann", "bob", "cyd"):
            site.track(learner)
        site.service.settle()
    monkeypatch.setattr(DirectScorer, "submit", counted)
    with open_site(tmp_path, actors=1) as site:
        eventually(lambda: site.service.lanes[0].model == another().version)
        site.service.settle()
    assert asked == [("", 1), (another().version, 3)], "one to warm up, and those who are there"


def test_a_champion_that_is_unfit_after_an_upgrade_lets_the_service_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = registry_of(tmp_path)
    version = registry.add(another())
    registry.promote(version, 0, {})
    file = registry.directory / f"{version}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format_version": 1}))
    with open_site(tmp_path, actors=1) as site:
        site.track("ann")
        assert site.post("/calculate", {"userId": "ann"})["modelVersion"] == MODEL.version
        eventually(lambda: f"model {version} is not taken, {MODEL.version} scores on" in caplog.text)
        assert [each.levelno for each in caplog.records if "not taken" in each.message] == [logging.ERROR]


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
