"""The runtimes under test: every one that there is."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

import actors.local
import actors.ray_runtime
from actors.runtime import Runtime
from actors.spec import ActorSpec

Open = Callable[[Sequence[ActorSpec], Path], contextlib.AbstractContextManager[Runtime]]
"""Opens a runtime of these actors, with a directory for their snapshots."""


def runtimes() -> list[type[Runtime]]:
    """Find every runtime there is, so that a new one cannot stay outside the contract."""
    modules = (actors.local, actors.ray_runtime)
    classes = [cls for module in modules for _, cls in inspect.getmembers(module, inspect.isclass)]
    found = {cls for cls in classes if issubclass(cls, Runtime) and cls is not Runtime}
    return sorted(found, key=lambda cls: cls.__name__)
