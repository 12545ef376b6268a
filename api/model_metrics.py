"""What Prometheus is told of the risk model: which one scores, how far signals drifted, how its risks came true."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.drifting import Drifting
from engine import calendar
from engine.risk.model import RiskModel

_DAY_S = calendar.MS_PER_DAY / 1000
_MATURED = {
    "risks": "Risks that a model told three to five weeks ago of which it is known what came.",
    "said": "Their mean probability of drop-off, as it was said.",
    "base_rate": "Share of them that dropped off.",
    "calibration_slope": "Of what was said against what came; 1 = as spread as it should be.",
    "brier": "Mean squared error of what was said.",
    "auc": "How well what was said ranked what came.",
}


class ModelMetrics(Collector):
    """Tells what the newest report on drift says.

    Args:
        drifting: makes the reports.
        model: says which model scores.
    """

    def __init__(self, drifting: Drifting, model: Callable[[], RiskModel]) -> None:
        self._drifting, self._model = drifting, model

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they stand."""
        return list(self._families())

    def _families(self) -> Iterator[Metric]:
        scores = GaugeMetricFamily("engage_risk_model", "The model that scores.", labels=["version"])
        scores.add_metric([self._model().version], 1)
        yield scores
        drift = GaugeMetricFamily(
            "engage_signal_drift_psi",
            "Population stability index of a signal against the model's training; above 0.25 = another population.",
            labels=["signal"],
        )
        for name, index in self._drifting.newest.get("psi", {}).items():
            drift.add_metric([name], index)
        yield drift
        for name, about in _MATURED.items():
            matured = GaugeMetricFamily(f"engage_risk_matured_{name}", about, labels=["version"])
            for version, figures in (self._drifting.newest.get("matured") or {}).items():
                if figures[name] is not None:
                    matured.add_metric([version], figures[name])
            yield matured
        if period := self._drifting.newest.get("period"):
            day = calendar.day_number(date.fromisoformat(period))
            about = "Day of the report that tells of drift and matured risks: its midnight, UTC, in Unix time."
            yield GaugeMetricFamily("engage_drift_report_timestamp_seconds", about, value=day * _DAY_S)
