"""The risk model's contract: what holds for every estimator that there is, its scores, its reasons and its file."""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine.errors import EngageError, InputError
from engine.risk import fitting, model
from engine.risk.model import RiskModel
from engine.risk.rows import BUCKETS, Rows, stable_hash
from engine.risk.trees import LEAF
from engine.signals import catalogue

SIGNALS = ("silent_days", "active_days_28", "level", "log_streak", "mean_gap_days", "weekend_share")
GROUPS = (("silent_days",), ("active_days_28", "log_streak"), ("level",), SIGNALS)

Body = dict[str, Any]


class Fitted(NamedTuple):
    """A model, scikit-learn's estimator that it evaluates, and all rows: those fitted on and those held out."""

    model: RiskModel
    theirs: Any
    rows: Rows


def rows_of(count: int = 6_000) -> Rows:
    """Return learner-days of 400 learners whose drop-off follows three of six signals."""
    draw = np.random.default_rng(5)
    matrix = draw.normal(size=(count, 6)) * [1, 10, 0.1, 1, 2, 3] + [0, 50, 3, 0, 1, 2]
    chance = 1 / (1 + np.exp(matrix[:, 3] + 0.1 * (matrix[:, 1] - 50) - 2 * matrix[:, 0] - 0.5))
    bucket = np.array([stable_hash(str(number)) % BUCKETS for number in range(400)], np.int64)
    learner = draw.integers(0, 400, count)
    dropped = draw.random(count) < chance
    return Rows(
        SIGNALS, matrix, dropped, np.arange(count) % 2, np.arange(count), np.zeros(count, np.int64), bucket[learner]
    )


@functools.cache
def fitted_as(kind: str) -> Fitted:
    rows = rows_of()
    return Fitted(*fitting.fit(rows.fitted_on, [kind]), rows)


@pytest.fixture(params=sorted(fitting.RECIPES))
def fitted(request: pytest.FixtureRequest) -> Fitted:
    """Every estimator that can be fitted, so that a new one cannot stay outside the contract."""
    return fitted_as(request.param)


def test_every_estimator_that_a_file_may_name_can_be_fitted_and_is_told_by_its_name(fitted: Fitted) -> None:
    assert set(fitting.RECIPES) == set(model.ESTIMATORS)
    assert type(fitted.model.estimator) is model.ESTIMATORS[fitted.model.kind]


def test_the_log_odds_equal_those_of_scikit_learn(fitted: Fitted) -> None:
    ours, theirs = fitted.model.estimator.log_odds(fitted.rows.matrix), fitted.theirs.decision_function
    np.testing.assert_allclose(ours, theirs(fitted.rows.matrix), rtol=0, atol=1e-9)


def test_risk_and_confidence_equal_the_formula(fitted: Fitted) -> None:
    table = fitted.model.calibration
    log_odds = fitted.theirs.decision_function(fitted.rows.matrix)
    low, p, high = (np.interp(log_odds, table.knots, each) for each in (table.low, table.p, table.high))
    expected = np.stack([100 * p, 100 * (1 - (high - low))], axis=1)
    np.testing.assert_allclose(fitted.model.score(fitted.rows.matrix), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 128])
def test_a_score_does_not_depend_on_the_rest_of_its_batch(fitted: Fitted, size: int) -> None:
    matrix, score = fitted.rows.matrix[:700], fitted.model.score
    whole = score(matrix).tobytes()
    assert score(matrix[::-1])[::-1].tobytes() == whole
    assert score(np.asfortranarray(matrix)).tobytes() == whole
    blocks = [score(matrix[start : start + size]) for start in range(0, len(matrix), size)]
    assert np.concatenate(blocks).tobytes() == whole


def test_nobody_to_score_is_no_error(fitted: Fitted) -> None:
    nobody = fitted.rows.matrix[:0]
    assert fitted.model.score(nobody).shape == (0, 2)
    assert fitted.model.contributions(nobody, GROUPS).shape == (0, len(GROUPS))


def test_risk_rises_with_the_log_odds_and_matches_what_happened_to_others(fitted: Fitted) -> None:
    judged = fitted.rows.judged_on
    found = fitted.model.score(judged.matrix)
    assert found.min() >= 0 and found.max() <= 100
    order = np.argsort(fitted.theirs.decision_function(judged.matrix))
    assert np.diff(found[order, 0]).min() >= -1e-9
    for low in (0, 50):
        half = (found[:, 0] >= low) & (found[:, 0] < low + 50)
        assert found[half, 0].mean() == pytest.approx(100 * judged.dropped[half].mean(), abs=5)


def test_contributions_are_nothing_for_the_typical_learner(fitted: Fitted) -> None:
    assert not fitted.model.contributions(fitted.model.typical[None, :], GROUPS).any()
    assert fitted.model.contributions(fitted.rows.matrix[:50], GROUPS).any(axis=0).all()


