"""The scoring pool: a row's score is the model's, whoever computes it and whatever rows stand beside it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import actors.ray_runtime
from actors.ray_runtime import ScoringPool
from actors.scoring import DirectScorer, ScoringActor
from engine.risk import model as risk_model
from engine.risk.trees import LEAF, Trees
from engine.signals import compute, names
from tests.simulation.worlds import Life, make_world

MODEL = risk_model.load()


@cache
def signals() -> NDArray[np.float64]:
    """Signals of learners who have lived some weeks, in the catalogue's order."""
    life = Life(make_world("app", 400), 400)
    life.run(25)
    return compute(life.records, np.flatnonzero(life.records["active_days"] > 0))


def directly() -> NDArray[np.float64]:
    """The scores without any actor: each signal picked by its name."""
    picked = np.column_stack([signals()[:, names().index(name)] for name in MODEL.signals])
    return MODEL.score(picked)


def test_an_actor_scores_as_the_model_does() -> None:
    scores = ScoringActor(MODEL).score(signals())
    np.testing.assert_array_equal(scores, directly())
    assert len(np.unique(scores[:, 0])) > 30
    assert ((scores >= 0) & (scores <= 100)).all()
    np.testing.assert_array_equal(DirectScorer(ScoringActor(MODEL)).submit(signals())(), scores)
    assert ScoringActor(MODEL).score(signals()[:5], MODEL.version).tobytes() == scores[:5].tobytes()


def test_signals_are_found_by_name_in_whatever_order_the_model_has_them() -> None:
    turned = slice(None, None, -1)
    trees = MODEL.estimator
    assert isinstance(trees, Trees)
    mirrored = np.where(trees.signal == LEAF, LEAF, len(MODEL.signals) - 1 - trees.signal)
    backwards = replace(
        MODEL, signals=MODEL.signals[turned], estimator=replace(trees, signal=mirrored), typical=MODEL.typical[turned]
    )
    np.testing.assert_allclose(ScoringActor(backwards).score(signals()), directly(), rtol=0, atol=1e-9)


def test_no_rows_have_no_scores() -> None:
    assert ScoringActor(MODEL).score(signals()[:0]).shape == (0, 2)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.integers(1, 60))
def test_a_score_does_not_depend_on_its_block(rows: list[int], size: int) -> None:
    scorer, chosen = ScoringActor(MODEL), np.array(rows) % len(signals())
    matrix = signals()[chosen]
    blocks = [scorer.score(matrix[start : start + size]) for start in range(0, len(matrix), size)]
    assert np.concatenate(blocks).tobytes() == directly()[chosen].tobytes()


@pytest.mark.usefixtures("cluster")
def test_the_pool_scores_as_the_model_does(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray  # only this test talks to it

    monkeypatch.setattr(actors.ray_runtime, "_BLOCK_ROWS", 100)
    called = ["scorer-of-a-test", "another-scorer-of-a-test"]
    members = [ray.remote(ScoringActor).options(name=name, num_cpus=0).remote(MODEL) for name in called]
    try:
        pool = ScoringPool(called, 1)
        waiting = [pool.submit(signals()), pool.submit(signals()[:0]), pool.submit(signals()[50:120])]
        expected = directly()
        for scores, wanted in zip(waiting, (expected, expected[:0], expected[50:120]), strict=True):
            assert scores().tobytes() == wanted.tobytes()
    finally:
        for member in members:
            ray.kill(member)
