"""One learner's forty days over HTTP: each thing that happens stands in a receipt or in the live stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api.access import Role
from tests.api.site import Site, Told, open_site


def kinds(receipt: dict[str, Any]) -> list[str]:
    return [outcome["type"] for outcome in receipt["outcomes"]]


def streak(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.get("/streak", userId="ann")
    return found


def test_forty_days_of_one_learner(tmp_path: Path) -> None:
    """Berlin, then Lisbon; the clocks change on 29 March, on the 28th day."""
    with open_site(tmp_path, "2026-03-02T17:00") as site:
        site.profile(timezone="Europe/Berlin", displayName="Ann")
        with site.listen(Role.ADMIN, userId="ann") as ear:
            told = live(site)
            heard: list[Told] = []
            while len([each for each in heard if each.kind == "streak_ended"]) < 1:
                heard.append(ear.next())
    assert told["last"]["currentStreak"] == 0
    names = [each.kind for each in heard]
    for kind in (
        "xp",
        "level_up",
        "milestone_reached",
        "freeze_awarded",
        "freeze_used",
        "achievement_unlocked",
        "send",
    ):
        assert kind in names, kind
    places = [names.index(kind) for kind in ("xp", "level_up", "milestone_reached", "freeze_used", "streak_ended")]
    assert places == sorted(places)


def live(site: Site) -> dict[str, Any]:
    """Walk the days; return what the learner was told on the remarkable ones."""
    first = site.track(eventId="day-0")
    assert (first["xpAwarded"], first["totalXp"], first["streak"]) == (50, 50, 1)
    assert first["achievements"] == [{"id": "first_steps", "name": "First Steps"}]
    again = site.track(eventId="day-0")
    assert again == {**first, "status": "duplicate"}

    site.advance(days=1)
    second = site.track(eventId="day-1")
    assert (second["totalXp"], second["level"], second["leveledUp"]) == (100, 2, True)

    for day in range(2, 7):
        site.advance(days=1)
        receipt = site.track(eventId=f"day-{day}")
    assert {"milestone_reached", "freeze_awarded"} <= set(kinds(receipt))
    assert (receipt["streak"], receipt["xpAwarded"]) == (7, 100)  # the lesson, and the milestone
    held = receipt["freezes"]
    assert held >= 1

    site.advance(days=2)  # day 7 is missed, and ends
    missed = streak(site)
    assert (missed["currentStreak"], missed["freezes"]) == (7, held - 1)
    back = site.post("/streak", {"userId": "ann"})
    assert (back["currentStreak"], back["missedDays"], back["freezesUsed"]) == (8, 1, 1)
    assert site.post("/streak", {"userId": "ann"}) == {**back, "status": "duplicate"}

    for _ in range(9, 20):
        site.advance(days=1)
        receipt = site.track()
    site.profile(timezone="Europe/Lisbon")  # an hour behind; in the evening it is the same day
    for _ in range(20, 30):  # over the change of the clocks on 29 March
        site.advance(days=1)
        receipt = site.track()
    assert receipt["streak"] == 8 + 21
    milestones = streak(site)["milestones"]
    assert [each["days"] for each in milestones if each["times"]] == [7, 14]

    while streak(site)["currentStreak"]:  # silent until all freezes are gone
        site.advance(days=1)
    assert streak(site)["freezes"] == 0
    return {"last": streak(site)}
