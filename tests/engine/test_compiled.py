"""Compiled code is the same code as plain Python, and never an old one: a change takes effect in the next process."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine import compiled, record
from engine.errors import InputError
from engine.signals import compute, names
from tests.conftest import ROOT
from tests.engine.histories import MONDAY, Habit, Life, happened

COMPILED_HERE = os.environ.get("NUMBA_DISABLE_JIT", "0") in {"", "0"}
HABITS = [Habit(31, 1, 3, "UTC", 1), Habit(3, 0, 1, "UTC", 2), Habit(14, 2, 5, "UTC", 3), Habit(9, 1, 2, "UTC", 4)]


def small_life() -> Life:
    """Return a learner with milestones, freezes, an ended run and sealed days, in three batches."""
    acts = happened(MONDAY, HABITS)
    life = Life()
    for number, part in enumerate((acts[:40], acts[40:90], acts[90:])):
        life.fold(*[one._replace(event_id=40 * number + place) for place, one in enumerate(part)])
    life.close(acts[-1].day + 3)
    return life


def run(code: str, *args: str, **variables: str) -> list[str]:
    """Return the lines that a new Python process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


TELL_LIFE = """
import numpy as np
from engine.signals import compute
from tests.engine.test_compiled import small_life
life = small_life()
print(life.records.tobytes().hex())
print(life.outcomes.tobytes().hex())
print(compute(life.records, np.zeros(1, np.int64)).tobytes().hex())
"""


def test_plain_python_gives_the_same_as_compiled_code() -> None:
    """In the other mode than this process: integers equal, floats within 1e-6."""
    here = small_life()
    assert here.now("freezes_used") > 0 and here.now("streaks_ended") > 0 and here.now("level") > 3
    lines = run(TELL_LIFE, NUMBA_DISABLE_JIT="1" if COMPILED_HERE else "0")
    there = np.frombuffer(bytes.fromhex(lines[0]), record.LEARNER)
    for name in record.DIGEST_FIELDS:
        a, b = record.column(here.records, name), record.column(there, name)
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)
    told = np.frombuffer(bytes.fromhex(lines[1]), here.outcomes.dtype)
    assert [row.tolist() for row in told] == [row.tolist() for row in here.outcomes]
    signals = np.frombuffer(bytes.fromhex(lines[2]))
    np.testing.assert_allclose(signals, compute(here.records, np.zeros(1, np.int64))[0], rtol=1e-6)


PLUGIN = '''
from engine.compiled import compiled
from engine.signals import signal

@compiled
def helper(days):
    return days * FACTOR

@signal("days", 0, 1_000)
def shade(r, now):
    """A signal of the user's own."""
    return float(helper(now.silent_days + 1))

@signal("days", 0, 100_000, vectorised=True)
def VECTOR(records, days):
    """One that takes many learners at once."""
    return days * 1.0
'''
TELL_SIGNAL = """
import numpy as np
from engine import record
from engine.signals import catalogue, compute, names
records = record.new_records(1, 20_000)
records["active_bits"][0, 20_000 // 56 % 7] = 1 << 20_000 % 56  # active today
records["active_days"] = 1
values = dict(zip(names(), compute(records, np.zeros(1, np.int64))[0]))
mine = [(e.name, float(values[e.name])) for e in catalogue() if e.family.startswith("engage_plugin")]
print(len(names()), values["silent_days"], *mine)
"""


def test_a_users_signal_appears_and_a_changed_one_takes_effect_in_the_next_process(tmp_path: Path) -> None:
    """Only a helper of the signal changes: Numba by itself would run the old one from its cache."""
    files = [tmp_path / "one" / "mine.py", tmp_path / "two" / "mine.py"]  # the same name twice
    for file, name in zip(files, ("ages", "epochs"), strict=True):
        file.parent.mkdir()
        file.write_text(PLUGIN.replace("VECTOR", name).replace("shade", f"{name}_shade").replace("FACTOR", "3"))
    variables = {compiled.PLUGINS_VARIABLE: os.pathsep.join(map(str, files)), "ENGAGE_CACHE_DIR": str(tmp_path)}
    count = len(names())

    def told() -> list[str]:
        return run(TELL_SIGNAL, **variables)

    mine = "('ages_shade', {}) ('ages', 20000.0) ('epochs_shade', 3.0) ('epochs', 20000.0)"
    assert told() == [f"{count + 4} 0.0 {mine.format(3.0)}"]
    stamp = files[0].stat()
    files[0].write_text(files[0].read_text().replace("* 3", "* 5"))
    os.utime(files[0], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # not even the time of change tells
    assert told() == [f"{count + 4} 0.0 {mine.format(5.0)}"]


TELL_XP = """
import sys
from pathlib import Path
from engine import rules
from tests.engine.histories import Life, act
life = Life(with_rules=rules.load(Path(sys.argv[1])))
life.fold(*[act(0, "lesson_complete") for _ in range(3)])
print(life.now("xp"))
"""


def test_a_changed_number_of_the_rules_takes_effect_in_the_next_process(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    for xp in (7, 9):
        own.write_text(f"[actions.lesson_complete]\nxp = {xp}\n")
        assert run(TELL_XP, str(own)) == [str(3 * xp)]


def test_the_key_knows_sources_plugins_and_numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = compiled.source_key()
    assert plain == compiled.source_key()
    file = tmp_path / "mine.py"
    file.write_text("A = 1")
    monkeypatch.setenv(compiled.PLUGINS_VARIABLE, str(file))
    one = compiled.source_key()
    file.write_text("A = 2")
    two = compiled.source_key()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0")
    assert len({plain, one, two, compiled.source_key()}) == 4


def test_a_missing_plugin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.PLUGINS_VARIABLE, str(tmp_path / "gone.py"))
    with pytest.raises(InputError, match=r"ENGAGE_PLUGINS.*gone\.py"):
        compiled.source_key()
