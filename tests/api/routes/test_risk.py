"""Risk on demand: the same as the actors', with reasons that hold and interventions that the policy stands for."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.access import Role
from api.shapes import reasons as module
from api.shapes.interventions import Treatment, interventions
from api.shapes.reasons import plain, reasons
from api.shapes.risk import Risks
from api.shapes.today import on_today
from engine.experiments.campaigns import standard
from engine.notifications.catalogue import catalogue as kinds
from engine.policies import make, names
from engine.risk import model as risk_model
from engine.risk.linear import Linear
from engine.risk.model import RiskModel
from engine.signals import catalogue
from tests.api.site import RULES, Site, open_site

MODEL = risk_model.load()
ZERO = np.zeros(1)

Numbers = NDArray[np.float64]


def quiet(site: Site, learner: str = "ann", active: int = 20, silent: int = 9) -> Any:
    """Let a learner be active for days, then silent; return the risk."""
    site.days(active, learner)
    site.advance(days=silent)
    return site.post("/calculate", {"userId": learner})


def test_the_risk_is_the_one_that_the_actor_comes_to(site: Site) -> None:
    told = quiet(site)
    record = site.service.learner("ann").record
    assert told["dropOffRisk"] == math.floor(100 * record["risk"][0]) / 100
    assert told["confidence"] == math.floor(100 * record["confidence"][0]) / 100
    assert told["band"] == [band.name for band in RULES.bands][int(record["standing"][0])]
    assert (told["silentDays"], told["lastActiveAt"]) == (9, "2026-03-21T12:00:00Z")
    assert told["modelVersion"] == MODEL.version


def test_it_is_fresh_before_the_actor_has_scored_or_closed_the_day(site: Site) -> None:
    site.days(5, "ann")
    before = site.post("/calculate", {"userId": "ann"})["dropOffRisk"]
    site.clock.advance(days=8)  # nobody settles
    after = site.post("/calculate", {"userId": "ann"})
    assert after["silentDays"] == 8 and after["dropOffRisk"] > before + 5
    site.service.settle()
    assert site.post("/calculate", {"userId": "ann"})["dropOffRisk"] == after["dropOffRisk"]


def test_risk_is_clearly_higher_after_days_of_silence_and_never_falls_on_the_way(site: Site) -> None:
    risks = [quiet(site, silent=0)["dropOffRisk"]]
    for _ in range(9):
        site.advance(days=1)
        risks.append(site.post("/calculate", {"userId": "ann"})["dropOffRisk"])
    assert risks[9] > risks[0] + 30
    assert min(np.diff(risks)) > -1


def test_reasons_are_topics_the_weightiest_first_and_say_what_they_do(site: Site) -> None:
    told = quiet(site)["reasons"]
    assert 3 <= len(told) <= 5
    for entries in (told, *(reason["signals"] for reason in told)):
        weights = [abs(entry["weight"]) for entry in entries]
        assert weights == sorted(weights, reverse=True)
    for reason in told:
        assert reason["effect"] == ("raises" if reason["weight"] > 0 else "lowers")
    silence = next(reason for reason in told if reason["topic"] == "silence")
    assert silence["effect"] == "raises"
    assert silence["text"].startswith("Days since the last activity: 9, where ")


def anybody(count: int = 30) -> tuple[Numbers, Numbers]:
    """Return signals of learners of all sorts: those that the model reads, and all."""
    draw = np.random.default_rng(7)
    values = np.array([draw.uniform(entry.low, entry.high, count) for entry in catalogue()]).T
    return values[:, [[entry.name for entry in catalogue()].index(name) for name in MODEL.signals]], values


def without(matrix: Numbers, signals: list[str]) -> Numbers:
    """Return what rows' log-odds lose when these signals are set to a typical learner's."""
    changed = matrix.copy()
    for name in signals:
        changed[:, MODEL.signals.index(name)] = MODEL.typical[MODEL.signals.index(name)]
    return np.asarray(MODEL.estimator.log_odds(matrix) - MODEL.estimator.log_odds(changed))


def test_a_typical_learner_in_place_of_a_reason_moves_the_log_odds_by_its_weight() -> None:
    matrix, values = anybody()
    words = tomllib.loads(Path(module.__file__).with_suffix(".toml").read_text())
    read = {topic: [name for name in entry["signals"] if name in MODEL.signals] for topic, entry in words.items()}
    by_topic = {topic: without(matrix, signals) for topic, signals in read.items() if signals}
    by_signal = {name: without(matrix, [name]) for name in MODEL.signals}
    for place, told in enumerate(reasons(MODEL, matrix, values)):
        for reason in told:
            assert reason.weight == pytest.approx(by_topic[reason.topic][place], abs=6e-5)
            for share in reason.signals:
                assert share.signal in read[reason.topic]
                assert share.weight == pytest.approx(by_signal[share.signal][place], abs=6e-5)
        untold = by_topic.keys() - {reason.topic for reason in told}
        most = max(abs(by_topic[topic][place]) for topic in untold)
        assert most <= abs(told[-1].weight) + 6e-5


def test_only_three_reasons_are_told_where_the_others_weigh_nothing() -> None:
    typical = np.array([[entry.low for entry in catalogue()]])
    told = reasons(MODEL, MODEL.typical[None, :], typical)[0]
    assert [reason.weight for reason in told] == [0.0, 0.0, 0.0]


def test_every_signal_of_the_words_is_in_the_catalogue_and_in_one_topic() -> None:
    told = tomllib.loads(Path(module.__file__).with_suffix(".toml").read_text())
    listed = [name for topic in told.values() for name in topic["signals"]]
    known = [entry.name for entry in catalogue()]
    assert sorted(listed) == sorted(known)
    for topic in told.values():
        topic["text"].format_map(dict.fromkeys(known, 1.0))


def test_a_signal_without_words_is_told_by_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_topics", dict)
    monkeypatch.setattr(module, "_topic_of", lambda signal: signal)
    alone = RiskModel(("silent_days",), Linear(0.0, ZERO, ZERO + 1, ZERO + 0.7), MODEL.calibration, ZERO)
    [told] = reasons(alone, np.ones((1, 1)), np.ones((1, len(catalogue()))))
    assert [(each.topic, each.text) for each in told] == [
        ("silent_days", "Days since the last active day; 0 = active today. Here: 1.")
    ]
    assert [(each.weight, each.effect) for each in told] == [(0.7, "raises")]


def test_logarithms_are_told_as_what_they_are_of() -> None:
    assert plain("log days", math.log1p(12)) == pytest.approx(12)
    assert plain("log ratio", -0.3) == -0.3 and plain("days", 4.0) == 4.0


def test_outside_the_bands_there_is_no_risk(site: Site) -> None:
    gone = quiet(site, active=3, silent=14)
    assert (gone["band"], gone["dropOffRisk"], gone["confidence"], gone["silentDays"]) == (
        "dropped_off",
        None,
        None,
        14,
    )
    assert gone["reasons"] == [] and gone["interventions"] == []
    site.profile("new", locale="de")
    new = site.post("/calculate", {"userId": "new"})
    assert (new["band"], new["dropOffRisk"], new["silentDays"], new["lastActiveAt"]) == (
        "not_started",
        None,
        None,
        None,
    )


def treated(policy: str) -> list[Treatment]:
    """Return the treatments of a learner of whom one campaign takes care."""
    return [Treatment(standard(policy)[0], "all", make(policy))]


def at_risk(site: Site, **profile: Any) -> Any:
    """Return what the policy would choose for somebody whom the model would give up within days."""
    site.profile("ann", **profile)
    told = quiet(site, active=2, silent=12)
    assert told["dropOffRisk"] >= 60, told
    return told


def test_the_policy_chooses_by_risk_and_the_channels_are_those_allowed(site: Site) -> None:
    told = at_risk(site, consents={"email": False})
    [chosen] = told["interventions"]
    assert chosen["type"] in told["eligible"]
    assert (chosen["campaign"], chosen["arm"], chosen["policy"]) == ("retention", "all", "at_risk")
    assert "email" not in chosen["channels"] and "inApp" in chosen["channels"]
    assert (
        chosen["reason"] == f"Policy at_risk chooses it at a risk of {told['dropOffRisk']:.0f} (band {told['band']})."
    )
    assert chosen["sendNow"] and chosen["heldBackBy"] == [] and chosen["propensity"] == 1.0
    assert chosen["purpose"] == kinds().types[chosen["type"]].purpose


def test_quiet_hours_and_missing_consent_hold_it_back(site: Site) -> None:
    consents = dict.fromkeys(("email", "push", "inApp"), False)  # SMS alone, which no band uses
    told = at_risk(site, quietHours={"from": "11:00", "to": "13:00"}, consents=consents)
    [chosen] = told["interventions"]
    assert (chosen["sendNow"], chosen["channels"]) == (False, [])
    assert chosen["heldBackBy"] == ["no_channel", "quiet_hours"]


def test_without_any_consent_nothing_is_eligible(site: Site) -> None:
    told = at_risk(site, consents=dict.fromkeys(("email", "push", "inApp", "sms"), False))
    assert told["eligible"] == [] and told["interventions"] == []


def test_an_evening_type_waits_for_the_evening_of_a_day_without_activity(site: Site) -> None:
    site.days(4, "ann")
    view = site.service.learner("ann")
    record = on_today([view], RULES)
    warning = 1 << kinds().code("streak_warning")

    def held_back() -> list[str]:
        [chosen] = interventions(treated("at_risk"), RULES, view, record, 70.0, 1, warning)
        assert (chosen.type, chosen.moment) == ("streak_warning", "evening")
        return chosen.held_back_by

    assert held_back() == ["not_evening_yet"]
    view = view._replace(minute=18 * 60)
    assert held_back() == []
    site.track()
    record = on_today([site.service.learner("ann")], RULES)
    assert held_back() == ["active_today"]


def test_every_policy_can_be_asked(site: Site) -> None:
    site.track()
    for name in names():
        told = Risks(RULES, MODEL, lambda _learner, name=name: treated(name)).states(
            ["ann"], [site.service.learner("ann")]
        )
        assert {each.policy for each in told[0].interventions} <= {name}


def test_several_are_answered_in_their_order_and_the_unknown_named(site: Site) -> None:
    for learner in ("ann", "bob", "cid"):
        site.track(learner)
    told = site.post("/calculate", {"userIds": ["cid", "nobody", "ann", "cid"]})
    assert [each["userId"] for each in told["results"]] == ["cid", "ann"]
    assert (told["unknown"], told["nextCursor"]) == (["nobody"], None)
    alone = site.post("/calculate", {"userId": "cid"})
    assert told["results"][0] == alone  # whoever else is asked for


def test_all_are_told_page_by_page_each_once_whoever_comes_meanwhile(site: Site) -> None:
    before = [f"u{number}" for number in range(23)]
    for learner in before:
        site.track(learner)
    found: list[str] = []
    page = site.post("/calculate", {"limit": 5})
    while True:
        found += [each["userId"] for each in page["results"]]
        if page["nextCursor"] is None:
            break
        site.track(f"late{len(found)}")
        page = site.post("/calculate", {"cursor": page["nextCursor"], "limit": 5})
    assert len(found) == len(set(found)) and set(before) <= set(found)
    assert site.post("/calculate", {})["results"]


@pytest.mark.parametrize(
    "body",
    [
        {"userId": "ann", "userIds": ["bob"]}, {"userId": "ann", "cursor": "x"}, {"userIds": []}, {"limit": 0},
        {"limit": 101}, {"limit": "5"}, {"userIds": ["u"] * 101}, {"user": "ann"}, {"cursor": "x"}, {"cursor": ""},
        {"userId": ""}, [], "ann",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(site: Site, body: Any) -> None:
    assert site.ask("POST", "/calculate", json=body).status_code == 422


def test_nobody_and_no_learner_gets_a_risk(site: Site) -> None:
    assert site.ask("POST", "/calculate", json={"userId": "nobody"}).status_code == 404
    assert site.ask("POST", "/calculate", Role.LEARNER, json={"userId": "ann"}).status_code == 403


def test_where_nobody_is_there_pages_are_empty(tmp_path: Path) -> None:
    with open_site(tmp_path, actors=1) as site:
        assert site.post("/calculate", {}) == {"results": [], "unknown": [], "nextCursor": None}
