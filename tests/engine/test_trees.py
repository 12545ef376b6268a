"""Compiled trees: whatever scikit-learn fits, they come to the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from engine.errors import InputError
from engine.risk import fitting
from engine.risk.trees import LEAF, MOST_LEAVES, Trees

Numbers = NDArray[np.float64]

TIED = st.integers(-8, 8).map(lambda number: number / 4)
ANY = st.floats(-1e9, 1e9)
TABLES = st.tuples(st.integers(2, 150), st.integers(1, 5)).flatmap(
    lambda shape: st.sampled_from([TIED, ANY]).flatmap(lambda kind: arrays.arrays(np.float64, shape, elements=kind))
)


@st.composite
def boostings(draw: st.DrawFn) -> tuple[Any, Numbers]:
    """Fit a few trees, of one leaf to as many as there may be, on a table of numbers; many are the same."""
    matrix = draw(TABLES)
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    dropped = chance.random(len(matrix)) < 1 / (1 + np.exp(-np.clip(matrix.sum(axis=1), -2, 2)))
    dropped[:2] = (False, True)
    boosting = HistGradientBoostingClassifier(
        max_iter=draw(st.integers(1, 6)),
        max_leaf_nodes=draw(st.integers(2, MOST_LEAVES)),
        min_samples_leaf=draw(st.integers(1, 4)),
        monotonic_cst=draw(st.lists(st.integers(-1, 1), min_size=matrix.shape[1], max_size=matrix.shape[1])),
        early_stopping=False,
        random_state=0,
    )
    with threadpool_limits(1):
        return boosting.fit(matrix, dropped), matrix


def on_the_edges(trees: Trees, matrix: Numbers) -> Numbers:
    """Return rows with one signal exactly at, just below and just above each threshold."""
    rows = []
    for node in np.flatnonzero(trees.signal != LEAF):
        for towards in (-np.inf, trees.threshold[node], np.inf):
            row = matrix[node % len(matrix)].copy()
            row[trees.signal[node]] = np.nextafter(trees.threshold[node], towards)
            rows.append(row)
    return np.array(rows).reshape(-1, matrix.shape[1])


@given(boostings())
def test_trees_equal_those_of_scikit_learn_to_the_bit(fitted: tuple[Any, Numbers]) -> None:
    boosting, matrix = fitted
    trees = fitting.RECIPES["trees"].taken(boosting)
    assert isinstance(trees, Trees)
    every = np.concatenate([matrix, on_the_edges(trees, matrix)])
    with threadpool_limits(1):
        np.testing.assert_array_equal(trees.log_odds(every), boosting.decision_function(every))


def comb(leaves: int) -> Trees:
    """Return one tree of a signal x = 0, 1, ...: its log-odds are x up to the last leaf."""
    inner = np.arange(2 * leaves - 1) % 2 == 0
    inner[-1] = False  # inner nodes at even places, each with a leaf behind it; the last leaf ends it
    place: NDArray[np.int64] = np.arange(len(inner))
    value = np.where(inner, 0, np.append(place[:-1] // 2, leaves - 1))
    left, right = (np.where(inner, place + step, 0) for step in (1, 2))
    return Trees(0.0, 0 * place, np.where(inner, 0, LEAF), np.where(inner, place // 2, 0), left, right, value)


def test_a_tree_has_as_many_leaves_as_a_word_has_room_for_and_no_more() -> None:
    matrix = np.arange(70.0)[:, None]
    np.testing.assert_array_equal(comb(MOST_LEAVES).log_odds(matrix), np.minimum(matrix[:, 0], MOST_LEAVES - 1))
    with pytest.raises(InputError, match=f"at most {MOST_LEAVES} leaves"):
        comb(MOST_LEAVES + 1)
