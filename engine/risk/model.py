"""The risk model: an estimator of log-odds and its calibration, kept in a file of numbers that anyone can read.

A file names the signals it was fitted on, with a hash of their units, and is refused when they no longer match. It
holds numbers only: reading one runs no code.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.compiled import PLUGINS_VARIABLE, compiled
from engine.errors import EngageError, InputError
from engine.risk import drift
from engine.risk.calibration import Calibration
from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS
from engine.risk.linear import Linear
from engine.risk.trees import Trees
from engine.signals import catalogue

FORMAT = "engage-risk"
FORMAT_VERSION = 2
DEFAULT_FILE = Path(__file__).with_name("default.json")
_REFIT = "Fit it again with `engage train`."
_NUMBERS = re.compile(r"\[\s+(-?\d[^\[\]{}\"]*?)\s+\]")

Numbers = NDArray[np.float64]


class Estimator(Protocol):
    """Turns signals into log-odds of drop-off; a row's never depend on the other rows. A dataclass of numbers."""

    def fits(self, signals: int) -> bool:
        """Return whether it reads so many signals."""
        ...

    def log_odds(self, matrix: Numbers) -> Numbers:
        """Return the log-odds of each row of a finite matrix, (rows, signals)."""
        ...


ESTIMATORS: dict[str, type[Any]] = {"linear": Linear, "trees": Trees}
"""Every estimator, by its name in model files."""


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
def _first_unfit(matrix: Any) -> int:
    """Return the first row whose numbers are not all finite, -1 = none."""
    for row in range(len(matrix)):
        total = 0.0  # of differences: 0 wherever all is finite, however large
        for column in range(matrix.shape[1]):
            total += matrix[row, column] - matrix[row, column]
        if total != 0.0:
            return row
    return -1


@dataclass(frozen=True, eq=False)
class RiskModel:
    """A fitted and calibrated risk model; it pickles.

    Args:
        signals: names of the signals it reads, in the order of its columns.
        estimator: turns them into log-odds.
        calibration: turns log-odds into risk and confidence.
        typical: of each signal the median in training: with whom a learner is compared where reasons are given.
        about: what it was fitted on and how well it does; decides no score.
    """

    signals: tuple[str, ...]
    estimator: Estimator
    calibration: Calibration
    typical: Numbers
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        object.__setattr__(self, "typical", np.array(self.typical, np.float64))
        good = self.typical.shape == (len(self.signals),) and bool(np.isfinite(self.typical).all())
        if not good or not self.estimator.fits(len(self.signals)):
            raise InputError("risk model", "numbers that do not fit together", "one of each a signal", _REFIT)

    @property
    def kind(self) -> str:
        """Name of its estimator."""
        return next(name for name, kind in ESTIMATORS.items() if isinstance(self.estimator, kind))

    @functools.cached_property
    def version(self) -> str:
        """Hash of everything that decides a score."""
        sha = hashlib.sha256("\n".join((self.kind, *self.signals)).encode())
        for part in (self.estimator, self.calibration):
            for name, value in _numbers(part).items():
                sha.update(name.encode() + np.asarray(value, "<f8").tobytes())
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
        if (bad := int(_first_unfit(matrix))) >= 0:
            named = zip(self.signals, matrix[bad], strict=True)
            wrong = ", ".join(f"{name} {number}" for name, number in named if not np.isfinite(number))
            raise EngageError(f"signals to score, row {bad}", wrong, "finite numbers")
        return self.calibration.scores(self.estimator.log_odds(matrix))

    def contributions(self, matrix: Numbers, groups: Sequence[Sequence[str]]) -> Numbers:
        """Return (rows, groups): by how much each group of signals moves a row's log-odds.

        That is what the log-odds lose when the group's signals are set to a typical learner's, so it holds by
        definition that changing them moves the risk as said.

        Args:
            matrix: as `score` takes it.
            groups: names of signals that the model reads.
        """
        whole = self.estimator.log_odds(matrix)
        moved = np.empty((len(matrix), len(groups)))
        for place, group in enumerate(groups):
            columns = [self.signals.index(name) for name in group]
            without = matrix.copy()
            without[:, columns] = self.typical[columns]
            moved[:, place] = whole - self.estimator.log_odds(without)
        return moved

    def to_json(self) -> str:
        """Return the model's file: every number by name, keys sorted, so that equal models give equal files."""
        body = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "drop_off": {"silent_days": SILENT_DAYS, "horizon_days": HORIZON_DAYS},
            "schema_hash": schema_hash(self.signals),
            "version": self.version,
            "signals": self.signals,
            "typical": self.typical.tolist(),
            "estimator": {"kind": self.kind, **_plain(self.estimator)},
            "calibration": _plain(self.calibration),
            "about": self.about,
        }
        text = json.dumps(body, indent=1, sort_keys=True, allow_nan=False)
        return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"

    def save(self, path: Path) -> None:
        """Write the model's file, whole or not at all; once this returns it outlasts a power cut."""
        draft = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with draft.open("w") as file:
                file.write(self.to_json())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)  # on a full disk it would take the room that is needed
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names of files in a directory outlast a power cut, too."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _numbers(part: Any) -> dict[str, Any]:
    return {entry.name: getattr(part, entry.name) for entry in fields(part)}


def _plain(part: Any) -> dict[str, Any]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in _numbers(part).items()}


def load(path: Path | None = None) -> RiskModel:
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
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(str(file), f"{type(error).__name__}: {error}", f"a file of {FORMAT}") from None
    if found != (FORMAT, FORMAT_VERSION):
        raise InputError(str(file), f"{found[0]} version {found[1]}", f"{FORMAT} version {FORMAT_VERSION}", _REFIT)
    try:
        return _from_body(str(file), body)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(str(file), f"{type(error).__name__}: {error}", "a whole model file", _REFIT) from None


def _from_body(file: str, body: dict[str, Any]) -> RiskModel:
    about = (body["drop_off"]["silent_days"], body["drop_off"]["horizon_days"])
    if about != (SILENT_DAYS, HORIZON_DAYS):
        raise InputError(f"{file}: drop_off", str(about), str((SILENT_DAYS, HORIZON_DAYS)), _REFIT)
    signals = tuple(str(name) for name in body["signals"])
    if schema_hash(signals, file) != body["schema_hash"]:
        raise InputError(f"{file}: signals", "other units than today's", "the catalogue's units", _REFIT)
    told = dict(body["estimator"])
    kind = str(told.pop("kind"))
    if kind not in ESTIMATORS:
        raise InputError(f"{file}: estimator.kind", repr(kind), " or ".join(ESTIMATORS), _REFIT)
    estimator = ESTIMATORS[kind](**told)
    drift.check(f"{file}: about.reference", body["about"].get("reference", {}))
    logs = body["about"].get("trained_on", [])
    if not isinstance(logs, list) or not all(isinstance(log, dict) for log in logs):
        raise InputError(f"{file}: about.trained_on", type(logs).__name__, "a list with a table for each log", _REFIT)
    made = RiskModel(signals, estimator, Calibration(**body["calibration"]), body["typical"], dict(body["about"]))
    if made.version != body["version"]:
        got, expected = (
            f"{body['version']!r}, but its numbers are of {made.version!r}",
            "the version of its own numbers",
        )
        raise InputError(f"{file}: version", got, expected, "It was changed by hand: fit it again.")
    return made
