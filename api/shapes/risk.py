"""Risk of drop-off now, computed from copies of the records: nobody has to wait for the actor to score them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pydantic import Field

from actors.views import LearnerView
from api.shapes.interventions import Intervention, Treatment, eligible, interventions
from api.shapes.reasons import Reason, reasons
from api.shapes.today import on_today
from api.wire import Wire
from engine.notifications import catalogue as notifications
from engine.risk.dropoff import STANDINGS, silent_days_of, standing_names, standings
from engine.risk.model import RiskModel
from engine.rules import Rules
from engine.signals import compute, names

BAND = (
    f"The band that the risk falls in; or {' or '.join(STANDINGS)}, which have no risk: a learner silent for 14 days,"
    " and one without an active day."
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SILENT_DAYS = "Days without activity that are over, 56 at most; null before the first active day."


class RiskState(Wire):
    """How likely a learner is to drop off: to begin 14 silent days within the next 7."""

    user_id: str = Field(description="The learner.", examples=["u-17"])
    drop_off_risk: float | None = Field(
        description="Calibrated probability in percent, 0-100; null outside the bands.", examples=[72.4]
    )
    band: str = Field(description=BAND, examples=["high"])
    confidence: float | None = Field(
        description="0-100: how narrow the probability's interval is; null without a risk.", examples=[98.6]
    )
    silent_days: int | None = Field(description=SILENT_DAYS, examples=[4])
    last_active_at: datetime | None = Field(
        description="The last action that counted.", examples=["2026-11-22T18:30:00Z"]
    )
    reasons: list[Reason] = Field(description="What moves the risk most, up or down; the weightiest first.")
    interventions: list[Intervention] = Field(
        description="What each campaign would choose now, the highest priority first; one at most is sent a day."
    )
    eligible: list[str] = Field(
        description="All types of notification that may be sent today, by gates, cool-downs and the frequency cap.",
        examples=[["gentle_reminder", "personalised_content"]],
    )
    model_version: str = Field(description="Of the risk model.", examples=["6ef0c1d2a8b94f35"])


class Risks:
    """Scores learners, and says why.

    Args:
        rules: of the product.
        model: for scoring.
        treatments: returns how campaigns treat a learner.
    """

    def __init__(self, rules: Rules, model: RiskModel, treatments: Callable[[str], list[Treatment]]) -> None:
        self._rules, self._model, self._treatments = rules, model, treatments
        self._columns = [names().index(name) for name in model.signals]
        self._standings = standing_names(rules)

    def states(self, user_ids: Sequence[str], views: Sequence[LearnerView]) -> list[RiskState]:
        """Return learners' risk as of now.

        Args:
            user_ids: of the learners.
            views: theirs.
        """
        if not views:
            return []
        records = on_today(views, self._rules)
        unscored = np.full(len(records), np.nan)
        scored = np.flatnonzero(standings(records, unscored, self._rules) < len(self._rules.bands))
        signals = compute(records, scored)
        matrix = signals[:, self._columns]
        scores = np.full((len(records), 2), np.nan)
        scores[scored] = self._model.score(matrix)
        codes = standings(records, scores[:, 0].copy(), self._rules)
        why = dict(zip(scored.tolist(), reasons(self._model, matrix, signals), strict=True))
        kinds = notifications.catalogue()
        states = []
        for place, (user_id, view) in enumerate(zip(user_ids, views, strict=True)):
            record, code = records[place : place + 1], int(codes[place])
            risk, confidence = scores[place].tolist()
            allowed = eligible(record, view.day, view.triggers)
            states.append(
                RiskState(
                    user_id=user_id,
                    drop_off_risk=rounded(risk),
                    band=self._standings[code],
                    confidence=rounded(confidence),
                    silent_days=silent_days(record[0]),
                    last_active_at=instant(int(record["view"]["last_ms"][0])),
                    reasons=why.get(place, []),
                    interventions=interventions(
                        self._treatments(user_id), self._rules, view, record, risk, code, allowed
                    ),
                    eligible=[name for bit, name in enumerate(kinds.names) if allowed >> bit & 1],
                    model_version=self._model.version,
                )
            )
        return states


def rounded(value: float) -> float | None:
    """Return a score as it is told, None = there is none; downwards, so that it never reaches another band."""
    return None if math.isnan(value) else math.floor(100 * value) / 100


def silent_days(record: Any) -> int | None:
    """Return a learner's silent days, None = never active."""
    return int(silent_days_of(record)) if int(record["active_days"]) else None


def instant(at_ms: int) -> datetime | None:
    """Return an instant, None = never."""
    return _EPOCH + timedelta(milliseconds=at_ms) if at_ms else None
