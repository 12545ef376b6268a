"""What all commands share: where they print, how they show progress, how they write files whole."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from engine.errors import InputError

_PLAIN_WIDTH = 120  # columns where no terminal says otherwise
console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
errors = Console(stderr=True, width=None if sys.stderr.isatty() else _PLAIN_WIDTH)


def say_error(text: str) -> None:
    """Print an error, its text as it is."""
    errors.print(f"[bold red]Error:[/] {escape(text)}", highlight=False)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the error stream while the block runs; call the function with (done, total)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def working_directory() -> Iterator[Path]:
    """Return a private directory for snapshots and logs, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="engage-") as name:
        yield Path(name)


def output_directory(out: Path | None, option: str = "--out") -> Path | None:
    """Return the output directory that an option names, made if need be, before any work is done.

    Raises:
        InputError: it cannot be made or written.
    """
    if out is None:
        return None
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{option} {out}", str(error), "a directory that can be made") from None
    if not os.access(out, os.W_OK):
        raise InputError(f"{option} {out}", "no permission to write", "a directory of yours")
    return out


def output_file(out: Path) -> Path:
    """Return the output file, its directory made if need be, before any work is done.

    Raises:
        InputError: it cannot be written.
    """
    if out.is_dir():
        raise InputError(f"--out {out}", "a directory", "the name of a file")
    output_directory(out.parent)
    return out


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file whole, keys sorted: equal content gives equal bytes."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")
    draft.replace(path)


class Stopwatch:
    """Measures a command for ``run.json``: all that may differ between equal runs."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self._began

    def run_facts(self, **facts: Any) -> dict[str, Any]:
        """Return what belongs in ``run.json``: the duration, the machine, the versions, and the given facts."""
        packages = ("engagement-engine", "numba", "numpy", "polars", "ray", "scikit-learn", "tzdata")
        return {
            "seconds": round(self.seconds(), 3),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "versions": {name: importlib.metadata.version(name) for name in packages},
            **facts,
        }
