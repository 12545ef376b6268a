"""Campaigns are data: read whole or refused with the entry at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.experiments.assignment import HOLDOUT
from engine.experiments.campaigns import Campaign, read_campaigns, standard
from engine.policies import make

EXPERIMENT = """
[[campaigns]]
id = "welcome_back"
priority = 40
holdout = 0.1
earliest = "09:00"
latest = "20:30"
facts = { discount_percent = 20, price = "8 EUR" }
arms = [{ id = "none", policy = "none", share = 0.5 }, { id = "call", policy = "at_risk", share = 0.5 }]
"""


def read(tmp_path: Path, text: str) -> tuple[Campaign, ...]:
    path = tmp_path / "campaigns.toml"
    path.write_text(text)
    return read_campaigns(path)


def test_the_standard_campaigns_are_there_with_the_policy_asked_for() -> None:
    campaigns = {campaign.id: campaign for campaign in standard("intermediate_risk")}
    assert campaigns["retention"].policies() == {"all": make("intermediate_risk"), HOLDOUT: make("none")}
    kinds = {kind for name in ("celebrations", "streaks") for kind in campaigns[name].arms[0].params["kinds"]}
    assert kinds == {"achievement_unlocked", "milestone_celebration", "streak_warning"}
    assert len({campaign.priority for campaign in campaigns.values()}) == len(campaigns)


def test_a_campaign_may_compare(tmp_path: Path) -> None:
    (campaign,) = read(tmp_path, EXPERIMENT)
    assert campaign.window == (9 * 60, 20 * 60 + 30) and campaign.facts["discount_percent"] == 20
    counts = [campaign.arm_of(f"u-{k}") for k in range(2_000)]
    assert {arm: counts.count(arm) for arm in set(counts)}.keys() == {"none", "call", HOLDOUT}
    assert 140 < counts.count(HOLDOUT) < 260, "the 99.9% binomial band of 0.1 x 2,000"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["[[campaigns]]"]),
        ("x = 1", ["'x'"]),
        ("[[campaigns", ["TOML"]),
        ("[[campaigns]]\nid = 'a'", ["campaign 1", "arms", "nothing"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'blst'", ["'blst'", "'blast'"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'none'\narms = []", ["policy beside arms"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'none'\npriority = 101", ["priority", "101"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'none'\nearliest = '25:00'", ["earliest", "25:00"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'none'\nearliest = '21:00'\nlatest = '20:00'", ["21:00", "20:00"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'none'\nfacts = { prise = 'x' }", ["'prise'", "'price'"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'none'\n[[campaigns]]\nid = 'a'\npolicy = 'none'", ["'a' more than once"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'none'\nholdot = 0.1", ["holdot", "holdout"]),
        ("[[campaigns]]\nid = 'a'\npolicy = 'calendar'\nparams = { dates = { no = 'blast' } }", ["'no'"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    for word in words:
        assert word in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        read_campaigns(tmp_path / "none.toml")
