"""Rules about the project's files that no tool checks."""

from __future__ import annotations

import re
import subprocess
import tokenize
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("engine", "actors", "simulation", "api", "scenarios")
MOST_LINES = 300
SHORTEST_REASON = 10  # characters; less is no reason
IGNORE = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w\s,-]+\])?)(?P<reason>.*)"
)
HOME_PATH = re.compile(r"(?<![\w.])/(?:home|Users|root)/\w|\\Users\\\w")


def project_files(suffix: str = "") -> list[Path]:
    """Return the files that are, or would be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name.endswith(suffix)]
    return [file for file in files if file.is_file()]


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def unexplained(comment: str) -> bool:
    """Tell whether the comment silences a tool without saying why."""
    found = IGNORE.search(comment)
    return found is not None and len(found["reason"].strip(" #-:")) < SHORTEST_REASON


def test_the_project_has_python_files_to_check() -> None:
    names = {relative(file) for file in project_files(".py")}
    assert {f"{package}/__init__.py" for package in PACKAGES} | {"tests/test_repository.py"} <= names


def test_no_python_file_is_longer_than_300_lines() -> None:
    lengths = {relative(file): len(file.read_text("utf-8").splitlines()) for file in project_files(".py")}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_tests_are_no_packages() -> None:
    assert [name for name in map(relative, project_files("__init__.py")) if name.startswith("tests/")] == []


def test_every_folder_of_code_is_a_package() -> None:
    folders = {
        file.parent for file in project_files(".py") if relative(file).startswith(tuple(f"{p}/" for p in PACKAGES))
    }
    assert [relative(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_every_ignore_says_why() -> None:
    bare = []
    for file in project_files(".py"):
        with tokenize.open(file) as lines:
            comments = [token for token in tokenize.generate_tokens(lines.readline) if token.type == tokenize.COMMENT]
        bare += [f"{relative(file)}:{comment.start[0]}" for comment in comments if unexplained(comment.string)]
    assert bare == []


@pytest.mark.parametrize(
    ("comment", "bare"),
    [
        ("# noqa", True),
        ("# noqa: E402", True),
        ("# noqa: E402, S101 #", True),
        ("# type: ignore[no-any-return]", True),
        ("# type: ignore[attr-defined, misc]  # ok", True),
        ("# noqa: E402  # the cache directory is set first", False),
        ("# type: ignore[no-any-return]  # SciPy publishes no types", False),
        ("# why the rule reads so", False),
    ],
)
def test_a_reason_is_told_from_none(comment: str, bare: bool) -> None:
    assert unexplained(comment) is bare


def test_no_file_names_a_home_folder() -> None:
    found = []
    for file in project_files():
        lines = file.read_text("utf-8", errors="replace").splitlines()
        found += [f"{relative(file)}:{number}" for number, line in enumerate(lines, 1) if HOME_PATH.search(line)]
    assert found == []


def test_every_dependency_is_pinned_exactly() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.+]+(?:\s*;.*)?", pin)] == []

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(need for extra in project["optional-dependencies"].values() for need in extra),
    ]
    names = {normal(need) for need in wanted} - {project["name"]}
    assert names - {normal(pin) for pin in pins} == set()


def normal(requirement: str) -> str:
    """Return the requirement's distribution name as registries compare it."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()
