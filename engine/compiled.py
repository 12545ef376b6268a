"""The one door to Numba: compiled scalar rules, cached under a key that knows every source they depend on.

Numba's own cache looks at the modification time of one file and tracks neither callees nor globals, so a changed rule
could go unnoticed. Here the cache directory itself is named by a hash of all compiled sources, the user's plug-ins,
the Numba version and the CPU; it is set before Numba is imported. ``NUMBA_DISABLE_JIT=1`` runs the same code as plain
Python.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from engine.errors import InputError

PLUGINS_VARIABLE = "ENGAGE_PLUGINS"
"""Environment variable: path-separated Python files of the user's own signals, imported by the catalogues."""

_PACKAGES = ("engine", "simulation", "benchmarks")  # the packages that hold compiled functions

F = TypeVar("F", bound=Callable[..., Any])


def plugin_files() -> list[Path]:
    """Return the user's plug-in files, in the order given; `InputError` for one that is missing."""
    files = [Path(name) for name in os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep) if name]
    for file in files:
        if not file.is_file():
            raise InputError(PLUGINS_VARIABLE, repr(str(file)), "a Python file", "Correct the path, or take it out.")
    return files


def source_key() -> str:
    """Return a hash that changes whenever compiled code could: sources, plug-ins, Numba, CPU."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    files = [file for package in _PACKAGES for file in sorted((root / package).rglob("*.py"))]
    for file in [*files, *plugin_files()]:
        digest.update(str(file).encode())
        digest.update(file.read_bytes())
    digest.update(importlib.metadata.version("numba").encode())
    digest.update(f"{platform.machine()} {platform.processor()} {_cpu_flags()}".encode())
    return digest.hexdigest()[:16]


def _cpu_flags() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("flags")), "")


def _cache_root() -> Path:
    given = os.environ.get("ENGAGE_CACHE_DIR")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    root = Path(home) / "engage"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError:  # a read-only home: compiled code still has to live somewhere private to this user
        root = Path(tempfile.gettempdir()) / f"engage-{os.getuid()}"
    return root


CACHE_DIR = _cache_root() / f"compiled-{source_key()}"
CACHE_DIR.mkdir(parents=True, exist_ok=True)
os.environ["NUMBA_CACHE_DIR"] = str(CACHE_DIR)

import numba  # noqa: E402  # the cache directory has to be set before Numba reads it


def compiled(function: F) -> F:
    """Compile a rule with Numba, cached on disk.

    The arithmetic keeps IEEE order (no fast-math), so that equal inputs give equal bits wherever a learner lives.
    """
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
