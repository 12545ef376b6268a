"""The catalogue of notification types, read once from ``catalogue.toml``, and the rule of who is eligible for each."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine import bitmaps
from engine.compiled import compiled
from engine.errors import InputError, did_you_mean
from engine.outcomes import ACHIEVEMENT, LEVEL, MILESTONE
from engine.record import NOTIFICATION_TYPES, WORD_DAYS, Records
from engine.rules import Rules

CHANNELS = ("email", "push", "in_app", "sms")
"""Bit k of a consent or of a channel set stands for place k."""

EVENING_MINUTE = 18 * 60
"""Local minute from which evening types are sent, to those who have not been active by then."""

TRIGGERS = {"achievement": 1, "milestone": 2}
"""Bits of the outcomes that a notification may answer."""

_GATE = np.dtype(
    [("from_streak", "<i8"), ("from_silent_days", "<i8"), ("trigger", "<i8"), ("cool_down_days", "<i8")], align=True
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NotificationType(_Strict):
    """One type: its purpose, what is known of its effect, what a send costs, and its gate.

    ``evening``: sent in the evening, to those who have not been active by then. ``operator``: done by a person.
    """

    purpose: str
    evidence: str
    cost: Annotated[float, Field(ge=0)]
    from_streak: Annotated[int, Field(ge=0)] = 0
    from_silent_days: Annotated[int, Field(ge=0)] = 0
    trigger: Literal["achievement", "milestone"] | None = None
    evening: bool = False
    operator: bool = False
    cool_down_days: Annotated[int, Field(ge=1)]


class Caps(_Strict):
    """The frequency cap over all campaigns."""

    per_day: Literal[1]
    per_week: Annotated[int, Field(ge=1, le=7)]


_Channel = Literal["email", "push", "in_app", "sms"]


class Emergency(_Strict):
    """Further channels of learners whose risk rose at least so much since the day before, up to a band."""

    band: str
    risen_by: Annotated[float, Field(gt=0, le=100)]
    channels: tuple[_Channel, ...]


class Catalogue(_Strict):
    """All notification types, the cap over them and the channels by band."""

    limits: Caps
    channels: dict[str, tuple[_Channel, ...]]
    emergency: Emergency
    types: Annotated[dict[str, NotificationType], Field(max_length=NOTIFICATION_TYPES)]

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the types; a type's code is its place."""
        return tuple(self.types)

    @functools.cached_property
    def gates(self) -> NDArray[Any]:
        """The gates for compiled code, by code."""
        gates = np.zeros(len(self.types), _GATE)
        for code, entry in enumerate(self.types.values()):
            trigger = TRIGGERS[entry.trigger] if entry.trigger else 0
            gates[code] = (entry.from_streak, entry.from_silent_days, trigger, entry.cool_down_days)
        return gates

    @functools.cached_property
    def evening(self) -> NDArray[np.bool_]:
        """Whether each type waits for the evening, by code."""
        return np.array([entry.evening for entry in self.types.values()])

    @functools.cached_property
    def triggered_bits(self) -> int:
        """The types that wait for something to happen, bits by code."""
        return sum(1 << code for code, entry in enumerate(self.types.values()) if entry.trigger)

    def code(self, name: str) -> int:
        """Return the code of a type, or refuse an unknown name with the nearest one."""
        if name not in self.types:
            raise InputError("notification", repr(name), "a type of the catalogue", did_you_mean(name, self.types))
        return self.names.index(name)

    def channel_bits(self, rules: Rules) -> NDArray[np.uint8]:
        """Return the channels of each standing: the bands in the rules' order, then the standings beyond them."""
        bits = [channel_set(self.channels[band.name]) for band in rules.bands]
        return np.array([*bits, bits[-1], bits[-1]], np.uint8)

    @property
    def emergency_bits(self) -> dict[str, int]:
        """The further channels of an emergency, each with its bit."""
        return {name: channel_set([name]) for name in self.emergency.channels}

    def is_emergency(self, rules: Rules, standing: NDArray[np.uint8], risen: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return who may be reached by the channels of an emergency, too, if the learner has allowed them expressly.

        Args:
            rules: of the product.
            standing: of each learner.
            risen: points of risk since the day before; NaN = not known.
        """
        code = [band.name for band in rules.bands].index(self.emergency.band)
        found: NDArray[np.bool_] = (standing == code) & (risen >= self.emergency.risen_by)
        return found


def channel_set(names: Iterable[str]) -> int:
    """Return channels as bits."""
    return sum(1 << CHANNELS.index(name) for name in names)


def channel_names(bits: int) -> list[str]:
    """Return the names of channels, in order."""
    return [name for place, name in enumerate(CHANNELS) if bits >> place & 1]


@functools.cache
def catalogue() -> Catalogue:
    """Return the catalogue."""
    return Catalogue.model_validate(tomllib.loads(Path(__file__).with_suffix(".toml").read_text()))


@compiled
def sends_of_week(r: Any, day: int) -> int:
    """Return the days with a send among the 7 days that end with ``day``."""
    ago = day - int(r["sent_day"])
    if ago >= 7:
        return 0
    return bitmaps.count(int(r["sent_bits"]) & ((1 << (7 - ago)) - 1))


@compiled
def eligible(records: Any, day: int, gates: Any, per_week: int, triggers: Any, out: Any) -> None:
    """Write the set of types that each learner may be sent on ``day``: gate, cool-down, frequency cap, any consent.

    Args:
        records: rows of `LEARNER` whose today is ``day``, nothing of it having happened.
        day: the local day.
        gates: from `Catalogue.gates`.
        per_week: the cap.
        triggers: bits of `TRIGGERS` for each learner, from the outcomes of the day before.
        out: uint16 bits by type, written here.
    """
    for i in range(len(records)):
        r = records[i]
        out[i] = 0
        if int(r["sent_day"]) >= day or int(r["consent"]) == 0 or sends_of_week(r, day) >= per_week:
            continue
        silent = bitmaps.newest(bitmaps.window(r["active_bits"], day - 1))
        allowed = 0
        for code in range(len(gates)):
            gate = gates[code]
            wanted = int(gate["trigger"])
            last = int(r["sent_days"][code])
            if (
                silent >= int(gate["from_silent_days"])
                and int(r["view"]["streak"]) >= int(gate["from_streak"])
                and (wanted == 0 or int(triggers[i]) & wanted != 0)
                and (last == 0 or day - last >= int(gate["cool_down_days"]))
            ):
                allowed |= 1 << code
        out[i] = allowed


@compiled
def mark_sent(records: Any, day: int, kinds: Any) -> None:
    """Enter the day's sends into the records; a negative kind is none."""
    for i in range(len(kinds)):
        kind = int(kinds[i])
        if kind < 0:
            continue
        r = records[i]
        ago = day - int(r["sent_day"])
        kept = int(r["sent_bits"]) << ago if ago < WORD_DAYS else 0
        r["sent_bits"] = (kept & ((1 << WORD_DAYS) - 1)) | 1
        r["sent_day"] = day
        r["sent_counts"][kind] = min(int(r["sent_counts"][kind]) + 1, 65_535)
        r["sent_days"][kind] = day


def triggers_of(outcomes: NDArray[Any], records: Records) -> NDArray[np.uint8]:
    """Return for each record the bits of `TRIGGERS` that the outcomes set."""
    triggers = np.zeros(len(records), np.uint8)
    kinds = outcomes["kind"]
    triggers[outcomes["learner"][kinds == ACHIEVEMENT]] |= TRIGGERS["achievement"]
    triggers[outcomes["learner"][(kinds == MILESTONE) | (kinds == LEVEL)]] |= TRIGGERS["milestone"]
    return triggers
