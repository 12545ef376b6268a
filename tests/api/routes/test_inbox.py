"""The inbox and the operators' queue over HTTP: what comes is listed, told live, marked once, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.delivery.responses import Kind
from api.access import Role
from api.delivery_settings import DeliverySettings
from tests.actors.test_sending import blast
from tests.api.site import Site, eventually, open_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A service that wants to send everybody news."""
    news = (blast("news", "personalised_content"),)
    with open_site(tmp_path / "data", campaigns=news) as opened:
        yield opened


def sent(site: Site, *learners: str) -> None:
    """Let learners be sent something, and it arrive."""
    for learner in learners:
        site.track(learner)
    site.advance(hours=12.1)  # the next local day, on which it is decided
    site.advance(hours=20.9)  # 21:00 of it
    for learner in learners:
        eventually(partial(came, site, learner))


def came(site: Site, learner: str) -> bool:
    return bool(site.context.delivery.inbox.all_of(learner))


def mark(site: Site, message_id: str, how: str, role: Role = Role.LEARNER, learner: str = "ann") -> int:
    body = {"messageId": message_id, "mark": how}
    return site.ask("PATCH", "/learners/ann/inbox", role, learner=learner, json=body).status_code


def test_a_message_is_listed_told_live_and_marked(site: Site) -> None:
    site.profile("ann", displayName="Ann", nextItem="Loops", locale="ar")
    site.track("ann")
    site.advance(hours=32.9)  # a token lasts minutes: listen only around the hour at which it is sent
    with site.listen(Role.LEARNER) as ear:
        site.advance(minutes=7)
        live = ear.until("message")[-1].data
    told = site.get("/learners/ann/inbox", Role.LEARNER)
    [message] = told["messages"]
    assert told["unread"] == 1 and message["readAt"] is None
    assert (message["direction"], message["locale"], message["type"]) == ("rtl", "ar", "personalised_content")
    assert live == {**message, "type": "message", "notification": "personalised_content", "userId": "ann"}
    assert mark(site, message["messageId"], "read") == 204
    site.clock.advance(minutes=5)
    assert mark(site, message["messageId"], "read") == 204
    told = site.get("/learners/ann/inbox")
    assert told["unread"] == 0 and told["messages"][0]["readAt"] == "2026-03-03T21:01:00Z", "the first time counts"
    assert Kind.OPENED in site.context.delivery.responses.of([message["messageId"]])[message["messageId"]]
    assert mark(site, message["messageId"], "dismissed") == 204
    assert site.get("/learners/ann/inbox") == {"messages": [], "unread": 0}


def test_nobody_reads_or_marks_somebody_elses(site: Site) -> None:
    sent(site, "ann", "bob")
    assert site.ask("GET", "/learners/ann/inbox", Role.LEARNER, learner="bob").status_code == 403
    [message] = site.get("/learners/ann/inbox")["messages"]
    assert mark(site, message["messageId"], "read", learner="bob") == 403
    [bobs] = site.get("/learners/bob/inbox")["messages"]
    assert mark(site, bobs["messageId"], "read") == 404
    assert site.ask("GET", "/learners/zoe/inbox").status_code == 404


def test_an_erasure_takes_messages_responses_and_deliveries_out(site: Site) -> None:
    sent(site, "ann", "bob")
    [message] = site.get("/learners/ann/inbox")["messages"]
    mark(site, message["messageId"], "read")
    assert site.ask("DELETE", "/learners/ann", Role.ADMIN).status_code == 200
    delivery = site.context.delivery
    assert list(delivery.held("ann")) == []
    assert {line["part"] for line in delivery.held("bob")} == {"message", "delivery", "response"}


def test_after_a_month_a_message_is_listed_no_longer(site: Site) -> None:
    sent(site, "ann")
    site.profile("ann", consents={"inApp": False, "email": False, "push": False, "sms": False})
    site.advance(days=29)
    assert len(site.get("/learners/ann/inbox")["messages"]) == 1
    site.advance(days=2)
    assert site.get("/learners/ann/inbox")["messages"] == []


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[Site]:
    """A service that wants everybody called, by operators who have time for two a day."""
    wanted = (blast("calls", "human_outreach"),)
    with open_site(tmp_path / "data", campaigns=wanted, delivery=DeliverySettings(outreach_a_day=2)) as opened:
        yield opened


def work(site: Site, task: Any, operator: str, action: str, status: int = 200, note: str = "") -> Any:
    body = {"taskId": task["taskId"], "operator": operator, "action": action, "note": note}
    answer = site.ask("POST", "/outreach", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_operators_share_a_queue_with_a_capacity(calls: Site) -> None:
    learners = ("ann", "bob", "cid")
    for learner in learners:
        calls.profile(learner, displayName=learner.title())
        calls.track(learner)
    calls.advance(days=2)
    calls.advance(hours=9.1)
    outbox = calls.context.delivery.outbox
    eventually(lambda: sum(outbox.counts().values()) == 3 and ("operator", "waiting") not in outbox.counts())
    told = calls.get("/outreach")
    assert told["capacityADay"] == 2 and len(told["tasks"]) == 2
    assert {fate.reason for learner in learners for fate in outbox.of_learner(learner)} == {
        None, "a full queue (2 tasks a day)",
    }  # fmt: skip
    first, second = told["tasks"]
    assert work(calls, first, "ben", "claim")["state"] == "claimed"
    work(calls, first, "eva", "claim", 409)
    work(calls, first, "eva", "reached", 409)
    assert work(calls, first, "ben", "claim")["operator"] == "ben", "again is fine"
    assert work(calls, second, "eva", "claim")["operator"] == "eva"
    assert work(calls, second, "eva", "release")["state"] == "open"
    ended = work(calls, first, "ben", "reached", note="Back on Monday.")
    assert (ended["state"], ended["note"]) == ("reached", "Back on Monday.")
    work(calls, first, "ben", "release", 409)
    assert [task["taskId"] for task in calls.get("/outreach")["tasks"]] == [second["taskId"]]
    assert [task["taskId"] for task in calls.get("/outreach", ended=True)["tasks"]] == [first["taskId"]]
    work(calls, {"taskId": "nobody"}, "ben", "claim", 404)
    calls.advance(days=8)
    assert calls.get("/outreach")["tasks"] == [], "a call is not worth making a week later"


def test_learners_see_no_queue(calls: Site) -> None:
    assert calls.ask("GET", "/outreach", Role.LEARNER).status_code == 403
