"""An export holds all that is held: whatever an erasure would take out of the journal, and the state itself."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from actors.erasure import without
from actors.holdings import holdings
from api.access import Role
from engine.record import MEANING, new_records
from engine.signals import names
from tests.api.site import Site, eventually


def lines(site: Site, learner: str = "ann", role: Role = Role.SERVICE) -> list[Any]:
    answer = site.ask("GET", f"/learners/{learner}/export", role)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def parts(told: list[Any], part: str) -> list[Any]:
    return [line for line in told if line["part"] == part]


def live(site: Site) -> None:
    """Let two learners live for three weeks, with everything that may happen."""
    site.profile("ann", timezone="Europe/Berlin", displayName="Ann")
    site.profile("bob", displayName="Bob")
    site.track(courseId="python-101", eventId="first", value=0.5)
    site.track(eventId="first")
    site.days(8, "ann", "bob")
    site.advance(hours=8.1)  # an evening with a streak that is about to be lost: 21:06 in Berlin
    eventually(lambda: bool(site.context.delivery.inbox.all_of("ann")))
    site.advance(days=4)
    site.profile("ann", timezone="Asia/Tokyo")
    site.days(3, "ann")


def test_it_says_what_it_is_and_ends_whole(site: Site) -> None:
    live(site)
    told = lines(site)
    assert told[0]["part"] == "about" and told[0]["userId"] == "ann"
    assert told[-1] == {"part": "end", "lines": len(told) - 1}
    assert set(Counter(line["part"] for line in told)) == {
        "about", "profile", "record", "appeared", "event", "outcome", "send", "daily", "decided", "decision", "reward",
        "placed", "dropped", "withheld", "message", "delivery", "response", "profile_change", "end",
    }  # fmt: skip


def test_every_field_of_the_record_is_there_with_unit_and_meaning(site: Site) -> None:
    live(site)
    told = {line["field"]: line for line in parts(lines(site), "record")}
    assert set(told) == set(MEANING) - {"sealed", "view"}
    for name, line in told.items():
        assert (line["unit"], line["meaning"]) == MEANING[name]
    view = site.service.learner("ann")
    assert told["view.xp"]["value"] == int(view.record["view"]["xp"][0])
    assert told["totals"]["value"] == view.record["totals"][0].tolist()
    assert set(new_records(0).dtype.names or ()) <= {name.partition(".")[0] for name in told}


def test_events_are_told_with_all_that_was_sent_and_what_they_brought(site: Site) -> None:
    live(site)
    events = parts(lines(site), "event")
    assert [event["verdict"] for event in events[:2]] == ["full", "duplicate"]
    first = events[0]
    assert (first["eventId"], first["action"], first["courseId"], first["value"]) == (
        "first", "lesson_complete", "python-101", 0.5,
    )  # fmt: skip
    assert (first["occurredAt"], first["localDate"], first["localMinute"]) == (
        "2026-03-02T12:00:00+00:00", "2026-03-02", 13 * 60,
    )  # fmt: skip
    assert (first["xpAwarded"], first["totalXp"], first["streak"]) == (50, 50, 1)
    assert len(events) == 13


def test_outcomes_sends_profiles_and_daily_signals_are_there(site: Site) -> None:
    live(site)
    told = lines(site)
    kinds = Counter(line["type"] for line in parts(told, "outcome"))
    assert (kinds["milestone_reached"], kinds["freeze_awarded"], kinds["freeze_used"]) == (1, 2, 2)
    assert all(line["outcomeId"].startswith("ann/") for line in parts(told, "outcome"))
    sends = parts(told, "send")
    assert ("milestone_celebration", "celebrations") in {(send["notification"], send["campaign"]) for send in sends}
    assert {send["userId"] for send in sends} == {"ann"}
    [profile], changes = parts(told, "profile"), parts(told, "profile_change")
    assert [zone["timezone"] for zone in profile["timezones"]] == ["Europe/Berlin", "Asia/Tokyo"]
    assert changes[0]["changes"]["displayName"] == "Ann"
    daily = parts(told, "daily")
    assert len(daily) > 8 and set(daily[0]["signals"]) == set(names())
    assert 0 <= daily[0]["dropOffRisk"] <= 100


def test_what_is_exported_is_what_an_erasure_takes_out_and_nothing_of_others(site: Site) -> None:
    live(site)
    view = site.service.learner("ann")
    row = int(view.record["learner"][0])
    erased = without(row, "ann")
    entries = list(site.service.entries(site.service.lane("ann").log))
    assert len({entry.message.kind for entry in entries}) >= 5
    for entry in entries:
        held = list(holdings(entry, row, "ann"))
        left = erased(entry)
        assert bool(held) == (left is not None), entry.message.kind
        assert not list(holdings(left or entry, row, "ann"))
    assert "bob" not in json.dumps(lines(site)).lower()


def test_a_learner_exports_own_data_alone(site: Site) -> None:
    live(site)
    assert parts(lines(site, "ann", Role.LEARNER), "end")
    assert site.ask("GET", "/learners/bob/export", Role.LEARNER).status_code == 403
    assert site.ask("GET", "/learners/nobody/export").status_code == 404


def test_a_learner_gets_one_export_at_a_time(site: Site) -> None:
    live(site)
    site.context.exporting.add("learner:ann")
    answer = site.ask("GET", "/learners/ann/export", Role.LEARNER)
    assert answer.status_code == 429 and answer.json()["item"] == "exports"
    assert site.ask("GET", "/learners/bob/export", Role.LEARNER, learner="bob").status_code == 200
    assert site.ask("GET", "/learners/ann/export").status_code == 200
    site.context.exporting.clear()
    assert site.ask("GET", "/learners/ann/export", Role.LEARNER).status_code == 200
    assert not site.context.exporting


def test_after_an_erasure_there_is_nothing_left_for_who_comes_back(site: Site) -> None:
    live(site)
    assert site.ask("DELETE", "/learners/ann", Role.ADMIN).status_code == 200
    assert site.ask("GET", "/learners/ann/export").status_code == 404
    site.track()
    told = Counter(line["part"] for line in lines(site))
    assert (told["event"], told["appeared"], told["send"]) == (1, 1, 0)


def test_what_cannot_be_read_to_its_end_has_no_last_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    live(site)
    entries = list(site.service.entries(site.service.lane("ann").log))

    def broken(_log: int) -> Any:
        yield from entries[:3]
        raise OSError("gone")

    monkeypatch.setattr(site.service, "entries", broken)
    with pytest.raises(Exception, match=r"incomplete|closed"):
        lines(site)
