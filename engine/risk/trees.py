"""Gradient-boosted trees, evaluated without branches: QuickScorer over blocks of rows.

Each tree's leaves are bits of a word. A node that a row passes on the right takes the leaves on its left out of the
word, so all nodes may be looked at in any order, signal by signal, for many rows side by side; the lowest bit that is
left is the leaf (Lucchese et al., QuickScorer, SIGIR 2015). No row's arithmetic looks at another row.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import bitmaps
from engine.compiled import compiled
from engine.errors import InputError

MOST_LEAVES = 56
"""Of one tree: what `engine.bitmaps` counts."""
LEAF = -1
"""Signal of a node that has none: a leaf."""
_BLOCK = 64  # rows side by side
_ALL = (1 << MOST_LEAVES) - 1

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]


@compiled
def _exit_leaves(columns: Any, signal: Any, threshold: Any, tree: Any, kept: Any, leaves: Any) -> None:
    """Leave in each tree's word of each row of a block the leaves that the row may still reach.

    Args:
        columns: (signals, block): a block of rows, transposed.
        signal: of each node.
        threshold: of each node; at most it, a row goes left.
        tree: of each node.
        kept: leaves that remain where a row goes right, as bits.
        leaves: (trees, block), written here.
    """
    leaves[:, :] = _ALL
    for node in range(len(signal)):
        values, words = columns[signal[node]], leaves[tree[node]]
        limit, right = threshold[node], kept[node]
        for place in range(_BLOCK):
            words[place] &= right | -np.int64(values[place] <= limit)


@compiled
def _add_leaves(leaves: Any, value: Any, baseline: float, out: Any) -> None:
    """Add up the values of the leaves, tree by tree, in their order."""
    for place in range(len(out)):
        total = baseline
        for tree in range(len(value)):
            word = leaves[tree, place]
            total += value[tree, bitmaps.count((word & -word) - 1)]
        out[place] = total


@compiled
def _score(
    matrix: Any, signal: Any, threshold: Any, tree: Any, kept: Any, value: Any, baseline: float, out: Any
) -> None:
    columns = np.zeros((matrix.shape[1], _BLOCK))
    leaves = np.empty((len(value), _BLOCK), np.int64)
    for start in range(0, len(matrix), _BLOCK):
        rows = min(_BLOCK, len(matrix) - start)
        for row in range(rows):
            for column in range(matrix.shape[1]):
                columns[column, row] = matrix[start + row, column]
        _exit_leaves(columns, signal, threshold, tree, kept, leaves)
        _add_leaves(leaves, value, baseline, out[start : start + rows])


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees whose leaves add up to log-odds; nodes of a tree stand together, each before its children.

    Args:
        baseline: log-odds before any tree.
        tree: of each node, rising.
        signal: of each node, by place; `LEAF` = it is a leaf.
        threshold: of each node; at most it, a row goes left. 0 at a leaf.
        left: of each node, its left child's place in all; 0 at a leaf.
        right: likewise.
        value: of each leaf, log-odds; 0 elsewhere.
    """

    baseline: float
    tree: Integers
    signal: Integers
    threshold: Numbers
    left: Integers
    right: Integers
    value: Numbers

    def __post_init__(self) -> None:
        """Take the numbers into arrays of its own; refuse trees that are none."""
        good = True
        for entry in fields(self)[1:]:
            given = np.array(getattr(self, entry.name))
            kind = np.float64 if entry.name in {"threshold", "value"} else np.int64
            with np.errstate(invalid="ignore"):  # what is no place at all, such as infinity, differs then
                taken = given.astype(kind)
            good = good and given.dtype.kind in "if" and np.array_equal(taken, given, equal_nan=True)  # 3.9 is no place
            object.__setattr__(self, entry.name, taken)
        count = len(self.tree)
        inner = self.signal != LEAF
        places = np.arange(count)
        good = (
            good
            and count > 0
            and all(getattr(self, entry.name).shape == (count,) for entry in fields(self)[1:])
            and bool(np.isfinite([*self.threshold, *self.value, self.baseline]).all())
            and bool((self.signal >= LEAF).all() and self.tree[0] == 0 and (np.isin(np.diff(self.tree), (0, 1))).all())
        )
        for child in (self.left, self.right):
            good = good and bool((child[inner] > places[inner]).all() and (child[inner] < count).all())
            good = good and bool((self.tree[np.minimum(child[inner], count - 1)] == self.tree[inner]).all())
        if good:  # a node has one parent, the first of a tree none
            parents = np.bincount(np.concatenate([self.left[inner], self.right[inner]]), minlength=count)
            good = np.array_equal(parents, np.diff(self.tree, prepend=-1) == 0)
        if not good or int(np.bincount(self.tree[~inner]).max()) > MOST_LEAVES:
            expected = f"whole trees of at most {MOST_LEAVES} leaves, each node before its children"
            raise InputError("risk model: trees", "numbers that do not fit together", expected, "Fit it again.")
        object.__setattr__(self, "baseline", float(self.baseline))  # a file may say 2**63

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the arguments: a copy owns its arrays."""
        return Trees, tuple(getattr(self, entry.name) for entry in fields(self))

    @functools.cached_property
    def _quick(self) -> tuple[Any, ...]:
        """The nodes by signal and threshold, with the leaves that each keeps, and the values of each tree's leaves."""
        count, trees = len(self.tree), int(self.tree[-1]) + 1
        under = np.zeros(count, object)  # leaves below each node, as bits
        value = np.zeros((trees, MOST_LEAVES))
        numbered = [0] * trees
        for root in np.flatnonzero(np.diff(self.tree, prepend=-1)).tolist():
            waiting = [root]  # depth first, left first, so that leaves are numbered from left to right
            while waiting:
                node = waiting.pop()
                if self.signal[node] == LEAF:
                    of = int(self.tree[node])
                    under[node] = 1 << numbered[of]
                    value[of, numbered[of]] = self.value[node]
                    numbered[of] += 1
                else:
                    waiting += [int(self.right[node]), int(self.left[node])]
        inner = np.flatnonzero(self.signal != LEAF)
        for node in inner[::-1].tolist():
            under[node] = under[self.left[node]] | under[self.right[node]]
        kept = np.array([_ALL & ~under[self.left[node]] for node in inner.tolist()], np.int64)
        order = np.lexsort((self.threshold[inner], self.signal[inner]))
        chosen = inner[order]
        return self.signal[chosen], self.threshold[chosen], self.tree[chosen], kept[order], value

    def fits(self, signals: int) -> bool:
        """Return whether it reads no more than so many signals."""
        return int(self.signal.max()) < signals

    def log_odds(self, matrix: Numbers) -> Numbers:
        """Return the log-odds of each row.

        Args:
            matrix: (rows, signals), finite.
        """
        out = np.empty(len(matrix))
        signal, threshold, tree, kept, value = self._quick
        rows = np.ascontiguousarray(matrix, np.float64)
        _score(rows, signal, threshold, tree, kept, value, self.baseline, out)
        return out
