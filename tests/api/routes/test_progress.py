"""XP, level and rank over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from api.access import Role
from api.receipts import Receipts
from api.shapes.progress import xp_state
from engine.record import new_records
from tests.api.site import RULES, Site


def state(xp: int) -> Any:
    record = new_records(1)[0]
    record["view"]["xp"] = xp
    record["view"]["level"] = sum(level.xp <= xp for level in RULES.levels)
    return xp_state("u", record, RULES, Receipts(RULES), 1, 1)


def test_a_learner_reads_xp_level_and_the_way_to_the_next(site: Site) -> None:
    for _ in range(3):
        site.track()
    told = site.get("/xp", userId="ann")
    assert told == {
        "userId": "ann", "totalXp": 150, "level": 2, "levelName": "Learner",
        "nextLevel": {"level": 3, "name": "Student", "xp": 250}, "progress": 33.3, "xpToNextLevel": 100,
        "rewards": [], "entitlements": [], "rank": 1, "learners": 1,
    }  # fmt: skip


def test_the_rank_counts_those_with_more_and_is_fresh_for_whoever_asks(site: Site) -> None:
    for learner, lessons in {"ann": 3, "bob": 5, "cid": 3}.items():
        for _ in range(lessons):
            site.track(learner)
    ranks = {learner: site.get("/xp", userId=learner)["rank"] for learner in ("ann", "bob", "cid")}
    assert ranks == {"ann": 2, "bob": 1, "cid": 2}
    for _ in range(3):
        site.track("ann")  # within the second: the table of all still knows the old XP
    assert site.get("/xp", userId="ann")["rank"] == 1
    site.track("dan")
    assert site.get("/xp", userId="dan") | {"rank": 4, "learners": 4} == site.get("/xp", userId="dan")


def test_entitlements_are_those_of_all_levels_so_far() -> None:
    assert [each.reward for each in state(6_999).entitlements] == []
    legend = state(12_500)
    assert legend.level_name == "Legend" and legend.rewards == []
    assert [(each.level_name, each.reward) for each in legend.entitlements] == [("Guru", "5% discount")]
    summit = state(25_000)
    assert summit.rewards == ["10% lifetime discount", "early access"]
    assert (summit.next_level, summit.xp_to_next_level, summit.progress) == (None, None, 100.0)


@pytest.mark.parametrize("path", ["/xp", "/streak"])
def test_learners_read_of_themselves_alone_and_need_not_say_so(site: Site, path: str) -> None:
    site.track("ann")
    site.track("bob")
    assert site.get(path, Role.LEARNER)["userId"] == "ann"
    assert site.get(path, Role.LEARNER, userId="ann")["userId"] == "ann"
    assert site.ask("GET", path, Role.LEARNER, params={"userId": "bob"}).status_code == 403


@pytest.mark.parametrize("path", ["/xp", "/streak"])
def test_who_is_nobody_and_what_is_no_id_is_refused(site: Site, path: str) -> None:
    assert site.ask("GET", path, params={"userId": "nobody"}).status_code == 404
    assert site.ask("GET", path).status_code == 422
    assert site.ask("GET", path, params={"userId": "a\x00b"}).status_code == 422
    assert site.ask("GET", path, params={"userId": "x" * 200}).status_code == 422
