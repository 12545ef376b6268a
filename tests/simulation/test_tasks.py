"""Tasks: the published questions are asked of whom they say, of what was known then, and answered by what came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine import rules
from engine.errors import InputError
from engine.risk import ablation, intervals, trial
from engine.risk.fitting import SEASONS
from engine.signals import catalogue, names
from simulation import tasks, trials
from simulation.adapters import event_log
from simulation.tasks import oulad_risk
from simulation.tasks.base import NOT_STARTED, Task, recent, signals

RULES = rules.load()
START = datetime(2024, 1, 1, 9, tzinfo=UTC)
DAY = 19723  # of START
FACTS = {
    "kdd-10": ("kddcup2015", 45_196, 0.824),
    "oulad-silent": ("oulad", 2_247, 0.149),
    "oulad-silent-hard": ("oulad", 1_727, 0.057),
    "oulad-risk": ("oulad", 2_178, 0.388),
    "365-29": ("platform365", 4_653, 0.174),
}
"""Of each task: its data set; of those judged on, the number and the share of true labels, as the data's notes say."""


def task_of(learners: dict[str, list[int]], **other: Any) -> Task:
    """Return a task on learners with their active days."""
    rows = [
        {"learner_id": who, "occurred_at": START + timedelta(days=day), "action": "lesson_start"}
        for who, days in learners.items()
        for day in days
    ] + [{"learner_id": "stranger", "occurred_at": START, "action": "lesson_start"}]
    frame = pl.DataFrame(rows).with_columns(pl.col("occurred_at").dt.cast_time_unit("ms"))
    asked = list(learners)
    given = {
        "name": "tiny", "frame": event_log.canonical(frame.sort("occurred_at", "learner_id")), "learner_ids": asked,
        "day": np.full(len(asked), DAY + 9), "label": np.zeros(len(asked), bool), "falls": True, "group": asked,
        "window_days": 10,
    }  # fmt: skip
    return Task(**(given | other))


def test_every_file_of_the_folder_is_a_task_and_these_are_all() -> None:
    files = {path.stem for path in Path(tasks.__file__).parent.glob("*.py")}
    assert len(files - {"__init__", "base", "oulad"}) == len(tasks.catalogue()) == len(FACTS)
    assert set(tasks.catalogue()) == set(FACTS)
    with pytest.raises(InputError, match=r"'kdd'.*Did you mean 'kdd-10'"):
        tasks.task("kdd")


@pytest.mark.parametrize("name", FACTS)
def test_a_task_asks_those_whom_its_description_counts(data_dir: Path, name: str) -> None:
    folder, learners, share = FACTS[name]
    task = tasks.task(name.upper()).load(data_dir / folder)
    label = task.label if task.test is None else task.label[task.test]
    assert len(label) == learners
    assert label.mean() == pytest.approx(share, abs=0.0006)


def test_signals_of_a_task_are_as_of_its_moment_and_those_who_did_nothing_are_told_apart() -> None:
    busy, quiet = list(range(10)), [0, 1]
    told, matrix = signals(task_of({"busy": [*busy, 12, 14], "quiet": quiet, "late": [11], "none": []}), RULES)
    column = {name: matrix[:, place] for place, name in enumerate(told)}
    assert told == (*names(), NOT_STARTED)
    assert column[NOT_STARTED].tolist() == [0, 0, 1, 1]
    assert column["silent_days"].tolist() == [0, 8, 4, 4]  # the last two: the median of the others
    assert column["active_days_28"][:2].tolist() == [10, 2]


def test_everyone_is_asked_at_a_moment_of_their_own() -> None:
    days = np.array([DAY + 1, DAY + 5])
    _, matrix = signals(task_of({"one": [0, 3], "two": [0, 3]}, day=days), RULES)
    assert matrix[:, names().index("silent_days")].tolist() == [1, 2]


def test_baselines_look_at_days_before_the_moment_and_at_no_other() -> None:
    found = recent(task_of({"one": [0, 7, 9, 9, 10, 30], "none": []}))
    assert {name: values.tolist() for name, values in found.items() if name in {"recency", "active", "active_7"}} == {
        "recency": [0, 10], "active_7": [2, 0], "active": [3, 0],
    }  # fmt: skip
    assert [found[f"day_{age}"][0] for age in (0, 1, 2, 9)] == [2, 0, 1, 1]
    assert found["lesson_start_events"].tolist() == [4, 0]


def test_a_task_of_parts_that_do_not_belong_together_is_refused() -> None:
    with pytest.raises(InputError, match=r"parts of \[1, 2\]"):
        task_of({"one": [0], "two": [0]}, label=np.zeros(1, bool))


class Tiny:
    """Do the keen come back?"""

    NAME = "tiny"

    @staticmethod
    def load(source_dir: Path) -> Task:
        """Return a task on learners of whom the active ones stay; the folder's name seeds it."""
        draw = np.random.default_rng(len(source_dir.name))
        keen = draw.random(500)
        days = {
            f"{source_dir.name}{each}": np.flatnonzero(draw.random(10) < keen[each]).tolist() for each in range(500)
        }
        made = task_of(days, label=draw.random(500) < keen, falls=False)
        return replace(made, context={"keen": keen})


