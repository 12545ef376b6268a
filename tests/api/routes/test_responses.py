"""Responses: links that do one thing for one learner, and gateways' reports that must be signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.delivery.outbox import State
from actors.delivery.responses import Kind
from api.access import Role
from api.delivery_settings import DeliverySettings, GatewaySettings
from api.links import Link, Linker
from api.signatures import sign
from tests.actors.test_sending import blast
from tests.api.site import API, Site, eventually, open_site
from tests.receivers import SECRET, GatewayServer

NEWS = (blast("news", "personalised_content"),)
PUBLIC, ACTION = "https://engage.learn.example", "https://learn.example/continue"
READER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Thunderbird/140.0"}


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    with GatewayServer() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, gateway: GatewayServer) -> Iterator[Site]:
    """A service that wants to send everybody news, also by push, and has sent Ann some."""
    push = GatewaySettings(url=gateway.url, secret=SECRET)
    settings = DeliverySettings(public_url=PUBLIC, action_url=ACTION, push=push)
    with open_site(tmp_path / "data", campaigns=NEWS, delivery=settings) as opened:
        opened.profile("ann", pushToken="device-1")
        opened.track("ann")
        silent(opened)
        eventually(lambda: bool(gateway.taken))
        yield opened


def silent(site: Site) -> None:
    """Let time pass until Ann's risk is high, and something leaves by push."""
    outbox = site.context.delivery.outbox
    before = pushed(site)
    for _ in range(20 * 24):
        site.advance(hours=1)
        site.service.settle()
        eventually(lambda: carried(site))
        if pushed(site) > before:
            eventually(lambda: ("push", State.WAITING) not in outbox.counts())
            return
    raise AssertionError("nothing left by push")


def carried(site: Site) -> bool:
    newest = site.service.newest()
    return [site.context.delivery.outbox.cursor("post", log) or 0 for log in range(len(newest))] == newest


def pushed(site: Site) -> int:
    return sum(count for (channel, _), count in site.context.delivery.outbox.counts().items() if channel == "push")


def item(gateway: GatewayServer) -> str:
    """Return the id of what came first."""
    found: str = next(iter(gateway.taken.values()))["id"]
    return found


def link(site: Site, purpose: Any, channel: str = "push", learner: str = "ann", item_id: str = "i") -> str:
    return f"/{purpose}/{site.context.delivery.linker.token(purpose, Link(item_id, learner, channel))}"


def heard(site: Site, item_id: str) -> set[Kind]:
    return set(site.context.delivery.responses.of([item_id]).get(item_id, {}))


def test_what_a_gateway_is_handed_has_the_links_that_work(site: Site, gateway: GatewayServer) -> None:
    [sent] = gateway.taken.values()
    assert sent["to"] == "device-1" and sent["userId"] == "ann"
    for name in ("unsubscribeUrl", "actionUrl"):
        assert sent[name].startswith(PUBLIC)
    led = site.http.get(sent["actionUrl"].removeprefix(PUBLIC))
    assert (led.status_code, led.headers["location"]) == (302, ACTION)
    assert Kind.CLICKED in heard(site, sent["id"])


def test_to_unsubscribe_takes_one_consent_back_and_no_other(site: Site, gateway: GatewayServer) -> None:
    path = link(site, "unsubscribe", item_id=item(gateway))
    page = site.http.get(path)
    assert page.status_code == 200 and "<button" in page.text
    assert site.get("/learners/ann/profile")["consents"]["push"]
    for _ in range(2):
        assert site.http.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    consents = site.get("/learners/ann/profile")["consents"]
    assert consents == {"email": True, "push": False, "inApp": True, "sms": True}
    assert heard(site, item(gateway)) == {Kind.DELIVERED, Kind.UNSUBSCRIBED}


def test_who_is_gone_is_unsubscribed_and_not_brought_back(site: Site) -> None:
    assert site.http.post(link(site, "unsubscribe", learner="zoe")).status_code == 200
    assert site.ask("GET", "/learners/zoe/profile").status_code == 404


def test_links_work_on_after_an_erasure_and_bring_nothing_back(site: Site, gateway: GatewayServer) -> None:
    assert site.ask("DELETE", "/learners/ann", Role.ADMIN).status_code == 200
    for purpose, method, status in (("opened", "GET", 200), ("go", "GET", 302), ("unsubscribe", "POST", 200)):
        assert site.http.request(method, link(site, purpose, item_id=item(gateway))).status_code == status
    assert reported(site, item(gateway), "clicked").status_code == 404
    assert heard(site, item(gateway)) == set()
    assert list(site.context.delivery.held("ann")) == []


