"""Snapshots: whole or not there, and never taken for what they are not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from actors.directory import in_blocks
from actors.learner import LearnerActor
from actors.ports import State
from actors.scoring import DirectScorer, ScoringActor
from actors.storage.snapshots import SnapshotFiles
from engine.risk import model as risk_model
from tests.conftest import ROOT
from tests.faults import crashes
from tests.faults.scene import PLAN, specs, told

ALL = 10**12  # before this message: every snapshot
SMALL: State = {"numbers": np.arange(40, dtype="<i4"), "one": np.array(7)}

CRASH = """
import sys
from pathlib import Path
import numpy as np
from tests.faults.crashes import CrashingFiles
files = CrashingFiles(Path(sys.argv[1]), sys.argv[2], 2)
for sequence in (1, 2, 3):
    files.save(sequence, {"numbers": np.full(1000, sequence)})
"""


def same(got: State, expected: State) -> bool:
    """Return whether two states are the same to the byte."""
    return {name: told(array) for name, array in got.items()} == {name: told(array) for name, array in expected.items()}


def actor(directory: Path) -> LearnerActor:
    spec = specs(in_blocks(PLAN.learners, actors=8), snapshot_s=0)[3]
    return LearnerActor(spec, DirectScorer(ScoringActor(risk_model.load())), SnapshotFiles(directory))


def live(alive: LearnerActor, days: int, sequence: int = 0) -> list[bytes]:
    """Let days go by from where it stands; return the records of every arm as the digest takes them."""
    for number in range(sequence, sequence + days):
        alive.apply(number + 1, "day", PLAN.first_day + number)
    return [alive.tenant.canonical(arm, np.arange(50)) for arm in range(len(PLAN.arms))]


def test_every_byte_of_an_actors_state_comes_back(tmp_path: Path) -> None:
    lived = actor(tmp_path)
    records = live(lived, 9)
    saved = SnapshotFiles(tmp_path).load(ALL)
    assert saved is not None
    assert saved[0] == 9
    assert {"replication", "loop0.records", "loop1.triggers", "world1.latent"} <= set(saved[1])
    again = actor(tmp_path)
    assert again.recover(ALL) == 9
    assert [again.tenant.canonical(arm, np.arange(50)) for arm in range(len(PLAN.arms))] == records
    again._store = SnapshotFiles(tmp_path / "again")  # what it would save itself: each array to the byte
    again._store.save(9, again.tenant.state())
    copy = SnapshotFiles(tmp_path / "again").load(ALL)
    assert copy is not None
    assert same(copy[1], saved[1])


def test_life_goes_on_from_a_snapshot_as_if_nothing_had_happened(tmp_path: Path) -> None:
    expected = live(actor(tmp_path / "whole"), 12)
    live(actor(tmp_path / "parts"), 5)
    restored = actor(tmp_path / "parts")
    assert live(restored, 12 - restored.recover(ALL), 5) == expected


def test_two_generations_stay_and_all_that_is_not_answered(tmp_path: Path) -> None:
    files = SnapshotFiles(tmp_path)
    assert files.load(ALL) is None
    for sequence in (3, 8, 20, 1_000):
        files.save(sequence, {"numbers": np.arange(sequence)})
    assert files.prune(answered=3) == 0, "one generation alone may be damaged: everything may be needed again"
    assert files.prune(answered=20) == 8
    assert sorted(int(file.stem) for file in tmp_path.iterdir()) == [8, 20, 1_000]
    assert files.prune(answered=1_000) == 20
    assert sorted(file.name for file in tmp_path.iterdir()) == ["000000000020.npz", "000000001000.npz"]
    for before, expected in ((ALL, 1_000), (1_001, 1_000), (1_000, 20), (21, 20)):
        found = files.load(before)
        assert found is not None
        assert found[0] == expected
        assert same(found[1], {"numbers": np.arange(expected)})
    assert files.load(20) is None


@pytest.fixture
def two_generations(tmp_path: Path) -> tuple[SnapshotFiles, Path, State]:
    """Two snapshots; return with them the file of the newer and the content of the older."""
    files, older = SnapshotFiles(tmp_path), {name: array + 1 for name, array in SMALL.items()}
    files.save(1, older)
    files.save(2, SMALL)
    return files, tmp_path / f"{2:012d}.npz", older


def test_a_file_torn_anywhere_is_passed_over(two_generations: tuple[SnapshotFiles, Path, State]) -> None:
    files, newest, older = two_generations
    whole = newest.read_bytes()
    for length in range(0, len(whole), 3):
        newest.write_bytes(whole[:length])
        found = files.load(ALL)
        assert found is not None
        assert found[0] == 1
        assert same(found[1], older)
    (newest.parent / f"{1:012d}.npz").write_bytes(b"")
    assert files.load(ALL) is None


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_no_damaged_byte_is_ever_taken_for_content(
    two_generations: tuple[SnapshotFiles, Path, State], flip: int
) -> None:
    """Damage is passed over, or lies where no content is."""
    files, newest, older = two_generations
    whole = newest.read_bytes()
    passed_over = 0
    for place in range(len(whole)):
        newest.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
        found = files.load(ALL)
        assert found is not None, place
        assert same(found[1], SMALL if found[0] == 2 else older), place
        passed_over += found[0] == 1
    assert passed_over > len(whole) / 3


@pytest.mark.parametrize("point", crashes.CRASH_POINTS)
def test_a_process_that_dies_while_it_saves_leaves_whole_snapshots(tmp_path: Path, point: str) -> None:
    died = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path), point], cwd=ROOT, check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL
    drafts = [draft.stat().st_size for draft in tmp_path.glob("*.draft")]
    assert len(drafts) == (0 if point == "after the rename" else 1)
    newest = 2 if point == "after the rename" else 1
    files = SnapshotFiles(tmp_path)
    found = files.load(ALL)
    assert found is not None
    assert found[0] == newest
    assert same(found[1], {"numbers": np.full(1000, newest)})
    again = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path), point], cwd=ROOT, check=False, timeout=120)
    assert again.returncode == 0
    assert list(tmp_path.glob("*.draft")) == []
    found = files.load(ALL)
    assert found is not None
    assert found[0] == 3


def test_a_save_that_fails_leaves_no_half_of_it(tmp_path: Path) -> None:
    files = SnapshotFiles(tmp_path)
    files.save(1, SMALL)
    with pytest.raises(ValueError, match="Object arrays"):
        files.save(2, {"numbers": np.array([{}])})  # fails in mid-file, as on a full disk
    (tmp_path / "000000000003.draft").write_bytes(b"of a process that was killed")
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".draft"] == ["000000000001.npz"]
    assert not (tmp_path / "000000000002.draft").exists()
    files.forget(1)
    assert [file.name for file in tmp_path.iterdir()] == ["000000000001.npz"]
    (tmp_path / "000000000003.draft").write_bytes(b"of a process that was killed")
    SnapshotFiles(tmp_path)
    assert [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()] == [0o600]
