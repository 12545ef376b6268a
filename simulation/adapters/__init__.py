"""Data sets: what turns each of them into the event log.

Each module of this folder that defines ``convert`` is an adapter, found by its file name: a new data set is one file.
Its docstring's first line says what it is.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Protocol, cast

import polars as pl

from engine.errors import InputError, did_you_mean


class Adapter(Protocol):
    """A module that knows one data set."""

    __doc__: str | None

    def convert(self, source_dir: Path) -> pl.DataFrame:
        """Return the data set as a canonical event log.

        Args:
            source_dir: the folder that holds its files.

        Raises:
            InputError: a file or column is missing or holds something else.
        """
        ...


@cache
def catalogue() -> dict[str, Adapter]:
    """Return every adapter by its name."""
    modules = {
        module.name: importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    }
    return {name: cast(Adapter, module) for name, module in sorted(modules.items()) if hasattr(module, "convert")}


def adapter(name: str) -> Adapter:
    """Return an adapter by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in catalogue():
        raise InputError("data set", repr(name), "a known data set", did_you_mean(name, catalogue()))
    return catalogue()[name]
