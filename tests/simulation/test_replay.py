"""Real event logs through the learner actors, every learner against the independent oracle."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from actors.directory import by_hash
from actors.local import LocalRuntime
from actors.spec import ActorSpec
from engine import record
from engine import rules as engine_rules
from engine.risk import model as risk_model
from simulation import adapters, tables
from simulation.adapters import event_log
from simulation.replay import Replay, replay
from tests import oracle

RULES = engine_rules.load()
COMPARED = {
    "xp": "xp",
    "level": "level",
    "streak": "streak",
    "longest_streak": "longest_streak",
    "freezes": "freezes",
    "freezes_used": "freezes_used",
    "freezes_lost": "freezes_lost",
    "active_days": "active_days",
    "qualifying_days": "qualifying_days",
    "xp_day": "xp_day",
    "xp_week": "xp_week",
}
DATA_SETS = ("platform365", "oulad", "kddcup2015")


def run(log: event_log.ResolvedLog, directory: Path, actors: int = 3, until: int | None = None) -> Replay:
    layout = by_hash(log.learner_ids, actors)
    specs = [ActorSpec(actor, 0, count, RULES) for actor, count in enumerate(layout.counts)]
    return replay(log, layout, LocalRuntime(specs, risk_model.load(), directory), until)


def expected(log: event_log.ResolvedLog, as_of: int) -> dict[str, dict[str, Any]]:
    names = list(RULES.actions)
    columns = {name: log.events[name].tolist() for name in log.events.dtype.names}
    rows = zip(
        [log.learner_ids[row] for row in columns["learner"]],
        columns["occurred_ms"],
        columns["arrived_ms"],
        [names[code] for code in columns["action"]],
        columns["value"],
        columns["event_id"],
        columns["day"],
        strict=True,
    )
    return oracle.judge(rows, as_of)


def assert_equal(frame: pl.DataFrame, lives: dict[str, dict[str, Any]]) -> None:
    assert frame["learner_id"].to_list() == sorted(lives)
    for row in frame.iter_rows(named=True):
        life = lives[row["learner_id"]]
        got = {theirs: row[ours] for ours, theirs in COMPARED.items()}
        got["achievements"] = set(row["achievements"])
        got["milestones"] = {days: row[f"milestone_{days}"] for days in RULES.streak.milestones}
        got["totals"] = {action: row[f"total_{action}"] for action in RULES.actions if row[f"total_{action}"]}
        wanted = {key: life[key] for key in (*COMPARED.values(), "achievements")}
        wanted["milestones"] = {days: life["milestones"].get(days, 0) for days in RULES.streak.milestones}
        wanted["totals"] = {action: times for action, times in life["totals"].items() if times}
        wanted["achievements"] = set(life["achievements"])
        assert got == wanted, row["learner_id"]


@pytest.fixture(scope="module", params=DATA_SETS)
def frame(request: pytest.FixtureRequest, data_dir: Path) -> pl.DataFrame:
    return adapters.adapter(request.param).convert(data_dir / request.param)


@pytest.fixture(scope="module")
def in_order(frame: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[Replay, dict[str, dict[str, Any]]]:
    log = event_log.resolve(frame, RULES)
    result = run(log, tmp_path_factory.mktemp("replay"))
    return result, expected(log, result.until)


def test_every_learner_equals_the_oracle(in_order: tuple[Replay, dict[str, dict[str, Any]]]) -> None:
    result, lives = in_order
    record.check(result.records)
    assert result.verdicts["too_old"] == result.verdicts["future"] == 0
    assert_equal(tables.learners(result.learner_ids, result.records, RULES), lives)


def test_late_and_repeated_events_change_nothing(
    frame: pl.DataFrame, in_order: tuple[Replay, dict[str, dict[str, Any]]], tmp_path: Path
) -> None:
    """The same log sorted by occurred_at + U(0, 7 days), every tenth event twice: the same records to the byte."""
    chance = np.random.default_rng(20_260)
    delays = [timedelta(milliseconds=float(ms)) for ms in chance.uniform(0, 7 * 86_400_000, len(frame))]
    delayed = frame.with_columns(occurs_late=pl.col("occurred_at") + pl.Series(delays, dtype=pl.Duration("ms")))
    twice = delayed.filter(pl.int_range(pl.len()) % 10 == 0).with_columns(
        occurs_late=pl.col("occurs_late") + pl.duration(hours=5)
    )
    shuffled = pl.concat([delayed, twice]).sort("occurs_late", maintain_order=True).drop("occurs_late")
    result = run(event_log.resolve(shuffled, RULES), tmp_path, actors=2, until=in_order[0].until)
    assert result.verdicts["duplicate"] == len(twice)
    assert result.verdicts["late"] == result.verdicts["too_old"] == 0
    ordered = in_order[0]
    assert_equal(tables.learners(result.learner_ids, result.records, RULES), in_order[1])
    assert result.learner_ids == ordered.learner_ids
    assert result.digest == ordered.digest


def test_a_silent_learners_risk_rises_by_the_clock_alone(in_order: tuple[Replay, dict[str, dict[str, Any]]]) -> None:
    """From replayed records on, days pass without an event; the mean risk of those still scored rises every day."""
    from actors.loop import Loop  # only this test drives a loop by hand
    from actors.scoring import ScoringActor  # as above
    from engine.policies import make  # as above

    result, _ = in_order
    recent = result.records[result.records["as_of"] == result.until]
    loop = Loop(RULES, make("none"), len(recent))
    loop.restore({**loop.state(), "records": recent})
    scorer = ScoringActor(risk_model.load())
    last = None
    for day in range(result.until + 1, result.until + 13):
        loop.close(day)
        rows, matrix = loop.signals()
        loop.apply_scores(rows, scorer.score(matrix))
        risk = loop.records["risk"]
        if last is not None:
            both = ~np.isnan(risk) & ~np.isnan(last)
            if both.sum() > 20:
                assert risk[both].mean() > last[both].mean()
        last = risk.copy()
    assert last is not None
