"""Runs ``engage`` as its users do: in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.cli.main import main
from tests.conftest import ROOT

_AT_ONCE = 4
_ONE_BY_ONE = """
import contextlib, io, json, sys, traceback
from api.cli.main import main
ended = []
for args in json.load(sys.stdin):
    sys.argv, code = ["engage", *args], 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        except Exception:
            traceback.print_exc()
            code = 1
    ended.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(ended))
"""
_TIMEOUT_S = 280  # the first run after a change of the sources compiles


@dataclass(frozen=True)
class Ended:
    """A command that has ended; runs of blanks in its texts are one, so that no line break is in the way."""

    code: int
    out: str
    err: str


def python(source: str, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python as ``engage`` is run."""
    return subprocess.run(
        [sys.executable, "-c", source, *args],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "400", "NO_COLOR": "1"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )


def _ended(code: int, out: str, err: str) -> Ended:
    return Ended(code, " ".join(out.split()), " ".join(err.split()))


def engage(*args: str | Path) -> Ended:
    """Run one command to its end."""
    done = python("import sys; from api.cli.main import main; sys.argv[0] = 'engage'; main()", *map(str, args))
    return _ended(done.returncode, done.stdout, done.stderr)


def engage_here(*args: str | Path) -> Ended:
    """Run one command in this process: for commands that take a moment only."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["engage", *map(str, args)])
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return _ended(code, out.getvalue(), err.getvalue())


def engage_all(commands: Sequence[Sequence[str | Path]]) -> list[Ended]:
    """Run several commands beside each other."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda args: engage(*args), commands))


def engage_one_by_one(commands: Sequence[Sequence[str | Path]]) -> list[Ended]:
    """Run many commands one after another in one process: its start takes longer than a refusal."""
    done = python(_ONE_BY_ONE, stdin=json.dumps([list(map(str, args)) for args in commands]))
    assert done.returncode == 0, done.stderr
    return [_ended(*ended) for ended in json.loads(done.stdout)]
