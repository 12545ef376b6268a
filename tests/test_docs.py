"""The documents speak of what is there: links, paths, commands and examples, and the additions that they describe."""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer.main

from actors.live import LiveLearners
from api.access import ACCESS, Role, Rule
from api.batches import MOST_EVENTS
from api.bodies import MOST_SINGLE
from api.cli.main import app
from api.delivery_settings import read_delivery
from api.problems import KINDS
from api.settings import Settings
from engine import outcomes, policies, rules
from engine.arrival import VERDICTS
from engine.experiments.campaigns import read_campaigns
from engine.record import new_records
from engine.rules import Action
from engine.signals import __main__ as signals_page
from simulation import population, scenario, tables
from simulation.adapters.event_log import SCHEMA
from simulation.claims import Verdict
from simulation.metrics import METRICS
from simulation.parameters import TAGS
from simulation.series import CLAIM_METRICS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PACKAGES = ("engine", "actors", "simulation", "api", "scenarios")

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`((?:engine|actors|simulation|api|scenarios|tests|docs|\.ci)/[\w./-]*)`")
COMMAND = re.compile(r"(?:^|[`\s/(])(engage (?:\w+)(?: [^`\n]*)?)(?:`|$)", re.MULTILINE)
MAKE = re.compile(r"(?:^    |`)make (\w+)", re.MULTILINE)
STEP = re.compile(
    r"^New file `(?P<new>[^`]+)`:\n\n```\w+\n(?P<body>.*?)^```$"
    r"|^Append to `(?P<old>[^`]+)`:\n\n```\w+\n(?P<more>.*?)^```$"
    r"|^In (?P<files>`[^`]+`(?: and `[^`]+`)*), rename `(?P<from>[^`]+)` to\s`(?P<to>[^`]+)`"
    r"|^In `(?P<within>[^`]+)`, below `(?P<line>[^`]+)`:\n\n```\w+\n(?P<put>.*?)^```$"
    r"|^```sh\n(?P<commands>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def blocks(language: str) -> list[tuple[str, str]]:
    """Return (document, text) of every fenced block in a language."""
    found = [(name(file), match) for file in DOCUMENTS for match in FENCE.finditer(file.read_text("utf-8"))]
    return [(file, match[3]) for file, match in found if match[2] == language]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> list[tuple[str, list[str]]]:
    """Return every ``engage ...`` of the documents, as words, without comments and shell quotes around it."""
    found = []
    for file in DOCUMENTS:
        for match in COMMAND.finditer(file.read_text("utf-8")):
            text = re.split(r"\s+#|'$|\)", match[1].strip())[0].replace("'", "")
            found.append((name(file), text.rstrip(".,;:'").split()[1:]))
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", document.read_text("utf-8"))):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_path_that_is_named_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    made = {match["new"] for match in STEP.finditer(text)}
    assert [path for path in PATH.findall(text) if path not in made and not (ROOT / path).exists()] == []


def known_commands(entry: Any, *path: str) -> dict[str, set[str]]:
    """Return the options of a command, or of all commands of a group and of itself, by what is written for them."""
    own = {" ".join(path): {option for p in entry.params for option in (*p.opts, *p.secondary_opts)} | {"--help"}}
    parts = [known_commands(part, *path, word) for word, part in getattr(entry, "commands", {}).items()]
    return {name: options for part in [own, *parts] for name, options in part.items() if name}


def test_every_command_and_option_exists() -> None:
    known = known_commands(typer.main.get_command(app))
    shown, wrong = set(), []
    for file, words in commands():
        command = max((name for name in known if words[: name.count(" ") + 1] == name.split()), key=len, default="")
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        if not command or options - known[command]:
            wrong.append(f"{file}: engage {' '.join(words)}")
        shown.add(command)
    assert wrong == []
    assert set(known) - shown == set(), "commands that no document shows"


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for file in DOCUMENTS for target in MAKE.findall(file.read_text("utf-8"))}
    assert {"run", "test", "check"} <= named <= targets


def test_python_examples_give_what_they_show() -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    tried = 0
    for file, text in blocks("python"):
        if ">>>" in text:
            test = doctest.DocTestParser().get_doctest(text, {}, file, file, 0)
            tried += runner.run(test).attempted
    assert tried > 0
    assert runner.failures == 0


def test_files_that_are_shown_are_accepted(tmp_path: Path) -> None:
    seen = set()
    for _, text in blocks("toml"):
        title = re.match(r"# (\w+\.toml)", text)
        if title is None or title[1] == "monday.toml":  # its policy is added below
            continue
        file = tmp_path / title[1]
        file.write_text(text)
        scenario.load(file) if "arms" in tomllib.loads(text) else rules.load(file)
        seen.add(title[1])
    assert seen == {"my_scenario.toml", "my_rules.toml"}


def test_figures_of_the_shipped_model_are_its_own() -> None:
    about = json.loads((ROOT / "engine/risk/default.json").read_text("utf-8"))["about"]
    text = (ROOT / "docs/risk.md").read_text("utf-8")
    for label, source in (("OULAD", "oulad"), ("365", "platform365"), ("pooled", "pooled")):
        figures = about["held_out"][source]
        kinds = ("base_rate", "auc", "average_precision", "brier", "calibration_slope")
        shown = " | ".join(f"{figures[kind]:.3f}" for kind in kinds)
        assert f"| {label} | {figures['learner_days']:,} | {shown} |" in text
    for label, source in (("OULAD", "oulad"), ("365", "platform365")):
        shares = about["standings"][source]["of_scored"]
        shown = " | ".join(f"{shares[band]:.1%}" for band in ("critical", "high", "medium", "low"))
        assert f"| {label} | {shown} |" in text
    for log in about["trained_on"]:
        assert f"{log['learners']:,} learners" in text


