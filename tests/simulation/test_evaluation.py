"""Evaluation: everything that is told of a model on a log, held against learners whose future is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from actors.loop import Loop
from engine import rules
from engine.errors import InputError
from engine.events import sort_for_fold
from engine.policies import make
from engine.risk import intervals
from engine.risk import model as risk_model
from engine.risk.dropoff import SILENT_DAYS, labels
from engine.signals import compute, names
from simulation import evaluation
from simulation.evaluation import EARLY_DAYS, Panel, evaluate, lead_times, panel
from simulation.logs import Days, population
from simulation.report import evaluation_page
from tests.simulation.test_training import frame, log

RULES = rules.load()
MODEL = risk_model.load()


def of_days(active: NDArray[np.bool_], chance: NDArray[np.float64]) -> Panel:
    """Return the panel of learners active on days, of whom a model says what is given for each day."""
    last = np.full(len(active), active.shape[1] - 1)
    found = labels(active)
    learner, column = np.nonzero(found.eligible)
    order = np.lexsort((learner, column))
    learner, column = learner[order], column[order]
    place = np.arange(active.shape[1])
    newest = np.maximum.accumulate(np.where(active, place, -1), axis=1)
    silent, told = column - newest[learner, column], chance[learner, column]
    tenure = column - active.argmax(axis=1)[learner]
    return Panel(Days(19723, active, found), last, learner, column, told, np.full(len(told), 0.1), silent, tenure)


def test_a_panel_holds_every_scored_day_with_what_the_model_says_at_its_end() -> None:
    tiny = log(learners=15, days=50)
    found = panel(tiny, MODEL, RULES)
    loop = Loop(RULES, make("none", {}), len(tiny.learner_ids))
    columns = [names().index(name) for name in MODEL.signals]
    first = int(tiny.events["day"].min())
    for day in range(first, int(tiny.last_day.max()) + 1):
        loop.ingest(sort_for_fold(tiny.events[tiny.events["day"] == day]))
        loop.close(day + 1)
        mine = found.column == day - first
        rows = found.learner[mine]
        expected = MODEL.score(compute(loop.records, rows)[:, columns])
        np.testing.assert_array_equal(found.chance[mine], expected[:, 0] / 100)
        np.testing.assert_array_equal(found.width[mine], 1 - expected[:, 1] / 100)
        np.testing.assert_array_equal(
            found.silent_days[mine], compute(loop.records, rows)[:, names().index("silent_days")]
        )
        np.testing.assert_array_equal(found.tenure_days[mine], day - loop.records["first_day"][rows])


def test_a_log_too_short_to_know_anything_of_is_refused() -> None:
    with pytest.raises(InputError, match=r"'tiny'.*20 days"):
        panel(log(learners=30, days=20), MODEL, RULES)


def alarm_from(days: int, *, active: int = 40, learners: int = 30, others: int = 600) -> Panel:
    """Return learners who end on one day, with an alarm that rings so many days before, and others who stay."""
    came = np.zeros((learners + others, 80), bool)
    came[:learners, :active] = True
    came[learners:] = True
    chance = np.where(np.arange(len(came))[:, None] < learners, 0.0, 0.5).repeat(
        80, axis=1
    )  # the others use up budgets
    chance[:learners, active - days : active] = 1.0
    return of_days(came, chance)


@pytest.mark.parametrize(("days", "early", "or_before"), [(0, 0, 0), (1, 0, 0), (3, 1, 1), (7, 1, 1), (8, 0, 1)])
def test_a_lead_time_is_from_the_first_alarm_that_stays_to_the_first_silent_day(
    days: int, early: int, or_before: int
) -> None:
    found = lead_times(alarm_from(days))
    assert (found["drop_offs"], found["learners"], found["lived_long_enough"]) == (30, 30, 1.0)
    for told in found["model"].values():
        assert (told["early"]["share"], told["early_or_before"]["share"]) == (early, or_before)
        assert told["ahead"]["share"] == (days > 0)
        assert told["days"][days] == 30 and sum(told["days"]) == 30


def test_an_alarm_that_does_not_stay_is_counted_as_rung_and_not_as_ahead() -> None:
    made = alarm_from(5)
    gap = made.learner < 30
    broken = replace(made, chance=np.where(gap & (made.column == 38), 0.0, made.chance))
    told = lead_times(broken)["model"]["10%"]
    assert told["days"][1] == 30 and told["early"]["share"] == 0
    assert told["rang"]["share"] == 1


def test_an_alarm_that_a_silence_sets_off_comes_too_late() -> None:
    """The recency rule rings when a silence has begun; a drop-off's own silence never counts."""
    found = lead_times(alarm_from(0))
    assert found["recency rule"]["1%"]["days"][0] == 30