def test_changing_the_signals_of_a_reason_moves_the_risk_as_said(fitted: Fitted) -> None:
    risk_model, matrix = fitted.model, fitted.rows.matrix[:500]
    moved = risk_model.contributions(matrix, GROUPS)
    log_odds = fitted.theirs.decision_function(matrix)
    for place, group in enumerate(GROUPS):
        columns = [SIGNALS.index(name) for name in group]
        changed = matrix.copy()
        changed[:, columns] = np.median(fitted.rows.fitted_on.matrix, axis=0)[columns]
        less = log_odds - moved[:, place]
        np.testing.assert_allclose(fitted.theirs.decision_function(changed), less, rtol=0, atol=1e-9)
        np.testing.assert_allclose(risk_model.score(changed), risk_model.calibration.scores(less), rtol=0, atol=1e-9)


def test_a_group_of_signals_unknown_to_the_model_is_refused(fitted: Fitted) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        fitted.model.contributions(fitted.rows.matrix[:1], [["log_xp"]])


def test_trees_keep_the_direction_that_common_sense_gives_a_signal() -> None:
    trees = fitted_as("trees")
    directions = {entry.name: entry.monotone for entry in catalogue()}
    assert (directions["silent_days"], directions["active_days_28"]) == (1, -1)
    matrix = trees.rows.matrix[:200]
    for column, name in enumerate(SIGNALS):
        if directions[name] == 0:
            continue
        reach = np.linspace(trees.rows.matrix[:, column].min(), trees.rows.matrix[:, column].max(), 60)
        swept = np.repeat(matrix, len(reach), axis=0)  # each learner with every value of this signal, rising
        swept[:, column] = np.tile(reach, len(matrix))
        steps = np.diff(trees.model.estimator.log_odds(swept).reshape(len(matrix), -1), axis=1)
        assert (steps * directions[name] >= 0).all() and (steps != 0).any(), name


