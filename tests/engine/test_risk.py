"""Drop-off's definition, and the risk model's fit, arithmetic and file."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngageError, InputError
from engine.risk import fitting, model
from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS, labels


def active_days(days: int, *spans: range | int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    row = np.zeros((1, days), bool)
    for span in spans:
        row[0, list(span) if isinstance(span, range) else span] = True
    return row


def at(row: np.ndarray[Any, np.dtype[np.bool_]], day: int) -> bool:
    return bool(labels(row).dropped[0, day])


def test_drop_off_is_14_silent_days_seen_7_days_ahead() -> None:
    assert (SILENT_DAYS, HORIZON_DAYS) == (14, 7)


def test_a_run_of_14_silent_days_is_a_drop_off_and_one_of_13_is_none() -> None:
    stays = active_days(60, range(11), range(24, 60))  # silent on days 11-23: 13 days
    drops = active_days(60, range(11), range(25, 60))  # silent on days 11-24: 14 days
    assert not any(at(stays, day) for day in range(39))
    assert at(drops, 10)


def test_a_drop_off_counts_from_7_days_before_its_first_silent_day() -> None:
    drops = active_days(60, range(11), range(25, 60))  # begins on day 11
    assert [day for day in range(20) if at(drops, day)] == list(range(4, 20))
    assert not labels(drops).eligible[0, 24]  # the 14th silent day: dropped off, no longer scored
    assert labels(drops).eligible[0, 23]
    assert not any(at(drops, day) for day in range(25, 39))  # back again, and here to stay


def test_a_silence_in_progress_that_ends_in_time_may_be_followed_by_one_that_does_not() -> None:
    row = active_days(40, range(4), 9)  # silent 4-8, back on 9, gone from 10 on
    assert not at(row, 2)
    assert at(row, 3)  # day 10 is 7 days ahead
    assert at(row, 5)


def test_nobody_is_scored_before_their_first_active_day() -> None:
    assert labels(active_days(40, 5)).eligible[0].nonzero()[0].tolist() == list(range(5, 5 + SILENT_DAYS))


def test_a_label_needs_data_to_the_end_of_the_last_silence_that_could_begin() -> None:
    row = active_days(50, range(50))
    assert labels(row).known[0].sum() == 50 - (HORIZON_DAYS + SILENT_DAYS - 1)
    assert labels(row, np.array([39])).known[0].nonzero()[0].max() == 39 - HORIZON_DAYS - SILENT_DAYS + 1


def test_what_comes_after_the_end_of_the_data_is_not_looked_at() -> None:
    back_later = active_days(80, range(20), 70)
    gone = active_days(80, range(20))
    for ours, theirs in zip(vars(labels(back_later, 60)).values(), vars(labels(gone, 60)).values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def plain_label(row: list[bool], day: int, silent: int, horizon: int) -> bool:
    """The definition, word for word."""
    newest = max(past for past in range(day + 1) if row[past])
    for first in range(newest + 1, day + horizon + 1):
        run_begins = row[first - 1] and not row[first]
        if run_begins and not any(row[first : first + silent]):
            return True
    return False


@given(st.lists(st.booleans(), min_size=14, max_size=40), st.integers(1, 5), st.integers(1, 4))
def test_labels_equal_the_definition_word_for_word(row: list[bool], silent: int, horizon: int) -> None:
    found = labels(np.array([row]), None, silent, horizon)
    for day in range(len(row)):
        began = any(row[: day + 1])
        assert found.eligible[0, day] == (began and any(row[max(0, day - silent + 1) : day + 1]))
        assert found.known[0, day] == (day + horizon + silent <= len(row))
        if found.eligible[0, day] and found.known[0, day]:
            assert found.dropped[0, day] == plain_label(row, day, silent, horizon)


def rows_of(count: int = 6_000) -> fitting.Rows:
    """Return learner-days of 400 learners whose drop-off follows two of six signals."""
    draw = np.random.default_rng(5)
    matrix = draw.normal(size=(count, 6)) * [1, 10, 0.1, 1, 2, 3] + [0, 50, 3, 0, 1, 2]
    chance = 1 / (1 + np.exp(matrix[:, 3] - 2 * matrix[:, 0] - 0.5))
    learner = draw.integers(0, 400, count)
    hashes = np.array([fitting.stable_hash(str(number)) % fitting.BUCKETS for number in range(400)])
    names = ("silent_days", "active_days_28", "level", "log_streak", "mean_gap_days", "weekend_share")
    return fitting.Rows(
        names,
        matrix,
        draw.random(count) < chance,
        np.arange(count) % 2,
        np.arange(count),
        hashes[learner].astype(np.int64),
    )


@pytest.fixture(scope="module")
def fitted() -> tuple[model.LinearRisk, Any, fitting.Rows]:
    rows = rows_of()
    return *fitting.fit(rows), rows


def test_the_compiled_score_equals_scikit_learn(fitted: tuple[model.LinearRisk, Any, fitting.Rows]) -> None:
    risk_model, pipeline, rows = fitted
    ours = [model.linear_score(row, *risk_model.weights) for row in rows.matrix]
    theirs = pipeline.decision_function(rows.matrix)
    assert np.abs(np.array(ours) - theirs).max() < 1e-9
    p0, p1 = (np.interp(theirs, risk_model.knots, table) for table in (risk_model.p0, risk_model.p1))
    expected = np.stack([100 * p1 / (1 - p0 + p1), 100 * (1 - (p1 - p0))], axis=1)
    assert np.abs(risk_model.score(rows.matrix) - expected).max() < 1e-9


def test_contributions_add_up_to_the_score_and_are_nothing_for_an_average_learner(
    fitted: tuple[model.LinearRisk, Any, fitting.Rows],
) -> None:
    risk_model, _, rows = fitted
    scores = [model.linear_score(row, *risk_model.weights) for row in rows.matrix]
    moved = risk_model.contributions(rows.matrix)
    np.testing.assert_allclose(moved.sum(axis=1) + risk_model.intercept, scores, atol=1e-9)
    assert not risk_model.contributions(risk_model.centre[None, :]).any()


def test_a_score_does_not_depend_on_the_rest_of_its_batch(
    fitted: tuple[model.LinearRisk, Any, fitting.Rows],
) -> None:
    risk_model, _, rows = fitted
    whole = risk_model.score(rows.matrix)
    backwards = risk_model.score(rows.matrix[::-1])[::-1]
    alone = np.concatenate([risk_model.score(rows.matrix[place : place + 1]) for place in range(50)])
    assert whole.tobytes() == backwards.tobytes()
    assert whole[:50].tobytes() == alone.tobytes()


def test_risk_rises_with_the_score_and_matches_what_happened(
    fitted: tuple[model.LinearRisk, Any, fitting.Rows],
) -> None:
    risk_model, pipeline, rows = fitted
    judged = rows.judged_on
    found = risk_model.score(judged.matrix)
    assert found.min() >= 0 and found.max() <= 100
    order = np.argsort(pipeline.decision_function(judged.matrix))
    assert (np.diff(found[order, 0]) >= 0).all()
    for low in (0, 50):
        half = (found[:, 0] >= low) & (found[:, 0] < low + 50)
        assert found[half, 0].mean() == pytest.approx(100 * judged.dropped[half].mean(), abs=5)


def test_fewer_witnesses_give_less_confidence() -> None:
    draw = np.random.default_rng(3)
    scores = draw.normal(size=2_000)
    dropped = draw.random(2_000) < 1 / (1 + np.exp(-scores))
    widths = []
    for weight in (1.0, 0.05):
        knots, p0, p1 = fitting.venn_abers(scores, dropped, np.full(2_000, weight))
        assert (np.diff(knots) > 0).all() and (p0 <= p1).all()
        widths.append((p1 - p0).mean())
    assert widths[1] > 2 * widths[0]


def test_signals_that_are_not_finite_are_an_error_when_training() -> None:
    rows = rows_of()
    rows.matrix[7, 1] = np.nan
    with pytest.raises(EngageError, match="active_days_28"):
        fitting.fit(rows)


def test_signals_that_are_not_finite_are_an_error_when_scoring(
    fitted: tuple[model.LinearRisk, Any, fitting.Rows],
) -> None:
    matrix = fitted[2].matrix[:5].copy()
    matrix[3, 2] = np.inf
    with pytest.raises(EngageError, match=r"row 3.*level inf"):
        fitted[0].score(matrix)


def test_a_matrix_of_another_width_is_refused(fitted: tuple[model.LinearRisk, Any, fitting.Rows]) -> None:
    with pytest.raises(EngageError, match=r"\(rows, 6\)"):
        fitted[0].score(np.zeros((4, 2)))


def test_training_data_without_a_drop_off_is_refused() -> None:
    rows = rows_of()
    rows.dropped[:] = False
    with pytest.raises(EngageError, match="0 before a drop-off"):
        fitting.fit(rows)


def test_a_saved_model_comes_back_the_same(fitted: tuple[model.LinearRisk, Any, fitting.Rows], tmp_path: Path) -> None:
    risk_model, _, rows = fitted
    risk_model.save(tmp_path / "model.json")
    back = model.load(tmp_path / "model.json")
    carried = pickle.loads(pickle.dumps(risk_model))  # noqa: S301  # our own bytes, made here
    for other in (back, carried):
        assert other.version == risk_model.version
        assert other.score(rows.matrix).tobytes() == risk_model.score(rows.matrix).tobytes()
    assert back.to_json() == (tmp_path / "model.json").read_text()


def changed(tmp_path: Path, change: Any) -> Path:
    body = json.loads(model.DEFAULT_FILE.read_text())
    change(body)
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(body))
    return file


def test_a_changed_coefficient_changes_the_version_and_a_changed_note_does_not(tmp_path: Path) -> None:
    default = model.load()
    bigger = model.load(changed(tmp_path, lambda body: body["signals"][0].update(coefficient=9.0)))
    noted = model.load(changed(tmp_path, lambda body: body["about"].update(note="hello")))
    assert bigger.version != default.version == noted.version


def test_a_model_with_unknown_signals_is_refused_by_their_names(tmp_path: Path) -> None:
    file = changed(tmp_path, lambda body: body["signals"][0].update(name="mood_ring"))
    with pytest.raises(InputError, match=r"changed\.json: signals; got mood_ring"):
        model.load(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda body: body.update(format="pickle"), "pickle version 1", id="format"),
        pytest.param(lambda body: body.update(format_version=99), "version 99", id="version"),
        pytest.param(lambda body: body["drop_off"].update(silent_days=10), r"\(10, 7\)", id="another drop-off"),
        pytest.param(lambda body: body.update(schema_hash="0"), "other units", id="other units"),
        pytest.param(lambda body: body.pop("calibration"), "KeyError: 'calibration'", id="no calibration"),
        pytest.param(lambda body: body["calibration"]["knots"].reverse(), "do not fit together", id="falling knots"),
        pytest.param(lambda body: body["calibration"]["p0"].pop(), "do not fit together", id="a number too few"),
        pytest.param(lambda body: body["signals"][0].update(scale=0.0), "do not fit together", id="no scale"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        model.load(changed(tmp_path, change))


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("not a model")
    for name in ("none.json", "text.json"):
        with pytest.raises(InputError, match=name):
            model.load(tmp_path / name)
