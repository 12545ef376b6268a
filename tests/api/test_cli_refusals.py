"""Bad input: refused with a message that a stranger can act on, exit code 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation.scenario import FOLDER
from tests.api.engage import Ended, engage, engage_all, engage_one_by_one

Args = tuple[str | Path, ...]
Case = tuple[Args, list[str]]

HEADER = "learner_id,occurred_at,action"
LOGS = {
    "an unknown action": (
        f"{HEADER}\nana,2024-03-01T09:00:00Z,leson_complete\n",
        ["leson_complete", "lesson_complete"],
    ),
    "a derived action": (
        f"{HEADER}\nana,2024-03-01T09:00:00Z,perfect_quiz\n",
        ["perfect_quiz", "leave these rows out"],
    ),
    "a malformed instant": (f"{HEADER}\nana,yesterday,daily_login\n", ["line 2", "occurred_at", "'yesterday'"]),
    "a future event": (
        f"{HEADER},arrived_at\nana,2024-03-01T09:10:00Z,daily_login,2024-03-01T09:00:00Z\n",
        ["occurred_at", "5 minutes", "clock"],
    ),
    "a missing column": ("learner_id,occurred_at\nana,2024-03-01T09:00:00Z\n", ["action", "learner_id, occurred_at"]),
    "a misspelt column": (f"{HEADER},time_zone\nana,2024-03-01T09:00:00Z,daily_login,UTC\n", ["time_zone", "timezone"]),
    "an unknown time zone": (
        f"{HEADER},timezone\nana,2024-03-01T09:00:00Z,daily_login,Europe/Berln\n",
        ["line 2", "Europe/Berln", "Europe/Berlin"],
    ),
    "a score of 80": (f"{HEADER},value\nana,2024-03-01T09:00:00Z,quiz_complete,80\n", ["80", "from 0 to 1"]),
    "no rows": (f"{HEADER}\n", ["no events", "at least one row"]),
    "an empty file": ("", ["log.csv", "expected"]),
}
FLAGSHIP = (FOLDER / "retention_claims.toml").read_text()
SCENARIOS = {
    "a misspelt key": ("learners = 20000", "lerners = 20000", ["lerners", "unknown key", "learners"]),
    "a negative count": ("learners = 20000", "learners = -5", ["learners", "-5", "greater than or equal to 1"]),
    "an unknown policy": ('policy = "at_risk"', 'policy = "at_rsk"', ["at_rsk", "at_risk"]),
    "an unknown population": ('"paid_course"', '"paid_corse"', ["paid_corse", "paid_course"]),
    "a claim about no arm": ('arm = "at_risk"', 'arm = "treated"', ["treated", "at_risk"]),
    "a slip of syntax": ("seed = 20240108", "seed = = 1", ["line", "TOML"]),
}
OPTIONS: dict[str, Case] = {
    "two ways to pack": (
        ("simulate", "retention_claims", "--actors", "2", "--learners-per-actor", "5"),
        ["--actors 2 and --learners-per-actor 5", "one of them"],
    ),
    "too many actors": (
        ("simulate", "retention_claims", "--learners-per-actor", "1"),
        ["20000 actors", "at most 200", "--learners-per-actor 100 or more"],
    ),
    "no learners": (("simulate", "retention_claims", "--learners", "-5"), ["learners", "-5"]),
    "no days": (("simulate", "retention_claims", "--days", "0"), ["days", "0"]),
    "no actors": (("simulate", "retention_claims", "--actors", "0"), ["--actors", "0", "1 or more"]),
    "an unknown scenario": (("simulate", "retention_clams"), ["retention_clams", "retention_claims"]),
    "an unknown runtime": (("simulate", "retention_claims", "--runtime", "rya"), ["rya", "ray"]),
    "no such log": (("replay", "nowhere.parquet"), ["nowhere.parquet"]),
    "a log of another kind": (("replay", "log.xlsx"), ["log.xlsx", ".parquet"]),
    "no such day": (("replay", "log.csv", "--until", "2024-02-30"), ["2024-02-30", "%Y-%m-%d"]),
    "no such rules": (("simulate", "retention_claims", "--rules", "nowhere.toml"), ["nowhere.toml"]),
    "no such model": (("simulate", "retention_claims", "--model", "nowhere.json"), ["nowhere.json"]),
}


def cases(folder: Path) -> dict[str, Case]:
    """Write what is wrong into files; return every command with the words that its message has to hold."""
    found: dict[str, Case] = {}
    for name, (text, words) in LOGS.items():
        log = folder / name / "log.csv"
        log.parent.mkdir()
        log.write_text(text)
        found[f"log with {name}"] = ("replay", log, "--runtime", "local"), words
    for name, (old, new, words) in SCENARIOS.items():
        file = folder / f"{name}.toml"
        assert old in FLAGSHIP
        file.write_text(FLAGSHIP.replace(old, new))
        found[f"scenario with {name}"] = ("simulate", file), [str(file), *words]
    found |= OPTIONS
    return {name: ((*args, "--out", folder / "outs" / name), words) for name, (args, words) in found.items()} | {
        "an unknown data set": (("dataset", "ouladd", folder, "--out", folder / "outs" / "x.csv"), ["ouladd", "oulad"]),
        "a data set that is not there": (
            ("dataset", "oulad", folder, "--out", folder / "outs" / "x.csv"),
            [str(folder)],
        ),
        "a log of an unknown kind to write": (
            ("dataset", "oulad", folder, "--out", folder / "outs" / "x.xlsx"),
            ["x.xlsx", ".parquet"],
        ),
        "a data set written into a file's place": (
            ("dataset", "oulad", folder, "--out", folder / "no rows" / "log.csv" / "x.csv"),
            ["--out", "a directory that can be made"],
        ),
        "a model written over a folder": (
            ("train", folder / "a score of 80" / "log.csv", "--out", folder),
            ["--out", "a directory; expected the name of a file"],
        ),
        "training on nothing": (
            ("train", folder / "no rows" / "log.csv", "--out", folder / "outs" / "model.json"),
            ["no events"],
        ),
    }


NAMES = sorted([*(f"log with {name}" for name in LOGS), *(f"scenario with {name}" for name in SCENARIOS), *OPTIONS])
NAMES += [
    "an unknown data set",
    "a data set that is not there",
    "a log of an unknown kind to write",
    "a data set written into a file's place",
    "a model written over a folder",
    "training on nothing",
]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Ended], dict[str, Case], Path]:
    folder = tmp_path_factory.mktemp("bad")
    every = cases(folder)
    ended = engage_one_by_one([args for args, _ in every.values()])
    return dict(zip(every, ended, strict=True)), every, folder / "outs"


@pytest.mark.parametrize("name", NAMES)
def test_bad_input(refused: tuple[dict[str, Ended], dict[str, Case], Path], name: str) -> None:
    all_ended, every, _ = refused
    ended, (_, words) = all_ended[name], every[name]
    assert ended.code == 2, ended
    assert "Traceback" not in ended.err
    assert "Error" in ended.err
    for word in words:
        assert word in ended.err
    assert ended.out == ""


def test_nothing_is_written(refused: tuple[dict[str, Ended], dict[str, Case], Path]) -> None:
    _, every, outs = refused
    assert set(every) == set(NAMES)
    assert [file for file in outs.rglob("*") if file.is_file()] == []


def test_it_is_so_for_each_command_in_a_process_of_its_own(
    refused: tuple[dict[str, Ended], dict[str, Case], Path],
) -> None:
    all_ended, every, _ = refused
    names = ["log with an unknown action", "scenario with a misspelt key", "an unknown runtime", "training on nothing"]
    assert engage_all([every[name][0] for name in names]) == [all_ended[name] for name in names]


def test_an_output_directory_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    outs = (file, file / "below")
    commands = [("simulate", "retention_claims", "--learners", "5", "--out", out) for out in outs]
    for out, ended in zip(outs, engage_one_by_one(commands), strict=True):
        assert ended.code == 2, ended
        assert f"--out {out}" in ended.err
        assert "a directory that can be made" in ended.err
        assert "Traceback" not in ended.err
    assert file.read_text() == "mine"


def test_work_that_fails_ends_with_1(tmp_path: Path) -> None:
    """The input was right, but no cluster answers at the address."""
    small = ("simulate", "retention_claims", "--learners", "5", "--days", "3", "--replications", "1")
    ended = engage(*small, "--address", "127.0.0.1:1", "--out", tmp_path)
    assert ended.code == 1
    assert "no Ray cluster answers at '127.0.0.1:1'" in ended.err
    assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []
