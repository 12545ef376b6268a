"""Tasks: published questions to real data, with the label, the moment and the split written down.

Each module of this folder that defines ``NAME`` and ``load`` is a task, found by itself: a new task is one file. Its
docstring's first line says what is asked.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from engine.errors import InputError, did_you_mean
from simulation.tasks.base import Task


class Loader(Protocol):
    """A module that knows one task."""

    __doc__: str | None
    NAME: str

    def load(self, source_dir: Path) -> Task:
        """Return the task on a data set's files.

        Args:
            source_dir: the folder that holds them.

        Raises:
            InputError: a file or column is missing or holds something else.
        """
        ...


@cache
def catalogue() -> dict[str, Loader]:
    """Return every task by its name."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {module.NAME: cast(Loader, module) for module in modules if hasattr(module, "load")}


def task(name: str) -> Loader:
    """Return a task by its name, in capitals or not.

    Raises:
        InputError: there is none of that name.
    """
    if name.lower() not in catalogue():
        known = ", ".join(catalogue())
        raise InputError("task", repr(name), f"one of {known}", did_you_mean(name.lower(), catalogue()))
    return catalogue()[name.lower()]
