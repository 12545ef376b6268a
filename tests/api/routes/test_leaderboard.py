"""Leaderboards over HTTP, and who is shown on them."""

from __future__ import annotations

from typing import Any

import pytest

from api.access import Role
from tests.api.site import Site


def lessons(site: Site, **numbers: int) -> None:
    for learner, number in numbers.items():
        for _ in range(number):
            site.track(learner)


def places(board: Any) -> list[tuple[int, str, int]]:
    return [(line["rank"], line["userId"], line["xp"]) for line in board["entries"]]


def test_equal_xp_shares_a_rank_and_the_next_is_skipped(site: Site) -> None:
    lessons(site, ann=3, bob=3, cid=1)
    board = site.get("/leaderboard")
    assert places(board)[2] == (3, "cid", 50) and {line[0] for line in places(board)[:2]} == {1}
    assert {line[1] for line in places(board)[:2]} == {"ann", "bob"}
    assert (board["period"], board["learners"], board["standing"]) == ("weekly", 3, None)
    assert board["asOf"] == "2026-03-02T12:00:00Z"


def test_days_and_weeks_are_each_learners_own(site: Site) -> None:
    site.profile("kir", timezone="Pacific/Kiritimati")  # at noon UTC it is Tuesday 2:00 there
    lessons(site, ann=2, kir=1)
    site.advance(hours=12)  # Tuesday 0:00 in UTC, 14:00 there
    lessons(site, ann=1)
    daily = {line["userId"]: line["xp"] for line in site.get("/leaderboard", period="daily")["entries"]}
    assert daily == {"ann": 50, "kir": 50}
    site.advance(days=1)
    daily = {line["userId"]: line["xp"] for line in site.get("/leaderboard", period="daily")["entries"]}
    assert daily == {"ann": 0, "kir": 0}
    weekly = {line["userId"]: line["xp"] for line in site.get("/leaderboard", period="weekly")["entries"]}
    assert weekly == {"ann": 150, "kir": 50}
    site.advance(days=7)
    weekly = {line["userId"]: line["xp"] for line in site.get("/leaderboard", period="weekly")["entries"]}
    assert weekly == {"ann": 0, "kir": 0}
    assert places(site.get("/leaderboard", period="all_time")) == [(1, "ann", 150), (2, "kir", 50)]


def test_the_callers_own_place_with_neighbours(site: Site) -> None:
    numbers = {f"u{number}": number for number in range(1, 9)}
    lessons(site, **numbers)
    board = site.get("/leaderboard", Role.LEARNER, learner="u3", limit=2)
    assert places(board) == [(1, "u8", 400), (2, "u7", 350)]
    own = board["standing"]
    assert (own["userId"], own["rank"], own["xp"], own["percentile"]) == ("u3", 6, 150, 25.0)
    assert [line["userId"] for line in own["neighbours"]] == ["u5", "u4", "u3", "u2", "u1"]
    asked = site.get("/leaderboard", userId="u8", neighbours=1)["standing"]
    assert [line["userId"] for line in asked["neighbours"]] == ["u8", "u7"]
    assert site.get("/leaderboard", userId="u8", neighbours=0)["standing"]["neighbours"][0]["userId"] == "u8"


def test_names_and_pictures_come_from_the_profile(site: Site) -> None:
    site.profile("ann", displayName="Ann", pictureUrl="https://cdn.example.org/a.png")
    lessons(site, ann=3)
    assert site.get("/leaderboard")["entries"] == [
        {
            "rank": 1, "userId": "ann", "displayName": "Ann", "pictureUrl": "https://cdn.example.org/a.png",
            "level": 2, "levelName": "Learner", "xp": 150, "anonymous": False,
        }
    ]  # fmt: skip


def test_who_is_anonymous_is_so_to_all_but_themselves_and_admins(site: Site) -> None:
    site.profile("ann", displayName="Ann", pictureUrl="https://cdn.example.org/a.png", anonymous=True)
    lessons(site, ann=2, bob=1)

    def shown(role: Role, **params: Any) -> Any:
        return site.get("/leaderboard", role, **params)["entries"][0]

    hidden = shown(Role.LEARNER, learner="bob")
    assert (hidden["userId"], hidden["displayName"], hidden["pictureUrl"]) == (None, "Anonymous learner", None)
    assert (hidden["xp"], hidden["anonymous"]) == (100, True)
    assert shown(Role.SERVICE) == hidden
    assert shown(Role.SERVICE, userId="bob") == hidden
    for open_ in (shown(Role.ADMIN), shown(Role.LEARNER, learner="ann"), shown(Role.SERVICE, userId="ann")):
        assert (open_["userId"], open_["displayName"], open_["anonymous"]) == ("ann", "Ann", True)
    around = site.get("/leaderboard", Role.LEARNER, learner="bob")["standing"]["neighbours"]
    assert [line["userId"] for line in around] == [None, "bob"]
    site.profile("ann", anonymous=False)  # at once, without waiting for the next second
    assert shown(Role.LEARNER, learner="bob")["displayName"] == "Ann"


def test_a_learner_learns_nobody_elses_place(site: Site) -> None:
    lessons(site, ann=1, bob=1)
    assert site.ask("GET", "/leaderboard", Role.LEARNER, params={"userId": "bob"}).status_code == 403
    assert site.ask("GET", "/leaderboard", params={"userId": "nobody"}).status_code == 404


def test_who_is_new_within_the_second_has_no_place_yet(site: Site) -> None:
    lessons(site, ann=1)
    assert site.get("/leaderboard")["learners"] == 1
    lessons(site, bob=1)
    assert site.get("/leaderboard", userId="bob")["standing"] is None
    site.advance(seconds=1)
    assert site.get("/leaderboard", userId="bob")["standing"]["rank"] == 1


def test_an_erased_learner_is_gone_at_once(site: Site) -> None:
    lessons(site, ann=2, bob=1)
    assert site.get("/leaderboard")["learners"] == 2
    assert site.ask("DELETE", "/learners/ann", Role.ADMIN).status_code == 200
    assert [line["userId"] for line in site.get("/leaderboard")["entries"]] == ["bob"]
    site.advance(seconds=1)
    assert places(site.get("/leaderboard")) == [(1, "bob", 50)]


@pytest.mark.parametrize("params", [{"period": "monthly"}, {"limit": 0}, {"limit": 101}, {"neighbours": 11}])
def test_what_makes_no_sense_is_refused(site: Site, params: dict[str, Any]) -> None:
    assert site.ask("GET", "/leaderboard", params=params).status_code == 422


def test_an_empty_board_is_empty(site: Site) -> None:
    assert site.get("/leaderboard")["entries"] == []
