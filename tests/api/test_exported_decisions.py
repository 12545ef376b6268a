"""Exported decisions: those of the journals with their rewards, fit to evaluate any policy on."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from actors.deciding import tables_of
from api import exports
from engine.policies.decisions import MATURE_DAYS
from simulation import decision_log
from tests.actors.test_sending import blast, campaign
from tests.api.engage import engage_here
from tests.api.live import RULES, Live, living

LEARNERS = [f"u-{number}" for number in range(90)]
NOONS = [f"2026-03-{day:02}T12:00" for day in range(2, 18)]
CAMPAIGNS = (campaign("news", "random", 20), blast("streaks", "streak_warning", 10, holdout=0.2))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a service at which learners have been for two weeks, and which one has left."""
    data = tmp_path_factory.mktemp("data")
    with living(data, NOONS[0], actors=2, campaigns=CAMPAIGNS) as live:
        for day, noon in enumerate(NOONS):
            live.until(noon)
            for place, learner in enumerate(LEARNERS):
                if (place + day) % 6:
                    live.track(learner)
        live.service.erase(LEARNERS[0], "hash")
    return data


def matured(live: Live) -> int:
    entries = (entry for log in range(live.place.actors) for entry in live.journal(log).of_kind("decide", 0))
    return sum(len(tables_of(entry.message).matured) for entry in entries)


def test_they_are_those_of_the_journals_with_their_rewards(data: Path, tmp_path: Path) -> None:
    with living(data, NOONS[-1], actors=2, campaigns=CAMPAIGNS) as live:
        journals = [live.journal(log) for log in range(2)]
        out = tmp_path / "decisions.parquet"
        rows = exports.export("decisions", journals, "UTC", RULES, out, lambda _done, _all: None)
        assert rows == matured(live) > 0
    frame = pl.read_parquet(out)
    assert frame.columns == ["learner_id", "campaign", "exposed", *decision_log.schema()]
    assert frame.select(list(decision_log.schema())).schema == pl.Schema(decision_log.schema())
    assert set(frame["arm"]) == {"news/all", "streaks/all", "streaks/holdout"}
    assert set(frame["learner_id"]) == set(LEARNERS[1:]), "who has left is not in it"
    assert frame.n_unique(["learner_id", "day", "campaign"]) == len(frame)
    assert frame["learner"].n_unique() == len(LEARNERS) - 1, "numbers are those of all actors"
    news = frame.filter(campaign="news")
    assert set(news["exposed"]) == {False}, "it has one arm"
    assert set(frame.filter(campaign="streaks")["exposed"]) == {True}
    first = min(news["day"])
    for learner_id, day, within in news.select("learner_id", "day", "active_7").iter_rows():
        later = (day - first).days + 1
        place = LEARNERS.index(learner_id)
        assert within == sum((place + on) % 6 > 0 for on in range(later, later + MATURE_DAYS))


def test_any_policy_can_be_evaluated_on_them(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "decisions.parquet"
    assert engage_here("export", "decisions", "--data", str(data), "--out", str(out)).code == 0
    told = engage_here(
        "policy", "evaluate", str(out), "--arm", "news/all", "--policy", "random", "--reward", "active_1"
    )
    assert told.code == 0, told
    assert "random in the situations of the log" in told.out
    refused = engage_here("policy", "evaluate", str(out), "--arm", "streaks/all", "--policy", "none")
    assert refused.code == 1 and "cannot tell" in refused.out
