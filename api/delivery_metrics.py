"""What Prometheus is told of messages: how many wait, and for how long the oldest has been due."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.ports import JournalError
from api.clock import Clock
from api.delivery import Delivery


class DeliveryMetrics(Collector):
    """Reads the outbox.

    Args:
        delivery: of the service.
        clock: UTC ms.
    """

    def __init__(self, delivery: Delivery, clock: Clock) -> None:
        self._delivery, self._clock = delivery, clock
        self._names = {channel.name for channel in delivery.channels}

    def describe(self) -> Iterable[Metric]:
        """Return the names alone: at its registration nothing is read."""
        return self._families()

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they stand; while the database cannot be read, without values."""
        waiting, overdue = families = self._families()
        try:
            found = self._delivery.outbox.open(self._clock())
        except JournalError:
            return families
        self._names.update(found)  # the webhook is no channel; and what was told once is told on, as 0
        for channel in sorted(self._names):
            count, overdue_ms = found.get(channel, (0, 0))
            waiting.add_metric([channel], count)
            overdue.add_metric([channel], overdue_ms / 1_000)
        return families

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily("engage_outbox_waiting", "Messages that wait to be handed over.", labels=["channel"]),
            GaugeMetricFamily(
                "engage_outbox_overdue_seconds",
                "For how long the oldest has been due.",
                labels=["channel"],
            ),
        )
