"""Risk models for tests."""

from __future__ import annotations

from dataclasses import replace

from engine.risk import model as risk_model
from engine.risk.model import RiskModel

MODEL = risk_model.load()


def another(share: float = 0.5) -> RiskModel:
    """Return a model of other numbers: its risks are a share of the packaged one's."""
    table = MODEL.calibration
    return replace(MODEL, calibration=replace(table, low=table.low * share, p=table.p * share, high=table.high * share))
