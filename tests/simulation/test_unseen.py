"""Unseen: a model is judged on learner-days that it was not fitted on, whichever way it was fitted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine import rules
from engine.calendar import MS_PER_DAY, day_number
from engine.errors import InputError
from engine.risk import intervals
from engine.risk import model as risk_model
from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS
from engine.risk.registry import Registry
from engine.risk.rows import BUCKETS, held_out, stable_hash
from simulation import training, unseen
from simulation.adapters import event_log
from simulation.evaluation import Panel, lead_times, panel
from simulation.logs import Population, population
from tests.simulation.test_training import START, frame, log

RULES = rules.load()
SHIPPED = risk_model.load()
LONG = frame(learners=200, days=130, seed=5)


def part(days: int) -> pl.DataFrame:
    """Return the log as it was after so many days."""
    return LONG.filter(pl.col("occurred_at") < START + timedelta(days=days))


def told_days(found: Panel, table: Population) -> set[tuple[str, int]]:
    """Return who is judged on which local day."""
    ids = np.array(table.learner_ids)[found.learner].tolist()
    return set(zip(ids, (found.days.first + found.column).tolist(), strict=True))


def of(about: dict[str, Any]) -> risk_model.RiskModel:
    return replace(SHIPPED, about=about)


@pytest.fixture(scope="module")
def trained() -> risk_model.RiskModel:
    return training.fit([population("some", part(100), RULES)], RULES, kinds=["linear"])[0]


def test_a_trained_model_is_judged_on_learners_held_out_and_on_days_that_came_since(
    trained: risk_model.RiskModel,
) -> None:
    then, since = (population("another name", part(days), RULES) for days in (100, 130))
    before, after = (panel(each, trained, RULES) for each in (then, since))
    assert before.judged == after.judged == unseen.PARTLY
    ended = int(then.last_day.max())
    others = {each for each in then.learner_ids if held_out(np.array([stable_hash(each) % BUCKETS]))[0]}
    assert {who for who, _ in told_days(before, then)} <= others
    everyone = told_days(panel(since, SHIPPED, RULES), since)
    expected = {(who, day) for who, day in everyone if who in others or day > ended}
    assert told_days(after, since) == expected != everyone


def test_a_challenger_is_judged_on_days_after_those_that_its_labels_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "REPLICATES", 40)
    event_log.write(LONG, tmp_path / "log.parquet")
    registry = Registry(tmp_path / "models")
    training.contest([tmp_path / "log.parquet"], registry, SHIPPED, 0, RULES, kinds=["linear"])
    [made] = [registry.model(each) for each in registry.versions() if each != SHIPPED.version]
    whole = population("log", LONG, RULES)
    found = panel(whole, made, RULES)
    known = int(whole.last_day.max()) - (HORIZON_DAYS + SILENT_DAYS - 1)  # the last day whose outcome is known
    assert found.judged == unseen.PARTLY
    assert found.days.first + found.column.min() == known - 28 + 1
    assert {stable_hash(whole.learner_ids[who]) % BUCKETS < 80 for who in found.learner} == {True, False}


def test_only_drop_offs_from_days_that_are_judged_count_as_told_early(trained: risk_model.RiskModel) -> None:
    table = population("log", part(130), RULES)
    after = panel(table, trained, RULES)
    judged = np.zeros(after.days.active.shape, bool)
    judged[after.learner, after.column] = True
    whole = lead_times(panel(table, SHIPPED, RULES))
    assert 0 < lead_times(after)["drop_offs"] < whole["drop_offs"]
    none = replace(after, learner=after.learner[:0], column=after.column[:0])
    assert lead_times(replace(none, chance=after.chance[:0], silent_days=after.silent_days[:0]))["drop_offs"] == 0


def test_where_all_was_fitted_on_nobody_can_be_judged() -> None:
    tiny = log(learners=30, days=60)
    seen_all = {
        "trained_on": [{"fingerprint": unseen.fingerprint(unseen.began(tiny), 10**6), "last_day": "2100-01-01"}],
        "fitted_on": [{"buckets_below": BUCKETS, "until": "2100-01-01"}],
    }
    with pytest.raises(InputError, match=r"'tiny'.*fitted on.*not seen"):
        panel(tiny, of(seen_all), RULES)


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"trained_on": [{"fingerprint": "9a63", "last_day": "2024-03-01"}]},
        {"trained_on": [{}], "fitted_on": [{"buckets_below": 80, "until": "2024-03-01"}]},
    ],
)
def test_a_file_that_does_not_tell_what_it_was_fitted_on_is_warned_of(about: dict[str, Any]) -> None:
    tiny = log(learners=15, days=50)
    found = panel(tiny, of(about), RULES)
    assert found.judged == unseen.UNKNOWN and "Warning" in found.judged
    assert told_days(found, tiny) == told_days(panel(tiny, SHIPPED, RULES), tiny)


def test_the_shipped_model_tells_what_it_was_fitted_on() -> None:
    assert panel(log(learners=15, days=50), SHIPPED, RULES).judged == unseen.NEW


def test_a_log_is_known_again_by_who_had_begun_by_a_day_in_whatever_order_and_not_by_what_came_later() -> None:
    today = day_number(START.date())
    table = part(130)
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=1)
    more = event_log.canonical(
        pl.DataFrame({
            "learner_id": ["late"], "occurred_at": [datetime.fromtimestamp((today + 129) * MS_PER_DAY / 1000, UTC)],
            "action": ["note"],
        }).with_columns(pl.col("occurred_at").dt.cast_time_unit("ms"))
    )  # fmt: skip
    prints = [
        unseen.fingerprint(unseen.began(population("log", each, RULES)), today + 100)
        for each in (table, shuffled, part(101), pl.concat([table, more]))
    ]
    assert len(set(prints)) == 1
    others = (frame(learners=200, days=130, seed=6), table.filter(pl.col("learner_id") != table["learner_id"][0]))
    assert not {unseen.fingerprint(unseen.began(population("log", each, RULES)), today + 100) for each in others} & set(
        prints
    )
