"""What a small run comes to, kept in a file: a change of behaviour is seen, and then either mended or written down.

Golden files hold rounded figures, never digests, and are compared with some room: on another machine the last bit of a
logarithm may decide a coin's toss. After a change that is meant, write them anew and read the difference:

    ENGAGE_WRITE_GOLDEN=1 .venv/bin/pytest tests/golden && git diff tests/golden
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from simulation import results
from simulation.scenario import Scenario
from tests.faults import scene

FILE = Path(__file__).with_name("retention_claims.json")
WRITE_VARIABLE = "ENGAGE_WRITE_GOLDEN"
DIGITS = 4
RELATIVE, ABSOLUTE = 0.02, 2.0  # room: two learners, or two in a hundred
DAILY = (
    "active",
    "wau",
    "growth_new",
    "growth_at_risk_wau",
    "growth_dormant",
    "xp",
    "units",
    "streaks_alive",
    "standing_critical",
    "standing_high",
    "standing_dropped_off",
    "standing_not_started",
    "without_in_app",
    "sent_gentle_reminder",
    "sent_personalised_content",
)


def plan() -> Scenario:
    """Return the flagship, small and with the published responses, so that no draw decides."""
    small = scene.PLAN.with_overrides(learners=200, days=40, replications=1)
    return small.model_copy(update={"responses": "centre"})


def figures(directory: Path) -> dict[str, Any]:
    """Return the run's key figures and every fifth day's metrics, by arm."""
    simulation, _ = scene.on_one_actor(plan(), directory)
    metrics = results.daily_metrics(simulation)
    found: dict[str, Any] = {}
    for place, arm in enumerate(simulation.scenario.arms):
        key = results.key_figures(simulation, place)
        mine = metrics.filter((metrics["arm"] == arm.id) & (metrics["day"] % 5 == 4))
        found[arm.id] = {
            "key_figures": {name: None if value is None else rounded(value) for name, value in key.items()},
            "daily": {name: mine[name].to_list() for name in DAILY},
        }
    return found


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def test_the_flagship_in_small_is_what_it_was(tmp_path: Path) -> None:
    got = figures(tmp_path)
    if os.environ.get(WRITE_VARIABLE):
        FILE.write_text(json.dumps(got, indent=1, sort_keys=True) + "\n")
    expected = json.loads(FILE.read_text())
    assert got.keys() == expected.keys()
    for arm, parts in expected.items():
        assert got[arm]["key_figures"].keys() == parts["key_figures"].keys()
        assert got[arm]["daily"].keys() == parts["daily"].keys()
        for name, value in parts["key_figures"].items():
            known = got[arm]["key_figures"][name]
            if value is None or known is None:
                assert known is value, f"{arm}: {name}"
            else:
                few = 0 < value < 1 or name.endswith("_a_learner")  # two of 200 learners
                room = 0.01 if few else ABSOLUTE
                assert known == pytest.approx(value, rel=RELATIVE, abs=room), f"{arm}: {name}"
        for name, values in parts["daily"].items():
            assert got[arm]["daily"][name] == pytest.approx(values, rel=RELATIVE, abs=ABSOLUTE), f"{arm}: {name}"


def test_the_golden_run_is_worth_keeping() -> None:
    """It has arms living, messages sent and a difference between the arms."""
    control, treated = (json.loads(FILE.read_text())[arm.id] for arm in plan().arms[:2])
    assert control["daily"]["active"][-1] > 10
    assert sum(control["daily"]["sent_gentle_reminder"]) == 0
    assert sum(treated["daily"]["sent_gentle_reminder"]) > 20
    assert control["daily"]["active"] != treated["daily"]["active"]
