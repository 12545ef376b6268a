"""The risk model: an inspectable file of numbers, evaluated row by row in compiled form.

A logistic regression on standardised signals gives a score; an inductive Venn-Abers calibration (Vovk, Petej and
Fedorova, NIPS 2015), tabulated over scores when the model was fitted, turns it into an interval of probabilities
(p0, p1). Risk and confidence are both read off that interval.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.compiled import PLUGINS_VARIABLE, compiled
from engine.errors import EngageError, InputError
from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS
from engine.signals import catalogue

FORMAT = "engage-linear-risk"
FORMAT_VERSION = 1
DEFAULT_FILE = Path(__file__).with_name("default.json")
_ARRAYS = ("centre", "scale", "coefficient", "knots", "p0", "p1")
_REFIT = "Fit it again with `engage train`."

Numbers = NDArray[np.float64]


class RiskModel(Protocol):
    """Turns signals into risk. A row's score never depends on the other rows; models pickle."""

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals it reads, in the order of the columns of ``score``."""
        ...

    @property
    def version(self) -> str:
        """Hash of everything that decides a score."""
        ...

    def score(self, matrix: Numbers) -> Numbers:
        """Return (rows, 2): risk 0-100 and confidence 0-100."""
        ...

    def contributions(self, matrix: Numbers) -> Numbers:
        """Return (rows, signals): by how much each signal moves a row's log-odds from those of an average learner."""
        ...


def schema_hash(signals: Sequence[str], source: str = "risk model") -> str:
    """Return a hash of the names and units of signals: a model only fits signals that still measure what they did.

    Raises:
        InputError: the catalogue does not have all of them; names ``source`` and the missing ones.
    """
    units = {entry.name: entry.unit for entry in catalogue()}
    missing = [name for name in signals if name not in units]
    if missing:
        remedy = f"Add them to the catalogue (user plug-ins: {PLUGINS_VARIABLE}), or fit the model again."
        raise InputError(f"{source}: signals", ", ".join(missing), "signals of the catalogue", remedy)
    text = "\n".join(f"{name} [{units[name]}]" for name in signals)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@compiled
def linear_score(row: Any, weights: Any, offset: float) -> float:
    """Return the log-odds of one row: four sums side by side, always of the same columns, then together.

    Args:
        row: signals in their own units.
        weights: log-odds a unit, of each signal.
        offset: log-odds where every signal is 0.
    """
    a, b, c, d = offset, 0.0, 0.0, 0.0
    whole = len(weights) // 4 * 4
    for column in range(0, whole, 4):
        a += float(row[column]) * float(weights[column])
        b += float(row[column + 1]) * float(weights[column + 1])
        c += float(row[column + 2]) * float(weights[column + 2])
        d += float(row[column + 3]) * float(weights[column + 3])
    for column in range(whole, len(weights)):
        a += float(row[column]) * float(weights[column])
    return (a + b) + (c + d)


@compiled
def _between(values: Any, low: int, share: float) -> float:
    return float(values[low]) + share * (float(values[low + 1]) - float(values[low]))


@compiled
def calibrated(score: float, knots: Any, p0: Any, p1: Any) -> tuple[float, float]:
    """Return risk and confidence, 0-100, of a score: the interval is linear between knots and constant beyond them."""
    low, high = 0, len(knots) - 1
    if score <= float(knots[low]):
        lower, upper = float(p0[low]), float(p1[low])
    elif score >= float(knots[high]):
        lower, upper = float(p0[high]), float(p1[high])
    else:
        while high - low > 1:
            middle = (low + high) // 2
            if score >= float(knots[middle]):
                low = middle
            else:
                high = middle
        share = (score - float(knots[low])) / (float(knots[low + 1]) - float(knots[low]))
        lower, upper = _between(p0, low, share), _between(p1, low, share)
    return 100.0 * upper / (1.0 - lower + upper), 100.0 * (1.0 - (upper - lower))


@compiled
def _score_rows(matrix: Any, weights: Any, offset: float, knots: Any, p0: Any, p1: Any, out: Any) -> int:
    """Score every row; return the first whose signals are not all finite, -1 = none."""
    for row in range(len(matrix)):
        score = linear_score(matrix[row], weights, offset)
        if not abs(score) < np.inf:
            return row
        risk, confidence = calibrated(score, knots, p0, p1)
        out[row, 0] = risk
        out[row, 1] = confidence
    return -1