def test_a_link_does_what_it_is_for_and_nothing_else(site: Site) -> None:
    for purpose, other in (("go", "unsubscribe"), ("opened", "go"), ("unsubscribe", "opened")):
        token = link(site, purpose).rpartition("/")[2]
        assert site.http.get(f"/{other}/{token}").status_code == 404
    token = link(site, "unsubscribe").rpartition("/")[2]
    head, claims, signature = token.split(".")
    forged = Linker([b"another secret of thirty-two byte"], PUBLIC, ACTION).token(
        "unsubscribe", Link("i", "ann", "push")
    )
    for bad in (
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature[::-1]}",
        f"eyJhbGciOiJub25lIn0.{claims}.",
        forged,
        "x",
    ):
        assert site.http.post(f"/unsubscribe/{bad}").status_code == 404
    assert site.get("/learners/ann/profile")["consents"]["push"]


@pytest.mark.parametrize(
    ("agent", "minutes", "kind"),
    [
        (READER["User-Agent"], 2, Kind.OPENED),
        (READER["User-Agent"], 0, Kind.OPENED_BY_MACHINE),  # faster than anybody reads
        ("Mozilla/5.0", 2, Kind.OPENED_BY_MACHINE),
        ("Mozilla/5.0 (Windows NT 5.1) Gecko/2009 Firefox/11.0 (via ggpht.com GoogleImageProxy)", 2,
         Kind.OPENED_BY_MACHINE),
    ],
)  # fmt: skip
def test_machines_that_open_are_told_apart(
    site: Site, gateway: GatewayServer, agent: str, minutes: int, kind: Kind
) -> None:
    site.clock.advance(minutes=minutes)
    answer = site.http.get(link(site, "opened", item_id=item(gateway)), headers={"User-Agent": agent})
    assert answer.content.startswith(b"GIF89a") and answer.headers["cache-control"] == "no-store"
    assert heard(site, item(gateway)) == {Kind.DELIVERED, kind}


def reported(site: Site, item_id: str, event: str, secret: str = SECRET, late_s: int = 0) -> httpx.Response:
    body = json.dumps({"id": item_id, "event": event}).encode()
    headers = sign(secret.encode(), "report-1", site.clock() // 1_000 - late_s, body)
    return site.http.post(f"{API}/deliveries", content=body, headers=headers | {"Content-Type": "application/json"})


def test_a_signed_report_is_taken_in(site: Site, gateway: GatewayServer) -> None:
    for event in ("delivered", "opened", "clicked", "clicked"):
        assert reported(site, item(gateway), event).status_code == 204
    assert heard(site, item(gateway)) == {Kind.DELIVERED, Kind.OPENED, Kind.CLICKED}


def test_a_report_that_is_not_signed_now_by_the_gateway_is_refused(site: Site, gateway: GatewayServer) -> None:
    assert reported(site, item(gateway), "bounced", secret="s" * 24).status_code == 401
    assert reported(site, item(gateway), "bounced", late_s=600).status_code == 401
    body = {"id": item(gateway), "event": "bounced"}
    assert site.http.post(f"{API}/deliveries", json=body).status_code == 401
    assert site.ask("POST", "/deliveries", json=body).status_code == 401, "a key is no signature"
    assert reported(site, "nobody/news/1/push", "opened").status_code == 404
    assert reported(site, item(gateway), "eaten").status_code == 422
    assert heard(site, item(gateway)) == {Kind.DELIVERED}


@pytest.mark.parametrize("event", ["bounced", "complained"])
def test_an_address_that_bounces_or_complains_is_not_used_again_until_there_is_another(
    site: Site, gateway: GatewayServer, event: str
) -> None:
    assert reported(site, item(gateway), event).status_code == 204
    silent(site)
    assert len(gateway.taken) == 1
    fates = [fate for fate in site.context.delivery.outbox.of_learner("ann") if fate.channel == "push"]
    assert [fate.reason for fate in fates] == [None, "an address that is not used any more"]
    site.profile("ann", pushToken="device-2")
    silent(site)
    eventually(lambda: [sent["to"] for sent in gateway.taken.values()] == ["device-1", "device-2"])
