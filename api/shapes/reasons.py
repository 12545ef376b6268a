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
from engine.signals import catalogue, names

MOST = 5
_NEGLIGIBLE = 0.05  # log-odds: it moves a risk by about one point of a hundred at most
_FEWEST = 3


class SignalShare(Wire):
    """What one signal has to do with a risk."""

    signal: str = Field(description="Its name in the catalogue.", examples=["silent_days"])
    value: float = Field(description="Of this learner, in its unit.", examples=[4.0])
    unit: str = Field(description="Of the value.", examples=["days"])
    weight: float = Field(description="By how much it moves the risk, in log-odds.", examples=[0.82])


class Reason(Wire):
    """One thing that makes a risk what it is."""

    topic: str = Field(description="What it is about.", examples=["silence"])
    text: str = Field(
        description="The same for people.",
        examples=["Days since the last activity: 4, where 2.1 between active days are usual."],
    )
    effect: Literal["raises", "lowers"] = Field(description="What it does to the risk.", examples=["raises"])
    weight: float = Field(
        description="By how much, in log-odds, against an average learner: the sum over its signals.", examples=[0.64]
    )
    signals: list[SignalShare] = Field(description="The signals that it is made of, the weightiest first.")


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


def plain(unit: str, value: float) -> float:
    """Return a signal's value as people count: ``log days`` becomes days, undoing the logarithm of 1 + the count."""
    return math.expm1(value) if unit.startswith("log ") and unit != "log ratio" else value


def reasons(signals: tuple[str, ...], moved: NDArray[np.float64], all_signals: NDArray[np.float64]) -> list[Reason]:
    """Return what moves one learner's risk most, up or down: three topics at least, and five at most.

    Args:
        signals: names of those that the model reads.
        moved: what each of them adds to the log-odds.
        all_signals: values of all signals of the catalogue, in its order.
    """
    units = {entry.name: entry.unit for entry in catalogue()}
    values = dict(zip(names(), all_signals.tolist(), strict=True))
    shares: dict[str, list[SignalShare]] = {}
    for name, weight in zip(signals, moved.tolist(), strict=True):
        share = SignalShare(signal=name, value=round(values[name], 4), unit=units[name], weight=round(weight, 4))
        shares.setdefault(_topic_of(name), []).append(share)
    weights = {topic: sum(share.weight for share in found) for topic, found in shares.items()}
    strongest = sorted(weights, key=lambda topic: -abs(weights[topic]))[:MOST]
    told = {name: plain(units[name], value) for name, value in values.items()}
    return [
        Reason(
            topic=topic,
            text=_text(topic, told),
            effect="raises" if weights[topic] > 0 else "lowers",
            weight=round(weights[topic], 4),
            signals=sorted(shares[topic], key=lambda share: -abs(share.weight)),
        )
        for place, topic in enumerate(strongest)
        if place < _FEWEST or abs(weights[topic]) >= _NEGLIGIBLE
    ]


def _text(topic: str, values: dict[str, Any]) -> str:
    known = _topics().get(topic)
    if known is not None:
        return known.text.format_map(values)
    entry = next(entry for entry in catalogue() if entry.name == topic)
    return f"{entry.meaning} Here: {values[topic]:.3g}."
