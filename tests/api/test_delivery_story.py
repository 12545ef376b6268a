"""The whole way, with a real mail server and HTTP: silence, risk, an e-mail, a return, and an end to e-mails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.delivery.outbox import State
from actors.delivery.responses import Kind
from actors.feed import Happening
from api.access import Role
from api.delivery_settings import DeliverySettings, MailSettings
from engine import calendar
from engine.calendar import MS_PER_DAY
from engine.experiments.campaigns import Campaign
from tests.actors.test_sending import blast, campaign
from tests.api.site import Site, eventually, open_site
from tests.mail import MailServer

PUBLIC = "https://engage.learn.example"


def wanting(name: str, kind: str, priority: int) -> Campaign:
    """Return a campaign that wants everybody whose risk is critical."""
    params = {"from_risk": 80.0, "critical_from": 80.0, "critical": [kind]}
    return campaign(name, "at_risk", priority, arms=[{"id": "all", "policy": "at_risk", "params": params, "share": 1}])


WANTED = (
    wanting("retention", "gentle_reminder", 30),
    wanting("news", "personalised_content", 20),
    wanting("peers", "peer_comparison", 10),
)
"""Three campaigns that all want the same learner on the same days."""


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def site_of(tmp_path: Path, mail: MailServer, campaigns: tuple[Campaign, ...] = WANTED) -> Any:
    settings = DeliverySettings(
        public_url=PUBLIC,
        action_url="https://learn.example/continue",
        email=MailSettings(url=mail.url, sender="Learn <hello@learn.example>"),
    )
    return open_site(tmp_path / "data", campaigns=campaigns, delivery=settings)


def settled(site: Site) -> bool:
    """Tell whether nothing waits in the outbox, and the post office has been everywhere."""
    outbox = site.context.delivery.outbox
    newest = site.service.newest()
    carried = all((outbox.cursor("post", log) or 0) == newest[log] for log in range(len(newest)))
    return carried and not any(state is State.WAITING for _, state in outbox.counts())


def through(site: Site, days: int, minutes: int = 30) -> None:
    """Let days pass in steps, the clock standing still whenever something is on its way."""
    sends: list[Happening] = []
    end = site.service.feed.listen(lambda heard: sends.extend(each for each in heard if each.kind == "send"))
    for _ in range(days * 24 * 60 // minutes):
        site.advance(minutes=minutes)
        if sends:
            eventually(lambda: settled(site))
            sends.clear()
    end()


def own_path(link: str) -> str:
    """Return the path of a link that a message shows under the service's public address."""
    assert link.startswith(PUBLIC + "/")
    return link.removeprefix(PUBLIC)