def test_an_alarm_is_counted_within_its_budget() -> None:
    found = lead_times(alarm_from(30, others=30))["model"]  # says 1 on 900 of 4,290 days: the budget ends before
    rung = {budget: sum(days * count for days, count in enumerate(told["days"])) for budget, told in found.items()}
    assert rung["1%"] <= 42 and rung["5%"] <= 214 and 0 < rung["10%"] <= 429
    assert EARLY_DAYS == (3, 7)


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "REPLICATES", 60)  # enough to be looked at, and quick
        yield tell()


def tell() -> dict[str, Any]:
    tiny = population("tiny", frame(learners=300, days=120, seed=3), RULES)
    groups = np.array(["north", "south", ""])[np.arange(300) % 3]
    groups[:5] = "few"
    return {
        "log": "tiny",
        "model": "m",
        **evaluate(panel(tiny, MODEL, RULES), {"region": groups}),
    }


def test_every_figure_has_an_interval_around_it(told: dict[str, Any]) -> None:
    for row in (told["overall"], *told["budgets"].values(), *told["slices"]["tenure"].values()):
        for name, (low, high) in row.get("intervals", {}).items():
            assert low <= row[name] <= high, name
    assert set(told["overall"]["intervals"]) > {"auc", "brier", "calibration_slope"}
    assert 0.7 < told["overall"]["auc"] < 1
    assert {"recall_1%", "precision_10%"} <= set(told["budgets"]["model"])


def test_slices_add_up_to_the_whole_and_say_nothing_of_the_few(told: dict[str, Any]) -> None:
    assert set(told["slices"]) == {"cohort", "tenure", "silent days", "region"}
    for slices in told["slices"].values():
        assert sum(row["learner_days"] for row in slices.values()) == told["overall"]["learner_days"]
    assert set(told["slices"]["region"]["few"]) == {"learners", "learner_days"}
    assert list(told["slices"]["tenure"]) == list(evaluation.TENURES)
    first = date(2024, 1, 1)
    assert list(told["slices"]["cohort"]) == [f"{first:%Y-%m}"]
    for row in told["slices"]["region"].values():
        if "missed" in row:
            assert 0 <= row["false_alarms"]["share"] < row["missed"]["share"] < 1


def test_the_reliability_curve_covers_all_days_from_low_to_high(told: dict[str, Any]) -> None:
    said = [row["said"] for row in told["reliability"]]
    assert said == sorted(said) and len(said) == 10
    assert sum(row["learner_days"] for row in told["reliability"]) == told["overall"]["learner_days"]
    assert told["reliability"][0]["happened"] < told["reliability"][-1]["happened"]


def test_the_result_is_json_and_its_page_stands_alone(told: dict[str, Any], tmp_path: Path) -> None:
    again = json.loads(json.dumps(told))
    evaluation_page.write(tmp_path / "report.html", again)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") >= 3 and "<script" not in page and "https:" not in page
    assert ">north</th>" in page and ">nan" not in page.lower()


def test_an_alarm_on_active_days_holds_until_the_next_one_and_spends_nothing_on_silence() -> None:
    made = alarm_from(8)
    there = made.days.active.copy()
    there[:30, 35:39] = False  # alarms on days 32-34 and 39, silence between
    gaps = of_days(there, np.where(np.arange(630)[:, None] < 30, 0.9, 0.5).repeat(80, axis=1))
    told = lead_times(gaps)
    assert told[evaluation.SPARING]["10%"]["days"][15] == 30  # rings on all active days
    silent = gaps.silent_days > 0
    assert (evaluation.rankings(gaps)[evaluation.SPARING][silent] == -1).all() and silent.any()


def test_silences_that_are_still_open_when_the_data_end_are_not_counted() -> None:
    active = np.ones((25, 60), bool)
    active[:, 60 - SILENT_DAYS + 1 :] = False  # one day short of a drop-off
    assert lead_times(of_days(active, np.zeros(active.shape)))["drop_offs"] == 0
    active[:, 60 - SILENT_DAYS] = False
    assert lead_times(of_days(active, np.zeros(active.shape)))["drop_offs"] == 25
