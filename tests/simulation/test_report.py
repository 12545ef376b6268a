"""The report: one self-contained page, the same for equal runs, safe against what a scenario's texts hold."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from engine import rules as engine_rules
from engine.calendar import day_number
from simulation import report, results
from simulation.harness import Simulation
from simulation.metrics import GROUPS, METRICS
from simulation.personas import Personas
from simulation.population import load_population
from simulation.response import load_responses
from simulation.scenario import Claim, Scenario, load
from simulation.world import SyntheticWorlds

DAYS, REPLICATIONS = 35, 8
HOSTILE = "+15% <script>alert(1)</script> & more"


def simulation(claim_text: str = HOSTILE) -> Simulation:
    """Return a run of plausible counts; what they come to does not matter here."""
    plan = load("retention_claims").with_overrides(160, DAYS, None, REPLICATIONS)
    claims: tuple[Claim, ...] = (plan.claims[0].model_copy(update={"text": claim_text}), *plan.claims[1:])
    plan = plan.model_copy(update={"claims": claims})
    chance = np.random.default_rng(3)
    counts = chance.integers(0, 5, (REPLICATIONS, len(plan.arms), DAYS, GROUPS, len(METRICS)))
    counts[..., METRICS.index("learners")] = 10
    counts[..., METRICS.index("completions")] = 0
    return Simulation(plan, counts, [np.zeros(0)] * len(plan.arms), "0" * 64)


def written(path: Path, run: Simulation) -> str:
    plan: Scenario = run.scenario
    population, rules = load_population(plan.population), engine_rules.load()
    first_day = day_number(plan.start)
    worlds = SyntheticWorlds(population, load_responses(), plan.seed, first_day, rules, plan.responses)
    draws = [worlds.describe(replication) for replication in range(REPLICATIONS)]
    people = Personas(population, rules, plan.seed)
    report.write(path, run, results.judge(run), draws=draws, personas=[people[learner] for learner in range(3)])
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collects tags and visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("report") / "report.html", simulation())


def test_it_shows_claims_arms_plots_and_how_to_repeat_it(page: str) -> None:
    found = Page()
    found.feed(page)
    assert found.tags.count("svg") >= 5
    for text in ("Claims", "not been measured", "no verdict", "zero denominator", "control", "at_risk", "0" * 64):
        assert text in found.words, text
    for claim in simulation().scenario.claims[1:]:
        assert claim.text in found.words


def test_texts_are_escaped_and_nothing_is_fetched(page: str) -> None:
    found = Page()
    found.feed(page)
    assert "script" not in found.tags
    assert HOSTILE in found.words
    links = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page))
    assert {link for link in links if "w3.org" not in link and "purl.org" not in link} == set()


def test_equal_runs_give_equal_pages(page: str, tmp_path: Path) -> None:
    assert written(tmp_path / "again.html", simulation()) == page
    assert written(tmp_path / "other.html", simulation("another claim")) != page
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.html", "other.html"]


def test_a_browser_draws_it(page: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here: install it (Debian: apt install chromium) to see the page drawn")
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    shot = tmp_path / "shot.png"
    address = (tmp_path / "report.html").as_uri()
    subprocess.run([browser, *flags, f"--screenshot={shot}", address], check=True, capture_output=True, timeout=120)
    assert shot.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert shot.stat().st_size > 20_000, "an empty page makes a smaller picture"