def test_from_silence_to_return(tmp_path: Path, mail: MailServer) -> None:
    with site_of(tmp_path, mail) as site:
        site.profile(
            "ann",
            displayName="Ann",
            email="ann@example.org",
            locale="de-DE",
            timezone="Europe/Berlin",
            quietHours={"from": "20:00", "to": "08:00"},
            nextItem="Schleifen",
        )
        for _ in range(20):
            site.track("ann")
            through(site, 1)
        mail.messages.clear()
        through(site, 14)
        messages = mail.wait(1)
        sends = [send for lane in site.service.lanes for send in sent(site, lane.log)]
        days = [send["day"] for send in sends]
        assert len(set(days)) == len(days), "one a day, although three campaigns wanted them"
        for day in days:
            assert sum(day - 7 < other <= day for other in days) <= 3, "three a week"
        assert len({message["Message-ID"] for message in messages}) == len(messages)
        by_mail = [send for send in sends if "email" in send["channels"]]
        assert len(messages) == len(by_mail), "whose risk is critical is written to"
        for send, message in zip(by_mail, messages, strict=True):
            assert message["To"] == "ann@example.org" and message["Content-Language"] == "de"
            _, minute = calendar.local(calendar.np.array([at(site, send)]), calendar.zone("Europe/Berlin"))
            assert minute[0] // 60 == 13, "she has always come at 12 UTC, which is 13 in Berlin"

        message = messages[-1]
        text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one
        assert "Ann" in text or "Schleifen" in text
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        item = f"{by_mail[-1]['id']}/email"
        responses = site.context.delivery.responses
        assert Kind.DELIVERED in responses.of([item])[item]

        site.clock.advance(minutes=2)
        html = message.get_body(("html",)).get_content()  # type: ignore[union-attr]  # it has one
        pixel = re.search(r'<img src="([^"]+)"', html)
        assert pixel is not None
        shown = site.http.get(own_path(pixel[1]), headers={"User-Agent": "Thunderbird"})
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/gif")
        click = re.search(r'<a href="([^"]+/go/[^"]+)"', html)
        assert click is not None
        led = site.http.get(own_path(click[1]))
        assert (led.status_code, led.headers["location"]) == (302, "https://learn.example/continue")

        unsubscribe = own_path(message["List-Unsubscribe"].strip("<>"))
        assert site.http.get(unsubscribe).status_code == 200
        assert site.get("/learners/ann/profile")["consents"]["email"], "to look changes nothing"
        gone = site.http.post(unsubscribe, data={"List-Unsubscribe": "One-Click"})
        assert gone.status_code == 200 and "Done" in gone.text
        assert not site.get("/learners/ann/profile")["consents"]["email"]
        assert set(responses.of([item])[item]) == {Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED}

        site.track("ann")
        back = site.clock() // MS_PER_DAY
        before = len(mail.messages)
        through(site, 9)
        assert len(mail.messages) == before, "nobody is written to who has unsubscribed"
        assert site.get("/learners/ann/inbox")["messages"], "but the inbox is another matter"
        last = by_mail[-1]
        assert last["day"] <= back < last["day"] + 7, "she came within a week of the last message"
        arms = site.get("/reports/campaigns", Role.ADMIN, days=100)["arms"]
        [credited] = next(each for each in arms if each["campaign"] == last["campaign"])["sends"]
        assert (credited["type"], credited["sent"]) == (last["type"], 1)
        assert credited["delivered"] == credited["opened"] == credited["clicked"] == credited["unsubscribed"] == 1
        assert credited["returned"][-1] == {"days": 7, "learners": 1, "share": 1.0}


def sent(site: Site, log: int) -> list[dict[str, Any]]:
    """Return all sends of a journal, with the instant at which they left."""
    return [
        {**send, "at_ms": entry.message.body["now_ms"]}
        for entry in site.service.entries(log)
        for send in entry.answer.body.get("sends", [])
    ]


def at(_site: Site, send: dict[str, Any]) -> int:
    instant: int = send["at_ms"]
    return instant


def test_consent_that_is_withdrawn_while_a_message_waits_counts(tmp_path: Path, mail: MailServer) -> None:
    """The mail server is away as the message is due, and back after the learner has changed her mind."""
    away = True
    mail.answer = lambda: "451 later" if away else "250 OK"
    with site_of(tmp_path, mail, (blast("news", "personalised_content", 20),)) as site:
        site.profile("ann", email="ann@example.org")
        site.track("ann")
        critical(site, "ann")
        through_send(site)
        mail.begun.acquire(timeout=10)
        eventually(lambda: outcome(site, "email") == [State.WAITING])
        site.profile("ann", consents={"email": False})
        away = False
        site.advance(minutes=1)
        eventually(lambda: outcome(site, "email") == [State.WITHHELD])
        assert mail.messages == []


def critical(site: Site, learner: str) -> None:
    """Let a learner be silent until the risk is critical."""
    for _ in range(12):
        site.advance(days=1)
        if site.post("/calculate", {"userId": learner})["band"] == "critical":
            return
    raise AssertionError("never critical")


def through_send(site: Site) -> None:
    """Let the clock go on to the next send by e-mail."""
    for _ in range(14 * 48):
        site.advance(minutes=30)
        if any("email" in send["channels"] for lane in site.service.lanes for send in sent(site, lane.log)):
            return
    raise AssertionError("nothing was sent")


def outcome(site: Site, channel: str) -> list[State]:
    """Return the states of the items of a channel."""
    return [state for name, state in site.context.delivery.outbox.counts() if name == channel]
