"""What the documents show of the API: each request is sent as it stands there, and answered as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.access import Role
from api.batches import MOST_OWN_EVENTS
from api.bodies import MOST_SINGLE, MOST_VALUES
from api.events import MOST_PROPERTIES, MOST_PROPERTIES_BYTES
from api.settings import Settings
from tests.api.site import Site, open_site
from tests.conftest import ROOT

GUIDE = (ROOT / "docs/api.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
WRITTEN = "2026-11-23T01:30"  # the hour of the instants that the guide shows
BLOCK = r"^```{}\n((?:(?!```).*\n)+)```$"
REQUEST = re.compile(BLOCK.format("sh") + r"\n\n" + BLOCK.format("(?:json|text)"), re.MULTILINE)
PROGRAM = re.compile(BLOCK.format("python"), re.MULTILINE)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path, WRITTEN, actors=1) as opened:
        yield opened


def printed(site: Site, *command: str, role: Role = Role.SERVICE) -> str:
    """Run a command as a reader would who has exported what the guide says; return what it prints."""
    base = str(site.http.base_url).rstrip("/")
    roles = {"KEY": role, "ADMIN": Role.ADMIN}
    keys = {name: site.bearer(each)["Authorization"].removeprefix("Bearer ") for name, each in roles.items()}
    env = {**os.environ, **keys, "BASE": base, "API": f"{base}/api/engagement", "PYTHONPATH": str(ROOT)}
    command = tuple(re.sub(r"(http://127\.0\.0\.1|localhost):8000", base, word) for word in command)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    site.advance(seconds=5)  # lists are of about a second ago
    return done.stdout


@pytest.fixture(scope="module")
def shell() -> tuple[str, str]:
    """Return what runs a reader's line; the documents need curl 7.82 or newer."""
    try:
        known = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        known = ""
    if "--json" not in known:
        pytest.skip("no curl that knows --json")
    return "sh", "-c"


def pattern(shown: str) -> re.Pattern[str]:
    """Return what fits an answer: ``...`` stands for anything, and a fraction for any, since processors differ."""
    text = re.escape("".join(shown.split())).replace(re.escape("..."), ".*?")
    return re.compile(re.sub(r"\d+\\\.\d+", r"\\d+\\.\\d+", text))


def test_the_guide_shows_what_is_answered(site: Site, shell: tuple[str, str]) -> None:
    requests = REQUEST.findall(GUIDE)
    assert len(requests) == GUIDE.count("```sh\n")
    for request, shown in requests:
        answer = printed(site, *shell, request)
        assert pattern(shown).fullmatch("".join(answer.split())), f"{request}\nis answered\n{answer}\nnot\n{shown}"


def test_the_programs_of_the_guide_do_what_it_shows(site: Site) -> None:
    stream, client = PROGRAM.findall(GUIDE)
    shown = GUIDE.partition(client)[2].partition("```text\n")[2].partition("```")[0]
    assert printed(site, sys.executable, "-c", client) == shown
    listen = f"{stream}\nimport os\nprint(*next(happenings(os.environ['API'], os.environ['KEY'], 'u-19', '0')))"
    assert printed(site, sys.executable, "-c", listen).startswith("1-0 {'type': 'xp', 'amount': 50, 'total': 50,")


def test_the_requests_of_the_readme_work(site: Site, shell: tuple[str, str]) -> None:
    requests = re.findall(r"^curl .*localhost:8000.*$", README, re.MULTILINE)
    answers = [printed(site, *shell, request, role=Role.ADMIN) for request in requests]
    assert len(answers) == 6 and not [answer for answer in answers if "problem-type" in answer]
    assert '"xpAwarded":50' in answers[0] and '"status":"accepted"' in answers[0]
    assert '"xpAwarded":50' in answers[4] and '"status":"duplicate"' in answers[4]


def test_the_limits_are_those_that_hold() -> None:
    rate = Settings.learner_rate
    bounds = (
        f"| {MOST_SINGLE >> 10} KiB, {MOST_OWN_EVENTS} events |",
        f"| {MOST_VALUES:,} |",
        f"| {MOST_PROPERTIES} members, {MOST_PROPERTIES_BYTES >> 10} KiB as JSON",
        f"| {rate.per_s:g} a second, {rate.burst} at once |",
    )
    assert [bound for bound in bounds if bound not in GUIDE] == []
    operations = (ROOT / "docs/operations.md").read_text("utf-8")
    assert f"| {Settings.audit_days} |" in operations and f"{Settings.audit_days} days" in operations