def test_names_that_the_code_knows_are_explained() -> None:
    simulated = (ROOT / "docs/simulation.md").read_text("utf-8")
    told = (ROOT / "docs/policies.md").read_text("utf-8")
    assert [name for name in policies.names() if f"| `{name}` |" not in told] == []
    names = [*population.names(), *CLAIM_METRICS, *(field.name for field in fields(Verdict)), *TAGS]
    names += [metric for metric in METRICS if not metric.startswith(("growth_", "retention_", "standing_", "without_"))]
    assert [word for word in names if not word.startswith("sent_") and f"`{word}`" not in simulated] == []
    logged = (ROOT / "docs/event-log.md").read_text("utf-8")
    table = tables.learners([], new_records(0), rules.load()).columns
    plain = [column for column in table if not column.startswith(("total_", "milestone_"))]
    verdicts = [verdict for verdict in VERDICTS if verdict != "future"]  # such a file is refused as a whole
    assert [word for word in (*SCHEMA, *verdicts, *plain, *Action.model_fields) if f"`{word}`" not in logged] == []


def test_the_service_is_told_as_it_is() -> None:
    """What the guide's own requests do not show; those are sent by `tests.api.test_guide`."""
    guide, security = ((ROOT / f"docs/{page}.md").read_text("utf-8") for page in ("api", "security"))
    pairs = zip(outcomes.KINDS[::2], outcomes.KINDS[1::2], strict=True)
    assert [pair for pair in pairs if "| `{}` | `{}` |".format(*pair) not in guide] == []
    told = {int(code): slug for code, slug in re.findall(r"^\| (\d{3}) \| `([\w-]+)` \|", guide, re.MULTILINE)}
    assert told == {code: kind.slug for code, kind in KINDS.items() if code not in {406, 409}}  # no call answers so
    messages = [name.removeprefix("resolve_") for name in vars(LiveLearners) if name.startswith("resolve_")]
    assert [
        kind for kind in messages if f"| `{kind}` |" not in (ROOT / "docs/architecture.md").read_text("utf-8")
    ] == []
    bounds = f"| {Settings.max_body_bytes >> 20} MiB, {MOST_EVENTS:,} events", f"| {MOST_SINGLE >> 10} KiB |"
    assert [bound for bound in bounds if bound not in guide] == []
    assert [row for row in map(access_row, ACCESS.items()) if row not in security] == []


def access_row(entry: tuple[tuple[str, str], Rule]) -> str:
    """Return what stands in the documents about who may make a call."""
    (method, template), rule = entry
    call = f"`{method} {template.replace(':path', '')}`"
    if not rule.roles:
        return call.partition(" ")[2]
    may = {role: "yes" if role in rule.roles else "-" for role in Role}
    if rule.own and Role.LEARNER in rule.roles:
        may[Role.LEARNER] = "own data"
    return f"| {call} | {' | '.join(may.values())} | {rule.scope or '-'} |"


def test_the_files_that_operators_write_are_read_as_they_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ENGAGE_SMTP_URL", "PUSH_SECRET", "WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "smtps://mail.example/" + name)
    for page, read in (("notifications", read_campaigns), ("operations", read_delivery)):
        fences = FENCE.findall((ROOT / f"docs/{page}.md").read_text("utf-8"))
        shown = [content for _, language, content in fences if language == "toml"]
        assert len(shown) == 1
        (tmp_path / "file.toml").write_text(shown[0], "utf-8")
        assert read(tmp_path / "file.toml")


def test_the_page_of_signals_is_the_catalogue() -> None:
    assert (ROOT / "docs" / "signals.md").read_text("utf-8") == signals_page.document()


def test_every_example_of_an_addition_is_carried_out() -> None:
    adding = CONTRIBUTING.partition("## Adding things")[2]
    assert FENCE.findall(STEP.sub("", adding)) == []
    assert len([step for step in STEP.finditer(adding) if step["files"]]) == adding.count(", rename `")


def test_additions_work_as_contributing_describes_them(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for step in STEP.finditer(CONTRIBUTING.partition("## Adding things")[2]):
        if step["new"]:
            (tmp_path / step["new"]).write_text(step["body"])
        elif step["old"]:
            with (tmp_path / step["old"]).open("a") as file:
                file.write(step["more"])
        elif step["within"]:
            file = tmp_path / step["within"]
            above, line, below = file.read_text("utf-8").partition(f"{step['line']}\n")
            assert line, step["line"]
            file.write_text(above + line + step["put"] + below)
        elif step["files"]:
            for path in re.findall(r"`([^`]+)`", step["files"]):
                text = (tmp_path / path).read_text("utf-8")
                assert step["from"] in text
                (tmp_path / path).write_text(text.replace(step["from"], step["to"]))
        else:
            for line in step["commands"].splitlines():
                run(line, tmp_path)


def run(line: str, copy: Path) -> None:
    """Run one command of the document in the copy, with the copy's packages, as plain Python to save compiling."""
    ours = f"import sys; sys.argv = {shlex.split(line)!r}; from api.cli.main import main; main()"
    if line.startswith("engage "):
        command = [sys.executable, "-c", ours]
    elif line.startswith("python "):
        command = [sys.executable, *shlex.split(line)[1:]]
    else:
        command = ["sh", "-c", line]
    env = {**os.environ, "PYTHONPATH": str(copy), "NUMBA_DISABLE_JIT": "1", "ENGAGE_CACHE_DIR": str(copy / "cache")}
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    if "print(" in line:
        assert done.stdout.split() == ["True"]
