"""The webhook: each outcome from its first start on comes once under its id, whatever happens in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.delivery.outbox import State
from api.access import Role
from api.delivery_settings import DeliverySettings, WebhookSettings, read_delivery
from api.webhook import USUAL
from engine.errors import InputError
from tests.api.site import Site, eventually, open_site
from tests.receivers import SECRET, GatewayServer


@pytest.fixture
def platform() -> Iterator[GatewayServer]:
    with GatewayServer() as server:
        yield server


def site_of(data: Path, platform: GatewayServer, **more: Any) -> Any:
    hook = WebhookSettings(url=platform.url, secret=SECRET, **more)
    return open_site(data, delivery=DeliverySettings(webhook=hook))


def settled(site: Site) -> bool:
    outbox, newest = site.context.delivery.outbox, site.service.newest()
    carried = all(outbox.cursor("webhook", log) == at for log, at in enumerate(newest))
    return carried and ("webhook", State.WAITING) not in outbox.counts()


def later(site: Site) -> bool:
    """Let some time pass, and tell whether nothing waits."""
    site.clock.advance(minutes=1)
    return settled(site)


def streamed(site: Site) -> list[dict[str, Any]]:
    """Return all that the live stream has told."""
    headers = {"Last-Event-ID": ".".join("0" for _ in site.service.lanes)}
    answer = site.ask("GET", "/live", Role.ADMIN, params={"follow": False}, headers=headers)
    assert answer.status_code == 200, answer.text
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]


def test_it_tells_what_the_stream_tells(tmp_path: Path, platform: GatewayServer) -> None:
    with site_of(tmp_path, platform) as site:
        for day in range(13):  # what waits for longer than three days is not told any more
            site.days(1, *(("ann", "bob") if day < 8 else ()))
            eventually(lambda: settled(site))
        told = {each["outcomeId"]: each for each in streamed(site) if each["type"] in USUAL}
    heard = [each["data"] for each in platform.taken.values()]
    assert len(told) > 4 and {each["outcomeId"]: each for each in heard} == told
    assert set(platform.taken) == {f"{identity}/webhook" for identity in told}
    for each in platform.taken.values():
        assert set(each) == {"type", "timestamp", "data"} and each["type"] == each["data"]["type"]


def test_only_the_types_that_are_wanted_come(tmp_path: Path, platform: GatewayServer) -> None:
    with site_of(tmp_path, platform, types=["xp"]) as site:
        for _ in range(3):
            site.track()
        eventually(lambda: settled(site))
    assert sorted(each["data"]["total"] for each in platform.taken.values()) == [50, 100, 150]


def test_what_happened_before_its_first_start_is_not_told_and_a_restart_tells_nothing_twice(
    tmp_path: Path, platform: GatewayServer
) -> None:
    with open_site(tmp_path) as site:
        site.track("ann")
    with site_of(tmp_path, platform, types=["xp"]) as site:
        eventually(lambda: settled(site))
        assert platform.taken == {}
        site.track("ann")
        eventually(lambda: settled(site))
    with site_of(tmp_path, platform, types=["xp"]) as site:
        eventually(lambda: settled(site))
    assert platform.requests == 1
    [event] = platform.taken.values()
    assert event["data"]["total"] == 100


def test_what_comes_while_the_platform_is_away_is_told_later(tmp_path: Path, platform: GatewayServer) -> None:
    platform.answer = (503, {})
    with site_of(tmp_path, platform, types=["xp"]) as site:
        for number in range(5):
            assert site.track("ann")["totalXp"] == 50 * (number + 1), "intake does not wait"
        eventually(lambda: platform.requests >= 5)
        platform.answer = (200, {})
        eventually(lambda: later(site))
        assert len(platform.taken) == 5
    assert not site.service.lanes[0].is_alive()


def test_who_has_been_erased_is_not_told_of(tmp_path: Path, platform: GatewayServer) -> None:
    platform.answer = (503, {})
    with site_of(tmp_path, platform, types=["xp"]) as site:
        site.track("ann")
        site.track("bob")
        eventually(lambda: platform.requests >= 2)
        assert site.ask("DELETE", "/learners/ann", Role.ADMIN).status_code == 200
        platform.answer = (200, {})
        eventually(lambda: later(site))
    assert [each["data"]["userId"] for each in platform.taken.values()] == ["bob"]


@pytest.mark.parametrize("types", ['["level"]', "[]", '"xp"', "[1]"])
def test_types_that_are_none_are_refused(tmp_path: Path, types: str) -> None:
    file = tmp_path / "delivery.toml"
    file.write_text(f'[webhook]\nurl = "https://x.example"\nsecret = "{SECRET}"\ntypes = {types}\n', "utf-8")
    with pytest.raises(InputError, match=r"webhook\.types.*types of outcomes"):
        read_delivery(file)
