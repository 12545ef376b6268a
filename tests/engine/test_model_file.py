"""A model's file with one field spoiled, and its version made to match: refused, or scored as its numbers say."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import InputError
from engine.risk import drift, model
from engine.risk.calibration import Calibration
from engine.risk.linear import Linear
from engine.risk.model import RiskModel
from engine.risk.trees import LEAF, Trees

Numbers = NDArray[np.float64]
Body = dict[str, Any]
Where = tuple[str | int, ...]

SIGNALS = ("silent_days", "level")
MATRIX = np.array([[silent, level] for silent in (0.0, 1.0, 3.0, 13.0) for level in (1.0, 2.0, 5.0)])
LINE = Linear(-1.0, np.array([2.0, 3.0]), np.array([4.0, 1.5]), np.array([0.8, -0.3]))
TREES = Trees(  # silent_days <= 2 ? -1 : (level <= 1 ? 0.5 : 2), and level <= 3 ? 0.25 : -0.25
    baseline=-0.5,
    tree=np.array([0, 0, 0, 0, 0, 1, 1, 1]),
    signal=np.array([0, LEAF, 1, LEAF, LEAF, 1, LEAF, LEAF]),
    threshold=np.array([2.0, 0, 1, 0, 0, 3, 0, 0]),
    left=np.array([1, 0, 3, 0, 0, 6, 0, 0]),
    right=np.array([2, 0, 4, 0, 0, 7, 0, 0]),
    value=np.array([0, -1.0, 0, 0.5, 2, 0, 0.25, -0.25]),
)
TABLE = Calibration(*(np.array(each) for each in ([-2.0, 0, 2], [0.05, 0.3, 0.7], [0.1, 0.4, 0.8], [0.3, 0.5, 0.9])))
ABOUT = {
    "reference": {"silent_days": {"edges": [0.0, 2.0], "shares": [0.5, 0.25, 0.25]}},
    "trained_on": [{"name": "a log", "last_day": "2026-09-21"}],
}

SPOILT: list[Any] = [
    *(None, True, -1, 0, 1, 2, 7, 2**63, 2**64, 2**70, 10**400),
    *(0.5, -2.5, 3.9, 1e308, -1e308, 1e-320, float("nan"), float("inf")),
    *("", "1", "x", [], [1], [[1.0]], {}, {"a": 1}),
]
"""What may stand in a file instead of a field."""


def fields_of(told: Any, path: Where = ()) -> Iterator[Where]:
    """Yield the path of every field, and of every number and table inside it; of the whole file first."""
    yield path
    if isinstance(told, dict | list):
        for key, inner in told.items() if isinstance(told, dict) else enumerate(told):
            yield from fields_of(inner, (*path, key))


def spoiled(body: Body, path: Where, value: Any) -> Any:
    if not path:
        return value
    whole = copy.deepcopy(body)
    inner: Any = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return whole


def loaded(file: Path, body: Any) -> RiskModel:
    """Load a file, and where only its version is in the way, as if whoever changed it had changed that along."""
    file.write_text(json.dumps(body))
    try:
        return model.load(file)
    except InputError as error:
        numbers = re.search(r"its numbers are of '(\w+)'", str(error))
        if numbers is None:
            raise
    file.write_text(json.dumps({**body, "version": numbers[1]}))
    return model.load(file)


def by_definition(told: Body, row: Numbers) -> float:
    """Return the log-odds of a row by an estimator as its file tells it: scikit-learn's way, node by node."""
    if told["kind"] == "linear":
        each = zip(row, *(np.array(told[name], float) for name in ("centre", "scale", "coefficient")), strict=True)
        return float(told["intercept"] + sum((x - centre) / scale * weight for x, centre, scale, weight in each))
    total = float(told["baseline"])
    for root in np.flatnonzero(np.diff(told["tree"], prepend=-1)).tolist():
        node = root
        while (signal := int(told["signal"][node])) != LEAF:
            node = int(told["left" if row[signal] <= told["threshold"][node] else "right"][node])
        total += float(told["value"][node])
    return total


@pytest.mark.parametrize("estimator", [LINE, TREES], ids=["linear", "trees"])
def test_a_spoiled_field_is_refused_or_scored_as_the_file_says(tmp_path: Path, estimator: Linear | Trees) -> None:
    whole = json.loads(RiskModel(SIGNALS, estimator, TABLE, np.array([1.0, 2.0]), ABOUT).to_json())
    taken = 0
    for path in fields_of(whole):
        for value in SPOILT:
            body = spoiled(whole, path, value)
            try:
                found = loaded(tmp_path / "model.json", body)
            except InputError:
                continue
            taken += 1
            with np.errstate(over="ignore"):
                log_odds = [by_definition(body["estimator"], row) for row in MATRIX]
            low, p, high = (
                np.interp(log_odds, np.array(body["calibration"]["knots"], float), np.array(told, float))
                for told in (body["calibration"][name] for name in ("low", "p", "high"))
            )
            expected, said = np.stack([100 * p, 100 * (1 - (high - low))], axis=1), f"{path} = {value!r}"
            np.testing.assert_allclose(found.score(MATRIX), expected, rtol=0, atol=1e-9, err_msg=said)
            psi = drift.stability(found.about.get("reference", {}), SIGNALS, MATRIX)
            assert np.isfinite(list(psi.values())).all(), said
            assert all(isinstance(log, dict) for log in found.about.get("trained_on", [])), said
    assert taken > 50


def test_a_file_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * 100_000)
    with pytest.raises(InputError, match="RecursionError"):
        model.load(file)
