"""``engage evaluate`` shows how early alarms ring and who was judged, in words that say which is which."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from engine.risk import intervals
from engine.risk import model as risk_model
from simulation import unseen
from simulation.adapters import event_log
from tests.api.engage import engage_here
from tests.simulation.test_training import START, frame


def test_alarms_that_rang_and_those_that_stayed_stand_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "REPLICATES", 20)
    log, out, old = (tmp_path / name for name in ("log.parquet", "out", "old.json"))
    event_log.write(frame(learners=80, days=70), log)
    told = engage_here("evaluate", log, "--out", out)
    assert told.code == 0, told.err
    assert re.search(r"recall.*precision.*3-7 days: rang.*3-7: stayed.*1\+: stayed", told.out), told.out
    assert unseen.NEW in told.out and unseen.NEW in (out / "report.html").read_text()
    result = json.loads((out / "result.json").read_text())
    rang, stayed = (result["lead_time"]["model, on active days"]["10%"][name]["share"] for name in ("rang", "early"))
    assert rang > stayed and f"{rang:.1%}" in told.out and f"{stayed:.1%} [" in told.out

    replace(risk_model.load(), about={}).save(old)
    assert unseen.UNKNOWN in engage_here("evaluate", log, "--model", old).out


def test_where_nobody_is_left_to_judge_it_says_so(tmp_path: Path) -> None:
    table = frame(learners=60, days=70)
    log, own = tmp_path / "log.parquet", tmp_path / "own.json"
    event_log.write(table, log)
    began = {
        who: int(day) for who, day in table.group_by("learner_id").agg(pl.col("occurred_at").min().dt.epoch("d")).rows()
    }
    last = str(START.date().replace(year=2030))
    about = {
        "trained_on": [{"fingerprint": unseen.fingerprint(began, 10**6), "last_day": last}],
        "fitted_on": [{"buckets_below": 100, "until": last}],
    }
    replace(risk_model.load(), about=about).save(own)
    told = engage_here("evaluate", log, "--model", own)
    assert told.code == 2 and "learners or days it has not seen" in told.err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("learner_id,region\nu1,north\nu1,west\n", "'u1' twice"),
        ("learner_id,tenure\nu1,long\n", "Rename it"),
        ("learner_id,region\nnobody,north\n", "no learner of the log"),
    ],
)
def test_a_table_of_learners_that_cannot_be_one_is_refused(tmp_path: Path, table: str, said: str) -> None:
    log, learners = tmp_path / "log.parquet", tmp_path / "learners.csv"
    event_log.write(frame(learners=20, days=40), log)
    learners.write_text(table)
    told = engage_here("evaluate", log, "--learners", learners)
    assert told.code == 2 and said in told.err


def test_a_registry_that_is_no_directory_is_refused_before_any_work(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    event_log.write(frame(learners=5, days=5), log)
    for told in (
        engage_here("train", log, "--registry", log),
        engage_here("models", "--registry", log),
        engage_here("models", "--registry", tmp_path / "nowhere"),
        engage_here("models", "--data", tmp_path / "nowhere"),
    ):
        assert told.code == 2 and "a directory that" in told.err and "Traceback" not in told.err
