"""Placing: what of all campaigns' candidates one learner is sent on a local day, and at which minute.

Best hour, quiet hours and caps are solved together. Candidates are taken by priority, and each gets the best moment
that is open to it. That is no makeshift: two may share a moment, so candidates meet only in the caps and in each type's
cool-down. The sets which these allow are the independent sets of a matroid (at most one of each type, at most so many
in all), where taking the highest first finds the best set (Edmonds 1971). A candidate without a moment takes nothing
from the others, and one that is added changes nothing for those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from engine.calendar import MS_PER_DAY, MS_PER_MINUTE, ZoneTable, local
from engine.errors import InputError
from engine.notifications.best_hour import HOURS
from engine.notifications.catalogue import EVENING_MINUTE, catalogue
from engine.notifications.quiet_hours import MINUTES

Reason = Literal[
    "no channel consent",  # the learner allows none of its channels
    "cool-down",  # its type was sent a short while ago, or is sent today with a higher priority
    "no such time",  # the clock shows no minute of its window that day
    "quiet hours",  # they cover its window
    "too late",  # what they leave of its window has passed
    "weekly cap",
    "daily cap",
]
"""Why a candidate is dropped; the first that holds is told, a candidate's own reasons before those it shares."""

REASONS: tuple[Reason, ...] = get_args(Reason)
"""All of them, in that order."""


@dataclass(frozen=True)
class Candidate:
    """What a campaign would send a learner today.

    Args:
        id: of the send, unique among the learner's candidates; decides between equal priorities.
        type: of the catalogue; evening types wait for the evening by themselves.
        priority: the higher goes first.
        channels: that the campaign would use, bits of `engine.notifications.catalogue.CHANNELS`.
        earliest_minute: first local minute at which it may be sent, 0-1439.
        latest_minute: last local minute at which it may be sent, 0-1439.

    Raises:
        InputError: the type is unknown, or the minutes are none of a day or out of order.
    """

    id: str
    type: str
    priority: int
    channels: int
    earliest_minute: int = 0
    latest_minute: int = MINUTES - 1

    def __post_init__(self) -> None:
        catalogue().code(self.type)
        if not 0 <= self.earliest_minute <= self.latest_minute < MINUTES:
            got = f"minutes {self.earliest_minute} to {self.latest_minute}"
            raise InputError(f"candidate {self.id!r}", got, f"0 <= earliest <= latest <= {MINUTES - 1}")


@dataclass(frozen=True)
class Attention:
    """What one learner can be asked to notice today: one budget for all campaigns.

    Args:
        hours: score of each local hour, a row of `engine.notifications.best_hour.hour_scores`, shape (24,).
        quiet: from `engine.notifications.quiet_hours.quiet_minutes`, shape (1440,).
        consent: channels that the learner allows, bits of `engine.notifications.catalogue.CHANNELS`.
        rested_days: since each type was last sent, by code; shape (types or more,).
        left_today: sends that the daily cap leaves, 0 or more.
        left_this_week: sends that the weekly cap leaves, 0 or more.

    Raises:
        InputError: a shape is wrong, a score is no number, or a cap is negative.
    """

    hours: NDArray[np.float64]
    quiet: NDArray[np.bool_]
    consent: int
    rested_days: NDArray[np.integer]
    left_today: int
    left_this_week: int

    def __post_init__(self) -> None:
        if self.hours.shape != (HOURS,) or not np.isfinite(self.hours).all():
            raise InputError("scores by hour", str(self.hours), "24 numbers")
        if self.quiet.shape != (MINUTES,):
            raise InputError("quiet minutes", f"shape {self.quiet.shape}", f"({MINUTES},)")
        if len(self.rested_days) < len(catalogue().names):
            raise InputError("days of rest", f"{len(self.rested_days)} types", f"{len(catalogue().names)} or more")
        if min(self.left_today, self.left_this_week) < 0:
            raise InputError("sends left", f"{self.left_today} and {self.left_this_week}", "0 or more")


@dataclass(frozen=True)
class Placed:
    """A candidate that is sent.

    Args:
        candidate: what.
        minute: of the learner's local day, 0-1439.
        at_ms: UTC instant at which it begins.
    """

    candidate: Candidate
    minute: int
    at_ms: int


@dataclass(frozen=True)
class Dropped:
    """A candidate that is not sent, now or later, and why."""

    candidate: Candidate
    reason: Reason


Fate = Placed | Dropped