@dataclass(frozen=True, eq=False)
class LinearRisk:
    """A fitted risk model.

    Args:
        signals: names of the signals it reads, in the order of their columns.
        centre: mean of each signal in training, in its unit.
        scale: standard deviation of each signal in training, in its unit, above 0.
        coefficient: log-odds a standard deviation, of each signal.
        intercept: log-odds where every signal is at its mean.
        knots: scores, strictly rising, at which the calibration is tabulated.
        p0: probability at each knot if one more learner with this score stayed, 0-1.
        p1: probability at each knot if one more learner with this score dropped off, 0-1.
        about: what it was fitted on and how well it does; decides no score.
    """

    signals: tuple[str, ...]
    centre: Numbers
    scale: Numbers
    coefficient: Numbers
    intercept: float
    knots: Numbers
    p0: Numbers
    p1: Numbers
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the numbers into arrays of the model's own; refuse numbers that could not be scored with."""
        for name in _ARRAYS:
            object.__setattr__(self, name, np.array(getattr(self, name), np.float64))
        width, height = (len(self.signals),), (len(self.knots),)
        good = (
            self.centre.shape == self.scale.shape == self.coefficient.shape == width
            and self.p0.shape == self.p1.shape == self.knots.shape == height
            and len(self.knots) > 1
            and all(bool(np.isfinite(getattr(self, name)).all()) for name in (*_ARRAYS, "intercept"))
            and bool((np.diff(self.knots) > 0).all() and (self.scale > 0).all())
            and bool(((self.p0 >= 0) & (self.p0 <= self.p1) & (self.p1 <= 1)).all())
        )
        if not good:
            expected = "one finite number a signal, rising knots, 0 <= p0 <= p1 <= 1 at each"
            raise InputError("risk model", "numbers that do not fit together", expected, _REFIT)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the arguments: a copy owns its arrays, where shared memory would hand out read-only ones."""
        return LinearRisk, tuple(getattr(self, entry.name) for entry in fields(self))

    @functools.cached_property
    def weights(self) -> tuple[Numbers, float]:
        """Log-odds a unit of each signal, and where every signal is 0: the same line without the standardisation."""
        weights = self.coefficient / self.scale
        return weights, self.intercept - math.fsum(self.centre * weights)

    @functools.cached_property
    def version(self) -> str:
        """Hash of everything that decides a score."""
        sha = hashlib.sha256("\n".join(self.signals).encode())
        for name in (*_ARRAYS, "intercept"):
            sha.update(name.encode() + np.asarray(getattr(self, name), "<f8").tobytes())
        return sha.hexdigest()[:16]

    def score(self, matrix: Numbers) -> Numbers:
        """Return (rows, 2): risk 0-100 and confidence 0-100.

        Args:
            matrix: (rows, signals), columns in the order of ``signals``.

        Raises:
            EngageError: another number of columns, or a signal that is not finite.
        """
        if matrix.ndim != 2 or matrix.shape[1] != len(self.signals):
            raise EngageError("signals to score", f"shape {matrix.shape}", f"(rows, {len(self.signals)})")
        matrix = np.ascontiguousarray(matrix, np.float64)  # one layout, so that one compilation serves all
        out = np.empty((len(matrix), 2))
        weights, offset = self.weights
        bad = _score_rows(matrix, weights, offset, self.knots, self.p0, self.p1, out)
        if bad >= 0:
            named = zip(self.signals, matrix[bad], strict=True)
            wrong = ", ".join(f"{name} {number}" for name, number in named if not np.isfinite(number))
            raise EngageError(f"signals to score, row {bad}", wrong, "finite numbers")
        return out

    def contributions(self, matrix: Numbers) -> Numbers:
        """Return (rows, signals): by how much each signal moves the log-odds from where its mean would leave them.

        With the intercept a row's contributions add up to its score: they leave nothing of it out.

        Args:
            matrix: as `score` takes it.
        """
        moved: Numbers = (matrix - self.centre) / self.scale * self.coefficient
        return moved

    def to_json(self) -> str:
        """Return the model's file: every number by name, keys sorted, so that equal models give equal files."""
        body = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "drop_off": {"silent_days": SILENT_DAYS, "horizon_days": HORIZON_DAYS},
            "schema_hash": schema_hash(self.signals),
            "version": self.version,
            "intercept": self.intercept,
            "signals": [
                {"name": name, "centre": float(centre), "scale": float(scale), "coefficient": float(coefficient)}
                for name, centre, scale, coefficient in zip(
                    self.signals, self.centre, self.scale, self.coefficient, strict=True
                )
            ],
            "calibration": {"knots": self.knots.tolist(), "p0": self.p0.tolist(), "p1": self.p1.tolist()},
            "about": self.about,
        }
        return json.dumps(body, indent=1, sort_keys=True, allow_nan=False) + "\n"

    def save(self, path: Path) -> None:
        """Write the model's file, whole or not at all."""
        draft = path.with_name(path.name + ".part")
        draft.write_text(self.to_json())
        draft.replace(path)


def load(path: Path | None = None) -> LinearRisk:
    """Return a model from its file.

    Args:
        path: written by `engage train`; None = the model that ships with the package.

    Raises:
        InputError: unreadable, of another format, for another drop-off, or for signals that the catalogue does not
            have (named) or that have changed their unit.
    """
    file = path or DEFAULT_FILE
    try:
        body = json.loads(file.read_text())
        found = (body["format"], body["format_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(str(file), f"{type(error).__name__}: {error}", f"a file of {FORMAT}") from None
    if found != (FORMAT, FORMAT_VERSION):
        raise InputError(str(file), f"{found[0]} version {found[1]}", f"{FORMAT} version {FORMAT_VERSION}", _REFIT)
    try:
        return _from_body(str(file), body)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(str(file), f"{type(error).__name__}: {error}", "a whole model file", _REFIT) from None


def _from_body(file: str, body: dict[str, Any]) -> LinearRisk:
    about = (int(body["drop_off"]["silent_days"]), int(body["drop_off"]["horizon_days"]))
    if about != (SILENT_DAYS, HORIZON_DAYS):
        raise InputError(f"{file}: drop_off", str(about), str((SILENT_DAYS, HORIZON_DAYS)), _REFIT)
    rows = body["signals"]
    signals = tuple(str(row["name"]) for row in rows)
    if schema_hash(signals, file) != body["schema_hash"]:
        raise InputError(f"{file}: signals", "other units than today's", "the catalogue's units", _REFIT)

    calibration = body["calibration"]
    return LinearRisk(
        signals,
        centre=np.array([row["centre"] for row in rows], np.float64),
        scale=np.array([row["scale"] for row in rows], np.float64),
        coefficient=np.array([row["coefficient"] for row in rows], np.float64),
        intercept=float(body["intercept"]),
        knots=np.array(calibration["knots"], np.float64),
        p0=np.array(calibration["p0"], np.float64),
        p1=np.array(calibration["p1"], np.float64),
        about=dict(body["about"]),
    )
