"""``engage`` for real: what each command prints, writes and answers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.risk import model as risk_model
from simulation.adapters import event_log
from tests.api.engage import Ended, engage, engage_all
from tests.simulation.worlds import RULES, Life, make_world

SMALL = ("simulate", "retention_claims", "--learners", "60", "--days", "36", "--replications", "2")
TABLES = ("metrics.parquet", "decisions.parquet")
LOG = """learner_id,occurred_at,action,value,timezone
ana,2024-03-01T09:00:00Z,daily_login,,Europe/Berlin
ana,2024-03-01T09:01:00Z,lesson_complete,,Europe/Berlin
ben,2024-03-01T23:30:00Z,lesson_complete,,Europe/Berlin
ben,2024-03-02T10:00:00Z,quiz_complete,1.0,Europe/Berlin
ana,2024-03-02T08:00:00Z,lesson_complete,,Europe/Berlin
"""


def assert_fine(ended: Ended) -> None:
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err


def keys(content: Any) -> set[str]:
    """Return every key at any depth."""
    if isinstance(content, dict):
        return set(content) | {key for value in content.values() for key in keys(value)}
    return {key for value in content for key in keys(value)} if isinstance(content, list) else set()


def assert_says_nothing_of_the_run(file: Path) -> None:
    """No instants, durations, paths or numbers of actors: equal work gives equal files."""
    text = file.read_text()
    assert not re.search(r"\d{4}-\d\d-\d\d[T ]\d\d:", text)
    assert not re.search(r'"(/|[A-Z]:\\)', text)
    assert keys(json.loads(text)) & {"seconds", "simulated_s", "read_s", "actors", "runtime", "cores", "out"} == set()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Ended], list[Path]]:
    """The same work three times: in this process, and on Ray in two layouts."""
    ways = (
        ("--runtime", "local", "--actors", "1"),
        ("--runtime", "ray", "--actors", "3"),
        ("--runtime", "local", "--learners-per-actor", "7"),
    )
    outs = [tmp_path_factory.mktemp("simulate") / "deep" / "out" for _ in ways]
    return engage_all([(*SMALL, *way, "--out", out) for way, out in zip(ways, outs, strict=True)]), outs


def test_simulate_prints_claims_arms_and_digest(simulated: tuple[list[Ended], list[Path]]) -> None:
    for ended in simulated[0]:
        assert_fine(ended)
        for word in ("+15% retention in month 1", "provisional", "control", "at_risk", "learner-days a second"):
            assert word in ended.out
    digests = {re.findall(r"digest ([0-9a-f]{64})", ended.out)[0] for ended in simulated[0]}
    assert len(digests) == 1
    assert json.loads((simulated[1][0] / "result.json").read_text())["digest"] in digests


def test_equal_work_gives_equal_files(simulated: tuple[list[Ended], list[Path]]) -> None:
    _, (one, three, many) = simulated
    expected = {"result.json", "run.json", "report.html", *TABLES}
    for out in (one, three, many):
        assert {file.name for file in out.iterdir()} == expected
        assert (out / "result.json").read_bytes() == (one / "result.json").read_bytes()
        assert (out / "report.html").read_bytes() == (one / "report.html").read_bytes()
        for table in TABLES:
            assert pl.read_parquet(out / table).equals(pl.read_parquet(one / table))
        assert_says_nothing_of_the_run(out / "result.json")
    runs = [json.loads((out / "run.json").read_text()) for out in (one, three, many)]
    assert [run["actors"] for run in runs] == [1, 3, 9]
    assert [run["runtime"] for run in runs] == ["local", "ray", "local"]
    assert all(run["seconds"] > run["simulated_s"] > 0 and run["versions"]["ray"] for run in runs)


def test_the_results_of_a_simulation(simulated: tuple[list[Ended], list[Path]]) -> None:
    out = simulated[1][0]
    result = json.loads((out / "result.json").read_text())
    assert result["scenario"]["learners"] == 60
    assert set(result["arms"]) == {"control", "at_risk"}
    assert len(result["draws"]) == 2
    by_claim = {claim["claim"]: claim for claim in result["claims"]}
    assert len(by_claim) == len(result["claims"]) == 7
    assert {claim["verdict"] for claim in result["claims"]} <= {"supported", "refuted", "inconclusive", "no verdict"}
    metrics = pl.read_parquet(out / "metrics.parquet")
    assert len(metrics) == 2 * 2 * 36
    assert (metrics["learners"] == 60).all()
    decisions = pl.read_parquet(out / "decisions.parquet")
    assert set(decisions["arm"]) == {"at_risk"}
    assert set(decisions["sent"].drop_nulls()) <= {name for names in decisions["eligible"] for name in names}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "events.csv"
    file.write_text(LOG)
    return file


def test_replay(log: Path, tmp_path: Path) -> None:
    """One actor in this process, and on Ray more actors than learners: the same, and what a pencil says."""
    parquet = tmp_path / "events.parquet"
    event_log.write(event_log.read(log), parquet)
    ways = ((log, "--runtime", "local", "--actors", "1"), (parquet, "--runtime", "ray", "--actors", "4"))
    outs = [tmp_path / "one", tmp_path / "four"]
    for ended in engage_all([("replay", *way, "--out", out) for way, out in zip(ways, outs, strict=True)]):
        assert_fine(ended)
        assert "5 events of 2 learners, as of 2024-03-02" in ended.out
    assert (outs[0] / "result.json").read_bytes() == (outs[1] / "result.json").read_bytes()
    assert_says_nothing_of_the_run(outs[0] / "result.json")
    learners = [pl.read_parquet(out / "learners.parquet") for out in outs]
    assert learners[0].equals(learners[1])
    rows = {row["learner_id"]: row for row in learners[0].iter_rows(named=True)}
    lesson, login, quiz = (RULES.actions[name].xp for name in ("lesson_complete", "daily_login", "quiz_complete"))
    perfect = RULES.actions["perfect_quiz"].xp
    assert (rows["ana"]["xp"], rows["ana"]["streak"]) == (login + 2 * lesson, 2)
    assert (rows["ben"]["xp"], rows["ben"]["streak"]) == (lesson + quiz + perfect, 1)  # half past midnight in Berlin
    assert json.loads((outs[0] / "result.json").read_text())["events"]["full"] == 5


def test_replay_until_a_day(log: Path, tmp_path: Path) -> None:
    ended = engage("replay", log, "--until", "2024-03-01", "--runtime", "local", "--out", tmp_path)
    assert_fine(ended)
    assert "2 events of 2 learners, as of 2024-03-01" in ended.out
    assert json.loads((tmp_path / "result.json").read_text())["until"] == "2024-03-01"


def test_train_and_use_the_model(tmp_path: Path) -> None:
    """A log of synthetic learners, a model of it, and a replay that is scored by that model."""
    lived = Life(make_world("app", 300), 300).run(75)
    names = list(RULES.actions)
    instants = [datetime.fromtimestamp(ms / 1000, UTC) for ms in lived["occurred_ms"].tolist()]
    frame = pl.DataFrame(
        {
            "learner_id": [f"u{learner}" for learner in lived["learner"].tolist()],
            "occurred_at": pl.Series(instants).dt.cast_time_unit("ms"),
            "action": [names[code] for code in lived["action"].tolist()],
        }
    ).filter(~pl.col("action").is_in([name for name, entry in RULES.actions.items() if entry.derived]))
    log, model = tmp_path / "synthetic.parquet", tmp_path / "models" / "mine.json"
    event_log.write(event_log.canonical(frame), log)
    trained = engage("train", log, "--out", model)
    assert_fine(trained)
    assert "synthetic" in trained.out
    assert "auc" in trained.out
    version = risk_model.load(model).version
    assert version != risk_model.load().version
    replayed = engage("replay", log, "--model", model, "--runtime", "local", "--out", tmp_path / "out")
    assert_fine(replayed)
    assert json.loads((tmp_path / "out" / "result.json").read_text())["model"] == version
    risks = pl.read_parquet(tmp_path / "out" / "learners.parquet")["risk"].drop_nulls()
    assert len(np.unique(risks)) >= 3


def test_dataset_writes_a_log_that_replay_reads(data_dir: Path, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "events.parquet"
    made = engage("dataset", "oulad", data_dir / "oulad", "--out", log)
    assert_fine(made)
    assert f"{len(event_log.read(log)):,} events of" in made.out
    ended = engage("replay", log, "--runtime", "local", "--actors", "2")
    assert_fine(ended)
    assert "Most XP" in ended.out


def test_help_names_the_commands() -> None:
    ended = engage("--help")
    assert_fine(ended)
    for command in ("simulate", "replay", "dataset", "train"):
        assert command in ended.out
    assert engage("simulat").code == 2