@dataclass(frozen=True)
class _Clock:
    """The minutes that a clock shows in one local day, in the order of time: some twice, some not at all."""

    at_ms: NDArray[np.int64]
    minutes: NDArray[np.int16]


@lru_cache(maxsize=1_024)  # all learners of a zone share its days
def _clock(table: ZoneTable, day: int) -> _Clock:
    """Return the clock of a local day: each minute at each offset of the zone, where that is when it begins."""
    offsets = np.unique(table.offsets_ms)
    minutes = np.tile(np.arange(MINUTES), len(offsets))
    # A record's day is an int32, too narrow for milliseconds.
    instants = int(day) * MS_PER_DAY + minutes * MS_PER_MINUTE - np.repeat(offsets, MINUTES)
    shown_day, shown = local(instants, table)
    real = np.flatnonzero((shown_day == day) & (shown == minutes))
    in_time = real[np.argsort(instants[real])]
    return _Clock(instants[in_time], shown[in_time])


def place(candidates: Sequence[Candidate], attention: Attention, day: int, table: ZoneTable, now_ms: int) -> list[Fate]:
    """Return what becomes of each candidate, in their order: highest priority first, then the best hour for it.

    The order of the candidates means nothing otherwise. Nothing is sent late or on another day: what cannot be placed
    is dropped. Of equally good minutes the earliest is taken.

    Args:
        candidates: of all campaigns for one learner and day.
        attention: the learner's.
        day: the local day.
        table: the learner's zone.
        now_ms: UTC instant; earlier ones cannot be used.

    Raises:
        InputError: two candidates have one id.
    """
    fates: dict[str, Fate] = {}
    types: set[str] = set()  # sent so far, each once: no cool-down is shorter than a day
    clock = _clock(table, day)
    for candidate in sorted(candidates, key=lambda each: (-each.priority, each.id)):
        if candidate.id in fates:
            raise InputError("candidates", f"{candidate.id!r} twice", "an id of its own for each")
        found = _own_reason(candidate, attention) or _moment(candidate, attention, clock, now_ms)
        if not isinstance(found, str):
            found = _shared_reason(candidate, attention, types) or found
        if isinstance(found, str):
            fates[candidate.id] = Dropped(candidate, found)
        else:
            types.add(candidate.type)
            fates[candidate.id] = Placed(candidate, int(clock.minutes[found]), int(clock.at_ms[found]))
    return [fates[candidate.id] for candidate in candidates]


def _own_reason(candidate: Candidate, attention: Attention) -> Reason | None:
    """Return why the learner may not be sent this at any time of the day, were it the only candidate."""
    code = catalogue().code(candidate.type)
    if not candidate.channels & attention.consent:
        return "no channel consent"
    if attention.rested_days[code] < catalogue().types[candidate.type].cool_down_days:
        return "cool-down"
    return None


def _moment(candidate: Candidate, attention: Attention, clock: _Clock, now_ms: int) -> int | Reason:
    """Return the place on the clock of the best moment that is open to a candidate, or why there is none."""
    evening = catalogue().types[candidate.type].evening
    earliest = max(candidate.earliest_minute, EVENING_MINUTE if evening else 0)
    window = np.flatnonzero((clock.minutes >= earliest) & (clock.minutes <= candidate.latest_minute))
    if not len(window):
        return "no such time"
    loud = window[~attention.quiet[clock.minutes[window]]]
    if not len(loud):
        return "quiet hours"
    ahead = loud[clock.at_ms[loud] >= now_ms]
    if not len(ahead):
        return "too late"
    return int(ahead[np.argmax(attention.hours[clock.minutes[ahead] // 60])])


def _shared_reason(candidate: Candidate, attention: Attention, types: set[str]) -> Reason | None:
    """Return why a candidate that has its moment gives way to those before it, or to those of days before."""
    if candidate.type in types:
        return "cool-down"
    if len(types) >= attention.left_this_week:
        return "weekly cap"
    if len(types) >= attention.left_today:
        return "daily cap"
    return None


def sends_by_hour(fates: Sequence[Fate]) -> dict[str, list[int]]:
    """Return how many sends of each type fall in each local hour, 24 counts: what a campaign's preview shows."""
    counts = {name: [0] * HOURS for name in catalogue().names}
    for fate in fates:
        if isinstance(fate, Placed):
            counts[fate.candidate.type][fate.minute // 60] += 1
    return counts
