"""Reasons: why a risk is what it is, from what each signal adds to it, in words that a tutor reads."""

from __future__ import annotations

import functools
import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from api.wire import Wire
from engine.risk.model import RiskModel
from engine.signals import catalogue, names
from engine.signals.recency import LONGEST_DAYS

MOST = 5
_NEGLIGIBLE = 0.05  # log-odds: it moves a risk by about one point of a hundred at most
_FEWEST = 3


class SignalShare(Wire):
    """What one signal has to do with a risk."""

    signal: str = Field(description="Its name in the catalogue.", examples=["silent_days"])
    value: float = Field(description="Of this learner, in its unit.", examples=[4.0])
    unit: str = Field(description="Of the value.", examples=["days"])
    weight: float = Field(
        description="By how much it alone moves the risk, in log-odds, against a typical learner's.", examples=[0.82]
    )


class Reason(Wire):
    """One thing that makes a risk what it is."""

    topic: str = Field(description="What it is about.", examples=["silence"])
    text: str = Field(
        description="The same for people.",
        examples=["Days since the last activity: 4, where 2.1 between active days are usual."],
    )
    effect: Literal["raises", "lowers"] = Field(description="What it does to the risk.", examples=["raises"])
    weight: float = Field(
        description="By how much its signals together move the risk, in log-odds, against a typical learner's.",
        examples=[0.64],
    )
    signals: list[SignalShare] = Field(
        description="Its weightiest signals, five at most; what they do together need not be their sum."
    )


class _Topic(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    signals: Annotated[tuple[str, ...], Field(min_length=1)]


@functools.cache
def _topics() -> dict[str, _Topic]:
    told = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return {name: _Topic.model_validate(entry) for name, entry in told.items()}


@functools.cache
def _topic_of(signal: str) -> str:
    return next((name for name, topic in _topics().items() if signal in topic.signals), signal)


class _Never(float):
    """Days since something that never happened."""

    def __format__(self, _format: str) -> str:
        return "never"


def plain(unit: str, value: float) -> float:
    """Return a signal's value as people count: ``log days`` becomes days, undoing the logarithm of 1 + the count."""
    if unit == "days" and value >= LONGEST_DAYS:
        return _Never(value)
    return math.expm1(value) if unit.startswith("log ") and unit != "log ratio" else value


def reasons(model: RiskModel, matrix: NDArray[np.float64], all_signals: NDArray[np.float64]) -> list[list[Reason]]:
    """Return what moves each learner's risk most, up or down: three topics at least, and five at most.

    Args:
        model: that scores them.
        matrix: a row for each learner, signals as the model reads them.
        all_signals: likewise, all signals of the catalogue, in its order.
    """
    topics: dict[str, list[str]] = {}
    for name in model.signals:
        topics.setdefault(_topic_of(name), []).append(name)
    by_topic = model.contributions(matrix, list(topics.values()))
    by_signal = model.contributions(matrix, [[name] for name in model.signals])
    told = zip(by_topic.tolist(), by_signal.tolist(), all_signals.tolist(), strict=True)
    return [_of_one(topics, model.signals, *each) for each in told]


def _of_one(
    topics: dict[str, list[str]], signals: tuple[str, ...], topic_weights: list[float], weights: list[float],
    all_signals: list[float],
) -> list[Reason]:  # fmt: skip
    units = {entry.name: entry.unit for entry in catalogue()}
    values = dict(zip(names(), all_signals, strict=True))
    weight_of = dict(zip(topics, topic_weights, strict=True))
    share_of = {
        name: SignalShare(signal=name, value=round(values[name], 4), unit=units[name], weight=round(weight, 4))
        for name, weight in zip(signals, weights, strict=True)
    }
    told = {name: plain(units[name], value) for name, value in values.items()}
    strongest = sorted(weight_of, key=lambda topic: -abs(weight_of[topic]))[:MOST]
    return [
        Reason(
            topic=topic,
            text=_text(topic, told),
            effect="raises" if weight_of[topic] > 0 else "lowers",
            weight=round(weight_of[topic], 4),
            signals=sorted((share_of[name] for name in topics[topic]), key=lambda share: -abs(share.weight))[:MOST],
        )
        for place, topic in enumerate(strongest)
        if place < _FEWEST or abs(weight_of[topic]) >= _NEGLIGIBLE
    ]


def _text(topic: str, values: dict[str, Any]) -> str:
    known = _topics().get(topic)
    if known is not None:
        return known.text.format_map(values)
    entry = next(entry for entry in catalogue() if entry.name == topic)
    return f"{entry.meaning} Here: {values[topic]:.3g}."
