"""The report of campaigns: counts what was sent and what came of it, and tells effects where chance decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from actors.delivery.outbox import State
from api.access import Role
from engine.calendar import MS_PER_DAY, date_of
from engine.policies.decisions import MATURE_DAYS, REWARD_DAYS
from tests.actors.test_sending import campaign
from tests.api.routes.test_responses import carried
from tests.api.site import Site, eventually, open_site

LEARNERS = [f"u-{number}" for number in range(140)]
DAYS = 20
CAMPAIGNS = (
    campaign("news", "random", 20),
    campaign("silent", "none", 15),
    campaign(
        "peers", "blast", 10, holdout=0.5,
        arms=[{"id": "on", "policy": "blast", "params": {"kinds": ["peer_comparison"]}, "share": 1}],
        metrics=["active_3"],
    ),
    campaign(
        "trial", "none", 5, holdout=0.2,
        arms=[{"id": "old", "policy": "random", "share": 0.5}, {"id": "a_new", "policy": "random", "share": 0.5}],
    ),
)  # fmt: skip


@dataclass
class Told:
    """A service after some weeks, and what was done there."""

    site: Site
    active: set[tuple[str, int]] = field(default_factory=set)  # learner and day

    def read_all(self) -> None:
        """Let what has come into the inbox of half of the learners be read there."""
        delivery = self.site.context.delivery
        eventually(lambda: carried(self.site) and ("in_app", "waiting") not in delivery.outbox.counts())
        for learner in LEARNERS[::2]:
            for message in self.site.get(f"/learners/{learner}/inbox")["messages"] if self.has_mail(learner) else ():
                body = {"messageId": message["messageId"], "mark": "dismissed"}
                assert self.site.ask("PATCH", f"/learners/{learner}/inbox", json=body).status_code == 204

    def has_mail(self, learner: str) -> bool:
        """Tell whether there is anything in an inbox."""
        return bool(self.site.context.delivery.inbox.of_learner(learner, self.site.clock()))

    def delivered(self) -> set[str]:
        """Return the ids of what was handed over by any channel."""
        fates = self.site.context.delivery.outbox.fates(0, self.site.clock() + 1)
        return {fate.id.rpartition("/")[0] for fate in fates if fate.state is State.DELIVERED}

    def sends(self) -> list[dict[str, Any]]:
        """Return all sends of the days that the report is about."""
        until = self.site.clock() // MS_PER_DAY - 1 - MATURE_DAYS
        entries = (entry for lane in self.site.service.lanes for entry in self.site.service.entries(lane.log))
        sends = (send for entry in entries for send in entry.answer.body.get("sends", []))
        return [send for send in sends if send["day"] <= until]

    def arm(self, campaign_id: str, arm: str) -> Any:
        """Return what the report says of an arm."""
        arms = self.site.get("/reports/campaigns", Role.ADMIN, days=100)["arms"]
        return next(each for each in arms if (each["campaign"], each["arm"]) == (campaign_id, arm))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Learners come on two days of five, and look into their inbox now and then."""
    with open_site(tmp_path_factory.mktemp("site"), campaigns=CAMPAIGNS, actors=2) as site:
        found, chance = Told(site), np.random.default_rng(1)
        for _ in range(DAYS):
            here = [learner for learner in LEARNERS if chance.random() < 0.4]
            site.post("/events", {"events": [{"userId": each, "action": "lesson_complete"} for each in here]})
            found.active |= {(each, site.clock() // MS_PER_DAY) for each in here}
            for hours in (9.1, 12.9, 2):
                site.advance(hours=hours)
                found.read_all()
        yield found


def test_it_counts_what_was_sent_and_who_returned(told: Told) -> None:
    for name, arm in (("news", "all"), ("peers", "on")):
        mine = [send for send in told.sends() if send["campaign"] == name]
        report = told.arm(name, arm)
        assert {each["type"]: each["sent"] for each in report["sends"]} == Counter(send["type"] for send in mine)
        for each in report["sends"]:
            of_type = [send for send in mine if send["type"] == each["type"]]
            back = {
                days: sum(
                    any((send["learner"], send["day"] + later) in told.active for later in range(days))
                    for send in of_type
                )
                for days in REWARD_DAYS
            }
            assert {part["days"]: part["learners"] for part in each["returned"]} == back
    assert told.arm("silent", "all")["sends"] == []


def test_it_counts_responses_by_send(told: Told) -> None:
    for name, arm in (("news", "all"), ("peers", "on")):
        for each in told.arm(name, arm)["sends"]:
            mine = [send for send in told.sends() if (send["campaign"], send["type"]) == (name, each["type"])]
            by_app = [send for send in mine if "in_app" in send["channels"]]
            assert each["delivered"] == sum(send["id"] in told.delivered() for send in mine)
            assert each["opened"] == sum(send["learner"] in LEARNERS[::2] for send in by_app)
            assert each["clicked"] == each["unsubscribed"] == each["bounced"] == 0


def test_chance_and_a_holdout_tell_what_would_have_come_without(told: Told) -> None:
    by_chance = told.arm("news", "all")["effects"]
    assert [(each["by"], each["days"]) for each in by_chance] == [("chance", days) for days in REWARD_DAYS]
    for each in by_chance:
        assert each["unknownBecause"] is None and each["low"] <= each["difference"] <= each["high"]
        assert each["difference"] == pytest.approx(each["returned"] - each["expected"], abs=2e-4)
        assert each["low"] < 0 < each["high"], "learners here come as they like, whatever they are sent"
    peers = told.arm("peers", "on")
    assert {each["unknownBecause"] for each in peers["effects"] if each["by"] == "chance"} == {
        "nothing was left to chance"
    }
    by_assignment = [each for each in peers["effects"] if each["by"] == "assignment"]
    assert [(each["against"], each["days"]) for each in by_assignment] == [("holdout", days) for days in REWARD_DAYS]
    assert all(each["low"] <= 0 <= each["high"] for each in by_assignment)
    assert {each["learners"] for each in by_assignment} == {peers["exposed"] + told.arm("peers", "holdout")["exposed"]}
    holdout = told.arm("peers", "holdout")
    assert holdout["sends"] == [] and holdout["exposed"] > 50
    assert not [each for each in told.arm("silent", "all")["effects"] if each["unknownBecause"] is None]


def test_arms_stand_as_in_their_file_and_are_set_against_the_holdout_and_the_first(told: Told) -> None:
    report = told.site.get("/reports/campaigns", Role.ADMIN, days=100)
    assert [each["arm"] for each in report["arms"] if each["campaign"] == "trial"] == ["old", "a_new", "holdout"]
    against = {
        name: [each["against"] for each in told.arm("trial", name)["effects"] if each["by"] == "assignment"]
        for name in ("old", "a_new", "holdout")
    }
    threes = len(REWARD_DAYS)
    assert against == {"old": ["holdout"] * threes, "a_new": ["holdout"] * threes + ["old"] * threes, "holdout": []}


def test_the_first_metric_of_a_campaign_decides(told: Told) -> None:
    for name, arm, days in (("peers", "on", 3), ("news", "all", 7)):
        effects = told.arm(name, arm)["effects"]
        assert {each["days"] for each in effects if each["decides"]} == {days}


def test_days_bound_it(told: Told) -> None:
    report = told.site.get("/reports/campaigns", Role.ADMIN, days=3)
    until = told.site.clock() // MS_PER_DAY - 1 - MATURE_DAYS
    assert report["until"] == date_of(until).isoformat()
    assert report["since"] == (date_of(until) - timedelta(2)).isoformat()
    some = sum(each["sent"] for arm in report["arms"] for each in arm["sends"])
    assert some == sum(send["day"] > until - 3 for send in told.sends()) > 0
    assert told.site.ask("GET", "/reports/campaigns", Role.ADMIN, params={"days": 0}).status_code == 422
    assert told.site.ask("GET", "/reports/campaigns").status_code == 403