def test_a_trial_judges_engine_and_baselines_on_the_same_learners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "catalogue", lambda: {"tiny": Tiny})
    monkeypatch.setattr(intervals, "REPLICATES", 60)
    told: list[str] = []
    found = trials.run("tiny", Path("here"), RULES, progress=told.append)
    assert (found["task"], found["learners"], found["question"]) == ("tiny", 500, "Do the keen come back?")
    assert list(found["methods"]) == told and len(told) == len(trial.BASELINES) + 2
    for row in found["methods"].values():
        low, high = row["intervals"]["auc"]
        assert 0.55 < low < row["auc"] < high < 0.95
        assert 0.1 < row["brier"] < 0.25
    best = max(trial.BASELINES, key=lambda name: found["methods"][name]["auc"])
    assert found["against"] == best and found["methods"][best]["ahead"]["auc"]["difference"] == 0
    for row in found["methods"].values():
        ahead = row["ahead"]["auc"]
        assert ahead["difference"] == pytest.approx(row["auc"] - found["methods"][best]["auc"])
        assert ahead["interval"][0] <= ahead["difference"] <= ahead["interval"][1]
    assert found["methods"][trials.WITH_CONTEXT]["auc"] > found["methods"]["active days"]["auc"] - 0.02


def test_other_data_of_the_same_layout_are_judged_on_and_not_fitted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "catalogue", lambda: {"tiny": Tiny})
    fitted_on: list[tuple[str, ...]] = []

    def spy(cases: trial.Cases, others: trial.Cases) -> Any:
        fitted_on.append((cases.group[0][:5], others.group[0][:5], str(len(cases)), str(len(others))))
        return np.full(len(others), 0.5)

    monkeypatch.setattr(trial, "BASELINES", {"spy": spy})
    monkeypatch.setattr(trials, "_methods", lambda *_: {"spy": spy})
    found = trials.run("tiny", Path("first"), RULES, Path("later on"), lambda _: None)
    assert fitted_on == [("first", "later", "500", "500")]
    assert found["learners"] == 500 and found["split"] == "trained on all of first, judged on later on"


def test_an_ablation_grows_from_one_signal_to_all_and_is_held_against_the_best_three(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "catalogue", lambda: {"tiny": Tiny})
    monkeypatch.setattr(intervals, "REPLICATES", 40)
    monkeypatch.setattr(trial, "FOLDS", 2)
    found = trials.run("tiny", Path("here"), RULES, progress=lambda _: None, ablate=True)
    first, second, *families = found["methods"]
    assert (first, second, found["against"]) == (ablation.ONE, ablation.THREE, ablation.THREE)
    counts = [int(name.partition("(")[2].rstrip(")")) for name in families]
    assert counts == sorted(set(counts)) and len(families) == len({entry.family for entry in catalogue()})
    assert counts[-1] == len(names()) + 1 - len(SEASONS)


def test_the_best_signals_are_those_that_tell_and_not_twice_the_same() -> None:
    draw = np.random.default_rng(1)
    strong, weak, noise = draw.normal(size=(3, 2_000))
    label = draw.random(2_000) < 1 / (1 + np.exp(-2 * strong - weak))
    matrix = np.stack([noise, strong, strong + 1e-3 * noise, weak, np.ones(2_000)], axis=1)
    cases = trial.Cases(
        ("noise", "strong", "twin", "weak", "still"), matrix, {}, label, True, np.arange(2_000).astype(str)
    )
    assert ablation.best(cases, 2, cases.signals) in (["strong", "weak"], ["twin", "weak"])
    assert ablation.best(cases, 1, ["noise", "weak", "still"]) == ["weak"]


def test_a_tutors_mark_is_known_two_weeks_after_the_hand_in_and_a_computers_at_once() -> None:
    learners = {"one": [0]}
    task = task_of(learners, day=np.array([DAY + 20]))
    rows = [
        {"learner_id": who, "occurred_at": START + timedelta(days=day), "action": action, "value": score}
        for who in ("one", "stranger")
        for action in ("assignment_submit", "quiz_complete")
        for day, score in ((6, 0.25), (7, 0.5), (20, 1.0))
    ]
    frame = pl.DataFrame(rows).with_columns(pl.col("occurred_at").dt.cast_time_unit("ms"))
    task = replace(task, frame=event_log.canonical(frame.sort("occurred_at")))
    known = oulad_risk.without_later_marks(task)
    asked = known.frame.filter(pl.col("learner_id") == "one")
    of = {name: asked.filter(pl.col("action") == name)["value"].to_list() for name in frame["action"].unique()}
    assert of == {"assignment_submit": [0.25, None, None], "quiz_complete": [0.25, 0.5, 1.0]}
    assert known.frame.drop("value").equals(task.frame.drop("value")), "what was handed in is known"
    (told, matrix), (_, before) = signals(known, RULES), signals(task, RULES)
    for name, moves in {"assignment_score": True, "log_assignments_28d": False, "quiz_accuracy": False}.items():
        place = told.index(name)
        assert (matrix[0, place] != before[0, place]) == moves, name


def test_the_published_question_on_failing_knows_no_mark_before_it_was_given(data_dir: Path) -> None:
    task = tasks.task("oulad-risk").load(data_dir / "oulad")
    moments = pl.DataFrame({"learner_id": task.learner_ids, "moment": task.day})
    age = pl.col("moment") - pl.col("occurred_at").dt.epoch("d")
    handed_in = task.frame.join(moments, on="learner_id").filter(pl.col("action") == "assignment_submit", age >= 0)
    marked = handed_in.filter(age >= oulad_risk.MARKING_DAYS)["value"]
    unmarked = handed_in.filter(age < oulad_risk.MARKING_DAYS)["value"]
    assert (len(handed_in), len(unmarked), unmarked.count()) == (3_532, 1_519, 0)
    assert marked.count() >= len(marked) - 1  # one hand-in was never marked
