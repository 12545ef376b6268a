"""What Prometheus is told of the live learners: read from the lanes when it asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.lane import Lane


class LaneMetrics(Collector):
    """Reads the lanes.

    Args:
        lanes: of the service.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they stand."""
        return list(self._families())

    def _families(self) -> Iterator[Metric]:
        gauges = (
            ("engage_events_waiting", "Events that wait for an actor.", [lane.waiting_events for lane in self._lanes]),
            ("engage_scores_waiting", "Learners who wait for a score.", [lane.waiting_scores for lane in self._lanes]),
            (
                "engage_score_lag_seconds",
                "Age of the oldest change that the newest scores took in.",
                [lane.score_lag_ms / 1000 for lane in self._lanes],
            ),
        )
        for name, about, values in gauges:
            gauge = GaugeMetricFamily(name, about, labels=["actor"])
            for lane, value in zip(self._lanes, values, strict=True):
                gauge.add_metric([str(lane.log)], value)
            yield gauge
        events = CounterMetricFamily("engage_events", "Events by what became of them.", labels=["verdict"])
        for verdict in self._lanes[0].verdicts:
            events.add_metric([verdict], sum(lane.verdicts[verdict] for lane in self._lanes))
        yield events
