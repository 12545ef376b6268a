"""Responses to messages and streaks: published effects, their ranges, and one draw of them a replication."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from engine.chance import PURPOSE_RESPONSE, uniforms
from engine.errors import InputError, did_you_mean
from engine.notifications.catalogue import catalogue
from engine.record import NOTIFICATION_TYPES
from simulation.parameters import Parameter, Strict, load

DEFAULT_FILE = Path(__file__).with_name("responses.toml")
PROFILES = ("intermediate", "heavy", "own_sign")
"""Who gains: most at intermediate propensity; more the higher it is; a personal effect of either sign."""
_NOBODY = 0xFFFF_FFFF  # the learner number of no learner: what is drawn for a whole replication

_BY_TYPE = {
    "delta": 0.0,  # log-odds of activity on the first day
    "window_days": 1.0,  # days on which it works
    "half_life_days": 0.0,  # of its fading within the window; 0 = it does not fade
    "hazard": 1.0,  # multiplier of the drop-out hazard
    "hazard_days": 0.0,
    "volume": 0.0,  # relative gain of events and units on active days
    "reach": 1.0,  # share of messages that reach the learner
    "conversion": 0.0,  # chance that a learner who does not pay begins to
    "bottom_third": 0.0,  # delta of the lowest third by propensity (own_sign)
    "person_sd": 0.0,  # spread of delta between learners (own_sign)
}
_COMMON = (
    "scale_up",
    "recovery_gamma",
    "recovery_half_life_days",
    "fatigue_half_life_days",
    "kappa",
    "eta",
    "opt_out",
    "opt_out_slope",
    "opt_out_free_sends",
    "streak",
    "streak_full_days",
    "broken",
    "broken_days",
    "broken_from_days",
    "broken_repaired",
)
_NEUTRAL = dict.fromkeys(("kappa", "eta", "opt_out", "streak", "broken"), 0.0)

RESPONSE = np.dtype(
    [(name, "<f8", (NOTIFICATION_TYPES,)) for name in _BY_TYPE]
    + [("profile", "<i8", (NOTIFICATION_TYPES,)), ("payers_only", "<i8", (NOTIFICATION_TYPES,))]
    + [("from_streak", "<i8", (NOTIFICATION_TYPES,))]
    + [(name, "<f8") for name in _COMMON]
)
"""The responses as compiled code sees them; sizes by type are already scaled up."""


class TypeResponse(Strict):
    """The response to one type of message; an entry left out does nothing."""

    basis: str
    shrink: Literal["academic", "production"]
    profile: Literal["intermediate", "heavy", "own_sign"] = "intermediate"
    payers_only: bool = False
    from_streak: int = 0
    delta: Parameter
    window_days: Parameter
    half_life_days: Parameter | None = None
    hazard: Parameter | None = None
    hazard_days: Parameter | None = None
    volume: Parameter | None = None
    reach: Parameter | None = None
    conversion: Parameter | None = None
    bottom_third: Parameter | None = None
    person_sd: Parameter | None = None


class Common(Strict):
    """What holds for all types, and for streaks."""

    scale_up: Parameter
    recovery_gamma: Parameter
    recovery_half_life_days: Parameter
    fatigue_half_life_days: Parameter
    kappa: Parameter
    eta: Parameter
    opt_out: Parameter
    opt_out_slope: Parameter
    opt_out_free_sends: Parameter
    streak: Parameter
    streak_full_days: Parameter
    broken: Parameter
    broken_days: Parameter
    broken_from_days: Parameter
    broken_repaired: Parameter


class Responses(Strict):
    """All responses with their ranges, validated."""

    common: Common
    types: dict[str, TypeResponse]

    @model_validator(mode="after")
    def _check(self) -> Responses:
        common = self.common
        halves = (
            common.recovery_half_life_days,
            common.fatigue_half_life_days,
            common.streak_full_days,
            common.broken_days,
        )
        if any(entry.low <= 0 for entry in halves) or common.scale_up.low <= 0:
            raise ValueError("half-lives, days and scale_up above 0")
        return self

    def parameters(self) -> dict[str, Parameter]:
        """Return every parameter by its place in the file, such as ``types.gentle_reminder.delta``."""
        found = {f"common.{name}": getattr(self.common, name) for name in _COMMON}
        for kind, entry in self.types.items():
            entries = {name: getattr(entry, name) for name in _BY_TYPE}
            found |= {f"types.{kind}.{name}": value for name, value in entries.items() if value is not None}
        return found


@dataclass(frozen=True)
class ResponseDraw:
    """One value for every response parameter.

    Args:
        responses: what they were drawn from.
        values: by place in the file.
    """

    responses: Responses
    values: dict[str, float]

    def describe(self) -> dict[str, float]:
        """Return the values by place in the file, to be recorded with the results."""
        return dict(self.values)

    def record(self) -> Any:
        """Return one row of `RESPONSE`; effects of academic studies are scaled by ``scale_up``."""
        record = np.zeros(1, RESPONSE)[0]
        for name in _COMMON:
            record[name] = self.values[f"common.{name}"]
        for name, neutral in _BY_TYPE.items():
            record[name] = neutral
        for kind, entry in self.responses.types.items():
            code = catalogue().code(kind)
            scale = self.values["common.scale_up"] if entry.shrink == "academic" else 1.0
            for name, neutral in _BY_TYPE.items():
                value = self.values.get(f"types.{kind}.{name}", neutral)
                if name in ("delta", "volume", "bottom_third", "person_sd"):
                    value *= scale
                elif name == "hazard":
                    value = value**scale
                record[name][code] = value
            record["profile"][code] = PROFILES.index(entry.profile)
            record["payers_only"][code], record["from_streak"][code] = entry.payers_only, entry.from_streak
        return record


def load_responses(path: Path = DEFAULT_FILE) -> Responses:
    """Return the responses of a file; the default has the published ones.

    Raises:
        InputError: an entry that is unknown or out of range, or a type that the catalogue does not have.
    """
    responses = load(path, Responses)
    known = catalogue().types
    for kind in responses.types:
        if kind not in known:
            raise InputError(
                f"{path}: types.{kind}", "an unknown type", "a notification type", did_you_mean(kind, known)
            )
    for kind in known:
        if kind not in responses.types:
            raise InputError(
                f"{path}: types.{kind}", "nothing", "the response to this type", "Add it, with delta 0 if none."
            )
    return responses


def centre(responses: Responses) -> ResponseDraw:
    """Return the published values."""
    return ResponseDraw(responses, {place: entry.value for place, entry in responses.parameters().items()})


def off(responses: Responses) -> ResponseDraw:
    """Return no response at all, to messages or streaks: the negative control."""
    values = {}
    for place, entry in responses.parameters().items():
        section, name = place.split(".")[0], place.rpartition(".")[2]
        neutral = {"hazard": 1.0, "delta": 0.0, "volume": 0.0, "conversion": 0.0, "bottom_third": 0.0, "person_sd": 0.0}
        values[place] = (neutral if section == "types" else _NEUTRAL).get(name, entry.value)
    return ResponseDraw(responses, values)


def draw(responses: Responses, stream: int) -> ResponseDraw:
    """Draw every parameter from its range, once for a replication: what is uncertain is drawn, not assumed.

    The distribution is triangular over low ... high with its mode at the published value: it needs no more than the
    three published numbers. ``scale_up``, a factor whose candidates 0.10, 0.24 and 1 lie evenly on a logarithmic scale
    only, is triangular in its logarithm. A parameter's luck depends on its place in the file alone, so a new one moves
    no other.

    Args:
        responses: the ranges.
        stream: from `engine.chance.stream`.
    """
    values = {}
    for place, entry in responses.parameters().items():
        luck = uniforms(stream, _NOBODY, 0, PURPOSE_RESPONSE, zlib.crc32(place.encode()))[0]
        if place == "common.scale_up":
            values[place] = math.exp(triangular(luck, math.log(entry.low), math.log(entry.value), math.log(entry.high)))
        else:
            values[place] = triangular(luck, entry.low, entry.value, entry.high)
    return ResponseDraw(responses, values)


def triangular(luck: float, low: float, mode: float, high: float) -> float:
    """Return the quantile of the triangular distribution."""
    if high <= low:
        return mode
    split = (mode - low) / (high - low)
    if luck < split:
        return low + math.sqrt(luck * (high - low) * (mode - low))
    return high - math.sqrt((1.0 - luck) * (high - low) * (high - mode))
