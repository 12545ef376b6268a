"""Plain traversal: the risk model's trees walked from the root to a leaf, one after the other, as compiled code may."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.compiled import compiled
from engine.risk.trees import LEAF, Trees


class Plain(NamedTuple):
    """Trees as compiled code takes them; fields as of `engine.risk.trees.Trees`, and the place of each root."""

    baseline: float
    roots: NDArray[np.int64]
    signal: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]


def plain(trees: Trees) -> Plain:
    """Return trees for compiled code."""
    roots = np.flatnonzero(np.diff(trees.tree, prepend=-1))
    return Plain(trees.baseline, roots, trees.signal, trees.threshold, trees.left, trees.right, trees.value)


@compiled
def walked(signals: Any, trees: Any) -> float:
    """Return the log-odds of one row, tree by tree in their order."""
    total = trees.baseline
    for root in trees.roots:
        node = root
        while trees.signal[node] != LEAF:
            goes_left = signals[trees.signal[node]] <= trees.threshold[node]
            node = trees.left[node] if goes_left else trees.right[node]
        total += trees.value[node]
    return float(total)


@compiled
def walk(matrix: Any, trees: Any, out: Any) -> None:
    """Write the log-odds of every row."""
    for row in range(len(matrix)):
        out[row] = walked(matrix[row], trees)
