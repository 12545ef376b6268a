"""Drift: how far signals have moved away from those that a model was fitted on (population stability index)."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import InputError
from engine.risk.rows import Numbers, Rows

_SHARES = np.arange(0.1, 1, 0.1)
_LEAST_SHARE = 1e-4  # an empty bin would make the index infinite

Reference = dict[str, dict[str, list[float]]]
"""Of each signal the inner ``edges`` of its bins, and the ``shares`` of the rows in them."""


def reference(rows: Rows) -> Reference:
    """Return how signals are spread, in tenths where their values allow; every log weighs the same."""
    weights = rows.weights()
    found: Reference = {}
    for place, name in enumerate(rows.signals):
        values = rows.matrix[:, place]
        order = np.argsort(values, kind="stable")
        below = np.cumsum(weights[order]) / weights.sum()
        edges = np.unique(values[order][np.searchsorted(below, _SHARES).clip(0, len(values) - 1)])
        found[name] = {"edges": edges.tolist(), "shares": _shares(values, edges, weights).tolist()}
    return found


def check(where: str, expected: Any) -> None:
    """Refuse what is no `Reference`, such as one of a file that was changed by hand.

    Raises:
        InputError: the first signal whose edges and shares do not fit together.
    """
    for name, bins in expected.items():
        try:
            edges, shares = _bins(bins)
            good = bool((np.diff(edges) > 0).all() and np.isfinite(edges).all() and (shares >= 0).all())
            good = good and edges.ndim == 1 and shares.shape == (len(edges) + 1,) and bool((shares <= 1).all())
        except (KeyError, TypeError, ValueError, OverflowError):
            good = False
        if not good:
            raise InputError(
                f"{where}.{name}", "numbers that do not fit together", "rising edges, a share of 0-1 for each bin"
            )


def stability(expected: Reference, signals: tuple[str, ...], matrix: Numbers) -> dict[str, float]:
    """Return each signal's population stability index, 0 or more; below 0.1 is steady, above 0.25 another population.

    Args:
        expected: from `reference`.
        signals: names of the columns of ``matrix``; those that are not in ``expected`` are passed over.
        matrix: (rows, signals) of today.
    """
    found = {}
    for place, name in enumerate(signals):
        if name in expected and len(matrix):
            edges, shares = _bins(expected[name])
            then = np.maximum(shares, _LEAST_SHARE)
            now = np.maximum(_shares(matrix[:, place], edges), _LEAST_SHARE)
            found[name] = float(((now - then) * np.log(now / then)).sum())
    return found


def _bins(told: Any) -> tuple[Numbers, Numbers]:
    """Return a signal's edges and shares as numbers, however its file writes them."""
    return np.array(told["edges"], np.float64), np.array(told["shares"], np.float64)


def _shares(values: Numbers, edges: Numbers, weights: Any = None) -> Numbers:
    """Return the share of the values up to each edge and beyond the last."""
    counts = np.bincount(np.searchsorted(edges, values, side="left"), weights, len(edges) + 1)
    return np.asarray(counts / counts.sum(), np.float64)
