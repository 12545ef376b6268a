"""The list of learners at risk: filters, orders, pages, and the whole picture."""

from __future__ import annotations

from typing import Any

import pytest

from api import cursors
from api.access import Role
from tests.api.site import Site

BANDS = ["critical", "high", "medium", "low", "dropped_off", "not_started"]


def populate(site: Site) -> None:
    """Make learners of all kinds: each came once, some days ago; two came day by day."""
    for ago in range(20, -1, -1):
        for learner in (f"u{ago:02}", "eva", "fay"):
            for _ in range(3):
                site.track(learner)
        if ago:
            site.advance(days=1)
    site.profile("new", displayName="New")
    site.profile("u05", displayName="Ada", anonymous=True)
    site.advance(seconds=2)


def ids(page: Any) -> list[str]:
    return [row["userId"] for row in page["results"]]


def listed(site: Site, **params: Any) -> Any:
    return site.get("/at-risk", Role.ADMIN, **params)


def pages(site: Site, meanwhile: Any = None, **params: Any) -> list[str]:
    page = listed(site, **params)
    found = ids(page)
    while page["nextCursor"]:
        if meanwhile:
            meanwhile()
        page = listed(site, cursor=page["nextCursor"], **params)
        found += ids(page)
    return found


def test_the_whole_picture_adds_up(site: Site) -> None:
    populate(site)
    page = listed(site)
    counts = {entry["band"]: entry["learners"] for entry in page["distribution"]}
    assert list(counts) == BANDS and sum(counts.values()) == page["learners"] == 24
    assert (counts["dropped_off"], counts["not_started"], page["scored"]) == (6, 1, 17)
    assert sum(entry["share"] for entry in page["distribution"]) == pytest.approx(1, abs=1e-3)
    risks = {user: site.post("/calculate", {"userId": user})["dropOffRisk"] for user in pages(site, minRisk=0)}
    assert len(risks) == 17
    above = [user for user, risk in risks.items() if risk >= 60]
    assert page["atRisk"] == page["matching"] == len(above) > 5
    assert page["shareAtRisk"] == pytest.approx(len(above) / 17, abs=1e-4)
    assert sorted(ids(page)) == sorted(above)


def test_rows_say_who_it_is_and_how_they_are(site: Site) -> None:
    populate(site)
    row = next(row for row in listed(site, minRisk=0)["results"] if row["userId"] == "u05")
    told = site.post("/calculate", {"userId": "u05"})
    assert row == {
        "userId": "u05", "displayName": "Ada", "risk": told["dropOffRisk"], "band": told["band"],
        "confidence": told["confidence"], "streak": 0, "silentDays": 4, "lastActiveAt": told["lastActiveAt"],
    }  # fmt: skip


def test_orders_and_filters(site: Site) -> None:
    populate(site)
    falling = listed(site, minRisk=0)["results"]
    risks = [row["risk"] for row in falling]
    assert risks == sorted(risks, reverse=True)
    assert [row["risk"] for row in listed(site, minRisk=0, sort="risk")["results"]] == sorted(risks)
    assert ids(listed(site, minRisk=0, sort="lastActive"))[:14] == [f"u{ago:02}" for ago in range(14, 0, -1)]
    assert ids(listed(site, minRisk=0, sort="-lastActive"))[3:] == [f"u{ago:02}" for ago in range(1, 15)]
    critical = [row["userId"] for row in falling if row["band"] == "critical"]
    assert ids(listed(site, band="critical")) == critical
    both = listed(site, band=["critical", "low"])
    assert {row["band"] for row in both["results"]} <= {"critical", "low"} and both["matching"] > len(critical)
    assert listed(site, band="low", minRisk=60)["results"] == []
    gone = listed(site, band=["dropped_off", "not_started"])
    assert ids(gone)[-1] != "" and {row["risk"] for row in gone["results"]} == {None}
    assert sorted(ids(gone)) == ["new", *(f"u{ago}" for ago in range(15, 21))]


@pytest.mark.parametrize("sort", ["-risk", "risk", "lastActive", "-lastActive"])
def test_pages_are_the_whole_list_also_where_somebody_comes_in_between(site: Site, sort: str) -> None:
    populate(site)
    for learner in ("x", "y", "z"):
        site.track(learner)  # equal risks
    site.advance(seconds=2)
    whole = ids(listed(site, minRisk=0, sort=sort, limit=200))
    assert pages(site, minRisk=0, sort=sort, limit=4) == whole

    def come() -> None:
        site.track(f"late{site.clock()}")
        site.advance(seconds=2)

    found = pages(site, come, minRisk=0, sort=sort, limit=4)
    assert len(found) == len(set(found))
    assert [learner for learner in found if not learner.startswith("late")] == whole


def test_only_admins_see_it(site: Site) -> None:
    for role in (Role.SERVICE, Role.LEARNER):
        assert site.ask("GET", "/at-risk", role).status_code == 403


@pytest.mark.parametrize(
    "params",
    [
        {"band": "criticl"}, {"minRisk": 101}, {"minRisk": "nan"}, {"sort": "name"}, {"limit": 0}, {"limit": 201},
        {"cursor": "x"}, {"cursor": cursors.encode("at-risk risk", 1.0, 2)}, {"cursor": cursors.encode("calculate", 3)},
        {"cursor": cursors.encode("at-risk -risk", 1, 2)}, {"cursor": cursors.encode("at-risk -risk", float("nan"), 2)},
        {"cursor": cursors.encode("at-risk -risk", 1.0, 10**30)}, {"cursor": "W1tbW1s"}, {"cursor": "bnVsbA"},
        {"cursor": "é"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(site: Site, params: dict[str, Any]) -> None:
    answer = site.ask("GET", "/at-risk", Role.ADMIN, params=params)
    assert answer.status_code == 422, answer.text


def test_a_band_of_another_name_is_refused_with_the_nearest(site: Site) -> None:
    told = site.ask("GET", "/at-risk", Role.ADMIN, params={"band": "criticl"}).json()
    assert told["remedy"] == "Did you mean 'critical'?"


def test_nobody_at_all_is_no_error_and_no_share(site: Site) -> None:
    page = listed(site)
    assert (page["learners"], page["matching"], page["shareAtRisk"], page["results"]) == (0, 0, None, [])
    assert {entry["share"] for entry in page["distribution"]} == {None}
