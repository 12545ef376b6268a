"""The catalogue of signals, and the generated module that computes them all in one compiled pass."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compiled import CACHE_DIR, compiled, plugin_files
from engine.errors import InputError
from engine.record import Records
from engine.signals.moment import SCRATCH


@dataclass(frozen=True)
class Signal:
    """One behavioural feature.

    Args:
        name: the function's name; permanent, because model files refer to it.
        family: the file it stands in.
        unit: of its values.
        low: lowest possible value.
        high: highest possible value.
        function: compiled ``(record, now) -> float``, or vectorised ``(records, days) -> array``.
        vectorised: the function takes many records at once, without Numba.
        monotone: what common sense says of risk as it grows, all else being equal: 1 = it rises, -1 = it falls, 0 = it
            may do either.
    """

    name: str
    family: str
    unit: str
    low: float
    high: float
    function: Callable[..., Any]
    vectorised: bool = False
    monotone: int = 0

    @property
    def meaning(self) -> str:
        """The first line of the function's documentation."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


_NOT_FAMILIES = {"catalogue", "moment"}
_REGISTERED: dict[str, Signal] = {}


def signal(
    unit: str, low: float, high: float, *, vectorised: bool = False, monotone: int = 0
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as a signal of its file's family and compile it, unless it is vectorised.

    Args:
        unit: of its values.
        low: lowest possible value.
        high: highest possible value.
        vectorised: the function takes ``(records, days)`` and returns one float64 a record, without Numba.
        monotone: as in `Signal`.

    Raises:
        InputError: the name is taken, or the function has no docstring.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        if name in _REGISTERED and _REGISTERED[name].function.__module__ != function.__module__:
            raise InputError(f"signal {name!r}", "a second definition", "each name once", "Rename one of them.")
        if not function.__doc__:
            raise InputError(f"signal {name!r}", "no docstring", "a sentence that says what it measures")
        ready = function if vectorised else compiled(function)
        family = function.__module__.rpartition(".")[2]
        _REGISTERED[name] = Signal(name, family, unit, low, high, ready, vectorised, monotone)
        return ready

    return register


@functools.cache
def catalogue() -> tuple[Signal, ...]:
    """Return all signals, ours and the user's plug-ins', in order of family file and definition."""
    package = importlib.import_module("engine.signals")
    for module in sorted(
        info.name for info in pkgutil.iter_modules(package.__path__) if info.name not in _NOT_FAMILIES
    ):
        importlib.import_module(f"engine.signals.{module}")
    for place, file in enumerate(plugin_files()):  # the place, because two of them may have one name
        _import_file(f"engage_plugin_{place}_{file.stem}", file)
    return tuple(sorted(_REGISTERED.values(), key=_place))


def _place(entry: Signal) -> str:
    """Return what puts ours first, by file: somebody may have imported one of the files before."""
    module = entry.function.__module__
    return module if module.startswith(__package__) else "~"


def names() -> tuple[str, ...]:
    """Return the names of all signals, in the order of the columns of `compute`."""
    return tuple(entry.name for entry in catalogue())


def compute(records: Records, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the signals of the given rows.

    Args:
        records: rows of `engine.record.LEARNER`; each has had an active day.
        rows: indices into ``records``.

    Returns:
        (len(rows), number of signals), float64; columns as in `names`.
    """
    out = np.empty((len(rows), len(catalogue())))
    days = np.empty(len(rows), np.int64)
    _generated().compute(records, rows, out, days, np.empty(SCRATCH))
    for column, entry in enumerate(catalogue()):
        if entry.vectorised:
            out[:, column] = entry.function(records[rows], days)
    return out


@functools.cache
def _generated() -> ModuleType:
    """Write and import the module that calls every compiled signal: quicker to compile and run than a loop."""
    entries = [(column, entry) for column, entry in enumerate(catalogue()) if not entry.vectorised]
    modules = sorted({entry.function.__module__ for _, entry in entries})
    aliases = {module: f"m{place}" for place, module in enumerate(modules)}
    source = "\n".join(
        [
            "from engine.compiled import compiled",
            "from engine.signals.moment import moment",
            *(f"import {module} as {alias}" for module, alias in aliases.items()),
            "",
            "@compiled",
            "def compute(records, rows, out, days, scratch):",
            "    for i in range(len(rows)):",
            "        r = records[rows[i]]",
            "        now = moment(r, scratch)",
            "        days[i] = now.day",
            *(
                f"        out[i, {column}] = {aliases[entry.function.__module__]}.{entry.name}(r, now)"
                for column, entry in entries
            ),
            "",
        ]
    )
    file = CACHE_DIR / f"signals_{hashlib.sha256(source.encode()).hexdigest()[:16]}.py"
    if not file.exists():  # written whole under another name first: several processes may start at once
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(source)
        draft.replace(file)
    return _import_file("engage_generated_signals", file)


class _AsItStands(importlib.machinery.SourceFileLoader):
    """Reads a file anew: Python's own cache of bytecode would miss a change within the time stamp's resolution."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file as it stands."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _import_file(name: str, file: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file, loader=_AsItStands(name, str(file)))
    if spec is None or spec.loader is None or file.suffix != ".py":
        raise InputError(str(file), f"a file {file.suffix!r}", "a Python file, '.py'")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
