"""The learning loop in the service: a better model is found in what was kept."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from actors.storage.reports import ReportStore
from api import learning, scratch
from api.learning import OUTCOME, Learning, registry_of
from engine import rules
from engine.calendar import MS_PER_DAY
from engine.errors import EngageError
from simulation import kept, unseen
from simulation.adapters import event_log
from simulation.logs import population
from tests.api.engage import engage, engage_here
from tests.api.live import living
from tests.api.models import MODEL, another
from tests.api.site import eventually, open_site

NOON = "2026-03-02T12:00"


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
    log = school / "log.parquet"
    assert engage("export", "events", "--data", str(school), "--out", str(log)).code == 0
    table = population("log", event_log.read(log), rules.load())
    found = unseen.seen(table, made, first_day := int(table.events["day"].min()), 130)
    assert found.told == unseen.PARTLY
    until = first_day + np.flatnonzero(found.days.all(axis=0)).max()
    assert until == int(table.last_day.max()) - 1 - 28 - 20, (
        "the newest day has not ended, 28 were judged, 20 looked at"
    )
    shown = engage("models", "--data", str(school), "--use", made.version).out
    assert "in use" in shown and made.version in shown and registry.champion() == made.version
    assert not list(school.glob("learning-*"))


def test_it_is_tried_again_after_so_many_days_also_if_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(tmp_path, NOON) as live:
        reports, tried = ReportStore(live.place.database), list[Child]()

        def start_child(command: list[str], **options: Any) -> Child:
            tried.append(Child(command, options, noted=len(reports.newest(learning.NAME))))
            return tried[-1]

        job = Learning(live.place, reports, 7, ["--rules", "mine.toml"])
        monkeypatch.setattr(learning.subprocess, "Popen", start_child)
        start = live.clock()
        for day in range(16):
            job.step(start + day * MS_PER_DAY)
            Learning(live.place, reports, 7).step(start + day * MS_PER_DAY)
        assert len(tried) == 2 and tried[0].command[-2:] == ["--rules", "mine.toml"]
        assert [each.noted for each in tried] == [2, 3], "noted before it begins"
        assert [report.period for report in reports.newest(learning.NAME)] == ["2026-03-16", "2026-03-09", "2026-03-02"]
        assert [report.body for report in reports.newest(OUTCOME)] == [{"exit": 1, "told": "too little is known"}] * 2
        assert not any(live.place.url in word for word in tried[0].command), "others may list processes"
        assert tried[0].options["env"]["ENGAGE_DATABASE_URL"] == live.place.url


def test_where_nothing_was_kept_there_is_nothing_to_learn(tmp_path: Path) -> None:
    with living(tmp_path, NOON) as live:
        live.track("ann")
        live.service.settle()
        job = Learning(live.place, ReportStore(live.place.database), 1)
        job.step(live.clock())
        job.step(live.clock() + MS_PER_DAY)
        [told] = ReportStore(live.place.database).newest(OUTCOME)
        assert told.body["exit"] == 2 and "daily scorings" in told.body["told"]


@dataclass
class Child:
    """A process that learns, and fails."""

    command: list[str]
    options: dict[str, Any]
    noted: int  # attempts as it began
    returncode: int = 1

    def communicate(self) -> tuple[str, str]:
        return "", "too little is known\n"


def test_an_attempt_ends_with_the_service_and_leaves_no_copy_of_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The learner is replaced by one that has begun to copy and sleeps on."""
    sleeps = "import pathlib, time; pathlib.Path({!r}).mkdir(); time.sleep(600)"
    monkeypatch.setattr(learning, "_PROGRAM", sleeps.format(str(tmp_path / "learning-1")))
    children: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def started(*args: Any, **named: Any) -> Any:
        children.append(popen(*args, **named))
        return children[-1]

    monkeypatch.setattr(learning.subprocess, "Popen", started)
    with open_site(tmp_path, actors=1, learn_days=1) as site:
        eventually(lambda: bool(ReportStore(site.context.database).newest(learning.NAME)))
        site.clock.advance(days=1)
        eventually((tmp_path / "learning-1").is_dir)
        assert children[0].poll() is None
    assert children[0].returncode == -15 and not list(tmp_path.glob("learning-*"))
    (tmp_path / "learning-killed").mkdir()
    with open_site(tmp_path, actors=1, learn_days=1) as site:
        assert not (tmp_path / "learning-killed").exists()
        assert len(ReportStore(site.context.database).newest(learning.NAME)) == 2


def test_no_two_learn_at_once_and_a_start_takes_nothing_from_one_at_work(tmp_path: Path) -> None:
    holds = "import pathlib, sys; from api.scratch import scratch\n"
    holds += "with scratch(pathlib.Path(sys.argv[1])): print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", holds, tmp_path], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "1\n"
        scratch.clear(tmp_path)
        assert len(list(tmp_path.glob("learning-*/"))) == 1
        with pytest.raises(EngageError, match="another process"), scratch.scratch(tmp_path):
            pass
        other.kill()
    with scratch.scratch(tmp_path) as work:
        assert list(tmp_path.glob("learning-*/")) == [work] and work.stat().st_mode & 0o77 == 0


def test_only_what_is_looked_at_is_copied(school: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns: list[list[str]] = []

    def look(*tables: Path) -> Any:
        columns.extend(pl.read_parquet_schema(table).names() for table in tables)
        raise EngageError("enough")

    monkeypatch.setattr(kept, "rows_of", look)
    assert "enough" in engage_here("train", "--data", school).err
    assert set(columns[0]) == set(kept.scoring_columns()) and set(columns[1]) == set(kept.EVENT_COLUMNS)


def test_models_that_are_unfit_are_listed_and_the_packaged_one_can_be_used(tmp_path: Path) -> None:
    registry = registry_of(tmp_path)
    version = registry.add(another())
    registry.promote(version, 0, {})
    file = registry.directory / f"{version}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format_version": 1}))
    shown = engage_here("models", "--data", tmp_path).out
    assert f"{version} unfit: " in shown and "engage-risk version 1" in shown and "packaged model stands in" in shown
    shown = engage_here("models", "--data", tmp_path, "--use", MODEL.version).out
    assert registry.champion() == MODEL.version and "in use" in shown and "stands in" not in shown
