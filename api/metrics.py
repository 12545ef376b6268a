"""What Prometheus is told of requests: how many, how they ended, how long they took, by route and never by person."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram

from api.exchange import Exchange

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_NO_ROUTE = ("other", "none")  # whatever strangers ask for: their inventions must not become time series


class HttpMetrics:
    """Counts answers.

    Args:
        registry: where they can be read.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "engage_http_answers", "Answers by route and status.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "engage_http_seconds",
            "Time from a request's headers to the end of its answer.",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        # prometheus_client finds a series by its labels anew each time; that takes longer than counting.
        self._known: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def observe(self, known: Exchange, method: str, seconds: float) -> None:
        """Count one answer."""
        key = (method, known.template, known.status)
        count, measure = self._known.get(key) or self._series(key)
        count()
        measure(seconds)

    def _series(self, key: tuple[str, str, int]) -> tuple[Callable[[], None], Callable[[float], None]]:
        method, template, status = key
        method, route = (method, template) if template else _NO_ROUTE
        series = self._answers.labels(method, route, str(status)).inc, self._seconds.labels(method, route).observe
        if template:
            self._known[key] = series
        return series