def test_signals_that_are_not_finite_are_refused_in_fitting() -> None:
    rows = rows_of(500)
    rows.matrix[7, 1] = np.nan
    with pytest.raises(EngageError, match="to train on: active_days_28; got values that are not finite"):
        fitting.fit(rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_signals_that_are_not_finite_are_refused_in_scoring(fitted: Fitted, value: float) -> None:
    matrix = fitted.rows.matrix[:5].copy()
    matrix[3, 2] = value
    with pytest.raises(EngageError, match=rf"row 3; got level {value};"):
        fitted.model.score(matrix)


def test_a_matrix_of_another_width_is_refused(fitted: Fitted) -> None:
    with pytest.raises(EngageError, match=r"\(rows, 6\)"):
        fitted.model.score(np.zeros((4, 2)))


def test_training_data_without_a_drop_off_is_refused() -> None:
    rows = rows_of(500)
    rows.dropped[:] = False
    with pytest.raises(EngageError, match="0 before a drop-off"):
        fitting.fit(rows)


def test_an_unknown_kind_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(InputError, match=r"'linaer'; expected linear or trees. Did you mean 'linear'\?"):
        fitting.fit(rows_of(500), ["trees", "linaer"])


def test_a_saved_model_comes_back_the_same(fitted: Fitted, tmp_path: Path) -> None:
    risk_model, file = fitted.model, tmp_path / "model.json"
    risk_model.save(file)
    carried = pickle.loads(pickle.dumps(risk_model))  # noqa: S301  # our own bytes, made here
    for other in (model.load(file), carried):
        assert (other.version, other.kind, other.about) == (risk_model.version, risk_model.kind, risk_model.about)
        assert other.score(fitted.rows.matrix).tobytes() == risk_model.score(fitted.rows.matrix).tobytes()
        told = [each.contributions(fitted.rows.matrix[:50], GROUPS).tobytes() for each in (other, risk_model)]
        assert told[0] == told[1]
        assert other.to_json() == file.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def test_every_number_that_decides_a_score_changes_the_version_and_a_note_does_not(fitted: Fitted) -> None:
    versions, draw = [fitted.model.version], np.random.default_rng(1)
    for part in ("estimator", "calibration"):
        for entry in fields(getattr(fitted.model, part)):
            changed = pickle.loads(pickle.dumps(getattr(fitted.model, part)))  # noqa: S301  # our own, made here
            numbers = np.array(getattr(changed, entry.name))
            numbers.flat[draw.integers(numbers.size)] -= 1
            object.__setattr__(changed, entry.name, numbers)  # past the checks: it need not make sense
            versions.append(replace(fitted.model, **{part: changed}).version)
    versions.append(replace(fitted.model, signals=(*SIGNALS[:-1], "log_xp")).version)
    assert len(set(versions)) == len(versions)
    assert replace(fitted.model, about={"note": "hello"}).version == fitted.model.version


def changed_file(risk_model: RiskModel, folder: Path, change: Callable[[Body], Any]) -> Path:
    body = json.loads(risk_model.to_json())
    change(body)
    file = folder / "changed.json"
    file.write_text(json.dumps(body))
    return file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda body: body.update(format="pickle"), "pickle version 2", id="format"),
        pytest.param(lambda body: body.update(format_version=1), "version 1; expected .* version 2", id="version"),
        pytest.param(lambda body: body["drop_off"].update(silent_days=10), r"\(10, 7\)", id="another drop-off"),
        pytest.param(lambda body: body.update(schema_hash="0"), "other units", id="other units"),
        pytest.param(lambda body: body["signals"].__setitem__(0, "mood"), r"json: signals; got mood", id="unknown"),
        pytest.param(lambda body: body["typical"].pop(), "do not fit together", id="a typical value too few"),
        pytest.param(lambda body: body.pop("typical"), "KeyError: 'typical'", id="nobody typical"),
        pytest.param(lambda body: body.pop("calibration"), "KeyError: 'calibration'", id="no calibration"),
        pytest.param(lambda body: body["calibration"]["knots"].reverse(), "do not fit together", id="falling knots"),
        pytest.param(lambda body: body["calibration"]["p"].pop(), "do not fit together", id="a probability too few"),
        pytest.param(lambda body: body["calibration"]["low"].__setitem__(0, 1.5), "do not fit", id="low above high"),
        pytest.param(lambda body: body["estimator"].update(kind="oracle"), "'oracle'; expected linear", id="kind"),
        pytest.param(lambda body: body["estimator"].pop("kind"), "KeyError: 'kind'", id="no kind"),
        pytest.param(lambda body: body["estimator"].update(power=2), "unexpected .*'power'", id="a number of no use"),
        pytest.param(lambda body: body["estimator"].popitem(), "missing 1 required", id="a number too few"),
        pytest.param(lambda body: body.update(version="0" * 16), "version; got '0000", id="another version"),
        pytest.param(
            lambda body: body["calibration"]["knots"].__setitem__(0, -99.0), "changed by hand", id="another number"
        ),
        pytest.param(lambda body: body.update(about=[]), "AttributeError", id="about is no table"),
        pytest.param(
            lambda body: body["about"].update(reference={"silent_days": {"edges": [1.0], "shares": [1.0]}}),
            r"reference\.silent_days; got numbers that do not fit",
            id="no reference",
        ),
    ],
)
def test_a_damaged_file_is_refused(fitted: Fitted, tmp_path: Path, change: Callable[[Body], Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        model.load(changed_file(fitted.model, tmp_path, change))


def put(name: str, place: int, value: float) -> Callable[[Body], None]:
    return lambda body: body["estimator"][name].__setitem__(place, value)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param("linear", put("scale", 0, 0.0), id="no scale"),
        pytest.param("linear", put("coefficient", 0, float("nan")), id="no number"),
        pytest.param("linear", lambda body: body["estimator"]["centre"].pop(), id="a centre too few"),
        pytest.param("trees", put("left", 0, 0), id="a child that points backwards"),
        pytest.param("trees", put("right", 0, 10**6), id="a child that is none"),
        pytest.param("trees", put("right", 0, 1), id="a child of two"),
        pytest.param("trees", put("left", 0, 1.5), id="a child between two"),
        pytest.param("trees", put("signal", 0, 0.9), id="a signal between two"),
        pytest.param("trees", put("tree", 1, 1), id="a node of another tree"),
        pytest.param("trees", put("tree", 0, 1), id="no first tree"),
        pytest.param("trees", put("signal", 0, len(SIGNALS)), id="a signal too many"),
        pytest.param("trees", put("signal", 0, LEAF - 1), id="a signal that is none"),
        pytest.param("trees", put("threshold", 0, float("nan")), id="no threshold"),
        pytest.param("trees", lambda body: body["estimator"]["value"].pop(), id="a value too few"),
        pytest.param("trees", lambda body: body["estimator"]["left"].pop(), id="a child too few"),
    ],
)
def test_an_estimator_of_numbers_that_do_not_fit_is_refused(
    tmp_path: Path, kind: str, change: Callable[[Body], Any]
) -> None:
    with pytest.raises(InputError, match="do not fit together"):
        model.load(changed_file(fitted_as(kind).model, tmp_path, change))


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("not a model")
    for name in ("none.json", "text.json"):
        with pytest.raises(InputError, match=name):
            model.load(tmp_path / name)


def test_the_model_that_ships_is_what_its_file_says() -> None:
    same = model.load().to_json() == model.DEFAULT_FILE.read_text()  # its version, too; not shown: it is long
    assert same
