"""``engage outbox`` and the outbox's metrics, over a service whose gateway misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.delivery.outbox import State
from api.clock import wall_clock
from api.delivery_settings import DeliverySettings, GatewaySettings, WebhookSettings
from tests.api.engage import engage_here
from tests.api.routes.test_responses import NEWS, silent
from tests.api.site import eventually, metrics, open_site
from tests.receivers import SECRET, GatewayServer


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    with GatewayServer() as server:
        yield server


def test_it_lists_what_failed_and_uses_an_address_again(tmp_path: Path, gateway: GatewayServer) -> None:
    gateway.answer = (410, {})
    push = GatewaySettings(url=gateway.url, secret=SECRET)
    data = tmp_path / "data"
    with open_site(data, campaigns=NEWS, delivery=DeliverySettings(push=push)) as site:
        site.profile("ann", pushToken="device-1")
        site.track("ann")
        silent(site)
        told = engage_here("outbox", "list", "--data", data)
        assert told.code == 0 and "push: 1 dead, status 410" in told.out
        silent(site)
        assert (
            "push: 1 withheld, an address that is not used any more"
            in engage_here("outbox", "list", "--data", data).out
        )
        assert engage_here("outbox", "lift", "push", "device-1", "--data", data).code == 0
        again = engage_here("outbox", "lift", "push", "device-1", "--data", data)
        assert again.code == 2 and "one that is suppressed" in again.err
        gateway.answer = (200, {})
        silent(site)
        eventually(lambda: len(gateway.taken) == 1)


def test_it_drives_the_dead_once_more(tmp_path: Path, gateway: GatewayServer) -> None:
    gateway.answer = (400, {})
    hook = WebhookSettings(url=gateway.url, secret=SECRET, types=["xp"])
    with open_site(tmp_path, delivery=DeliverySettings(webhook=hook)) as site:
        site.clock.set(wall_clock())
        site.track("ann")
        eventually(lambda: site.context.delivery.outbox.counts().get(("webhook", State.DEAD)) == 1)
        gateway.answer = (200, {})
        assert "0 are tried" in engage_here("outbox", "redrive", "--channel", "push", "--data", tmp_path).out
        assert "1 are tried" in engage_here("outbox", "redrive", "--data", tmp_path).out
        site.clock.set(wall_clock() + 1)
        eventually(lambda: len(gateway.taken) == 1)
    assert engage_here("outbox", "list", "--data", tmp_path / "none").code == 2


def test_metrics_tell_what_waits(tmp_path: Path, gateway: GatewayServer) -> None:
    gateway.answer = (503, {"Retry-After": "60"})
    hook = WebhookSettings(url=gateway.url, secret=SECRET, types=["xp"])
    with open_site(tmp_path, delivery=DeliverySettings(webhook=hook)) as site:
        assert 'engage_outbox_waiting{channel="in_app"} 0.0' in metrics(site)
        site.track("ann")
        eventually(lambda: gateway.requests == 1)
        eventually(lambda: 'engage_outbox_waiting{channel="webhook"} 1.0' in metrics(site))
        eventually(lambda: 'engage_outbox_overdue_seconds{channel="webhook"} 0.0' in metrics(site))
        gateway.answer = (200, {})
        site.clock.set(wall_clock() + 600_000)
        eventually(lambda: 'engage_outbox_waiting{channel="webhook"} 0.0' in metrics(site))
