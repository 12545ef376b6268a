"""Populations: who the synthetic learners are, as validated parameters with a source beside every one.

A population is a TOML file; `names` lists the shipped ones. Compiled code gets the same numbers as one record.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from engine import calendar
from engine.errors import InputError, did_you_mean
from engine.rules import Rules
from simulation.parameters import Parameter, Strict, load, validate

FOLDER = Path(__file__).with_name("populations")
MAX_ZONES = 32
MIX_SIZE = 256
MOST_EVENTS = 1_000  # a day's events, so that their ordinals fit the event id


class Activity(Strict):
    """Log-odds of being active on a day: mu + sigma z + b1 (active yesterday) + b2 (share of days t-2 ... t-7) + ..."""

    mu: Parameter
    sigma: Parameter
    b1: Parameter
    b2: Parameter
    weekend: Parameter
    opening: Parameter
    opening_half_life_days: Parameter
    deadline: Parameter
    deadline_every_days: Parameter
    deadline_span_days: Parameter


class DropOut(Strict):
    """Daily hazard of stopping, expit(c0 + c1 z + c2 ln(1 + days since start)), and the daily chance of coming back."""

    c0: Parameter
    c1: Parameter
    c2: Parameter
    return_rate: Parameter


class Start(Strict):
    """Shares of the registered who never start and, of the others, who start on the first day or a later one."""

    never_starts: Parameter
    starts_first_day: Parameter
    starts_later_rate: Parameter


class Volume(Strict):
    """What an active day holds: events are log-normal, sessions 1 + Poisson, units Poisson."""

    events_median: Parameter
    events_log_sd: Parameter
    events_cap: Parameter
    extra_sessions: Parameter
    gap_seconds: Parameter
    units_a_day: Parameter


class Course(Strict):
    """A course is done when its units are; a learner stops after the last one.

    ``release_days``: days between the release of modules; 0 = all at once.
    """

    units: Parameter
    module_units: Parameter
    release_days: Parameter
    courses: Parameter


class Hours(Strict):
    """Local minute of a day's first activity: a personal peak and the spread around it, in minutes."""

    peak_minute: Parameter
    peak_sd_minutes: Parameter
    hour_scale_minutes: Parameter


class OptIn(Strict):
    """Share of learners who allow each channel."""

    email: Parameter
    push: Parameter
    in_app: Parameter
    sms: Parameter


class Person(Strict):
    """Other traits: share who pay, and quiz scores from floor to floor + by propensity + by luck, at most 1."""

    payers: Parameter
    quiz_floor: Parameter
    quiz_by_propensity: Parameter
    quiz_by_luck: Parameter


class Zone(Strict):
    """A time zone, its share of learners, and the locale of their personas."""

    name: str
    locale: str
    share: Parameter


SECTIONS: dict[str, type[Strict]] = {
    "activity": Activity,
    "drop_out": DropOut,
    "start": Start,
    "volume": Volume,
    "course": Course,
    "hours": Hours,
    "opt_in": OptIn,
    "person": Person,
}
_SCALARS = tuple(name for section in SECTIONS.values() for name in section.model_fields)
_ACTIONS = (
    "daily_login",
    "course_enrol",
    "lesson_start",
    "lesson_complete",
    "module_complete",
    "course_complete",
    "quiz_start",
    "quiz_complete",
    "video_watch",
)
POPULATION = np.dtype(
    [(name, "<f8") for name in _SCALARS]
    + [("zone_ends", "<f8", (MAX_ZONES,)), ("mix", "<i8", (MIX_SIZE,)), ("log_events_median", "<f8")]
    + [(name, "<i8") for name in _ACTIONS]
)
"""A population as compiled code sees it; actions by their code in the rules."""


class Population(Strict):
    """A population, validated."""

    name: str
    about: str
    unit: Literal["learner", "enrolment"]
    activity: Activity
    drop_out: DropOut
    start: Start
    volume: Volume
    course: Course
    hours: Hours
    opt_in: OptIn
    person: Person
    mix: dict[str, Parameter]
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=MAX_ZONES)]

    @model_validator(mode="after")
    def _check(self) -> Population:
        shares = [*(self.start.never_starts, self.start.starts_first_day, self.start.starts_later_rate)]
        shares += [*(getattr(self.opt_in, name) for name in OptIn.model_fields), self.person.payers]
        if any(not 0.0 <= share.value <= 1.0 for share in [*shares, self.drop_out.return_rate]):
            raise ValueError("shares and daily chances from 0 to 1")
        positive = (self.volume.events_median, self.volume.gap_seconds, self.course.units, self.course.module_units)
        if any(entry.value <= 0 for entry in positive) or self.course.courses.value < 1:
            raise ValueError("positive events_median, gap_seconds, units, module_units and at least one course")
        if not 1 <= self.volume.events_cap.value <= MOST_EVENTS:
            raise ValueError(f"volume.events_cap from 1 to {MOST_EVENTS}")
        for what, weights in (("mix", self.mix.values()), ("zones", [zone.share for zone in self.zones])):
            if any(weight.value < 0 for weight in weights) or sum(weight.value for weight in weights) <= 0:
                raise ValueError(f"{what}: weights of 0 or more, not all 0")
        return self

    def tables(self) -> tuple[calendar.ZoneTable, ...]:
        """Return the zones' tables, in order.

        Raises:
            InputError: a zone has no such name.
        """
        return tuple(calendar.zone(zone.name) for zone in self.zones)

    def record(self, rules: Rules) -> Any:
        """Return the population for compiled code.

        Args:
            rules: for the codes of the actions.

        Returns:
            one row of `POPULATION`.

        Raises:
            InputError: the mix names an action that the rules do not know or that is not for it.
        """
        record = np.zeros(1, POPULATION)[0]
        for section, model in SECTIONS.items():
            for name in model.model_fields:
                record[name] = getattr(getattr(self, section), name).value
        record["log_events_median"] = np.log(self.volume.events_median.value)
        for name in _ACTIONS:
            record[name] = rules.code(name)
        ends = np.cumsum([zone.share.value for zone in self.zones])
        record["zone_ends"] = 2.0  # places beyond the last zone are never reached
        record["zone_ends"][: len(ends) - 1] = ends[:-1] / ends[-1]
        reserved = {
            "daily_login",
            "lesson_start",
            "lesson_complete",
            "module_complete",
            "course_complete",
            "quiz_complete",
        }
        for name in self.mix:
            if name in reserved or rules.actions.get(name) is None or rules.actions[name].derived:
                free = [
                    known for known, action in rules.actions.items() if known not in reserved and not action.derived
                ]
                expected = "an action that does not follow from others"
                raise InputError(f"population {self.name!r}: mix", repr(name), expected, did_you_mean(name, free))
        # A table of 256 places: the same byte of luck that a choice needs, and a choice is one look-up.
        ends = np.cumsum([weight.value for weight in self.mix.values()])
        codes = np.array([rules.code(name) for name in self.mix])
        middles = (np.arange(MIX_SIZE) + 0.5) / MIX_SIZE
        record["mix"] = codes[np.searchsorted(ends / ends[-1], middles)]
        return record

    def changed(self, changes: Mapping[str, Mapping[str, Parameter]]) -> Population:
        """Return the population with some parameters of its own, by section and name: a scenario's assumptions.

        Raises:
            InputError: no such section or parameter, or a population that does not hold together.
        """
        content = self.model_dump()
        for section, parameters in changes.items():
            if section not in SECTIONS:
                raise InputError("changes", repr(section), "a section of a population", did_you_mean(section, SECTIONS))
            for name, parameter in parameters.items():
                if name not in content[section]:
                    remedy = did_you_mean(name, content[section])
                    raise InputError(f"changes.{section}", repr(name), "a parameter of the section", remedy)
                content[section][name] = parameter.model_dump()
        return validate(f"population {self.name!r} as changed", content, Population)

    def parameters(self) -> dict[str, Parameter]:
        """Return every parameter by its place in the file, such as ``activity.mu``."""
        found = {f"{section}.{name}": getattr(getattr(self, section), name)
                 for section, model in SECTIONS.items() for name in model.model_fields}  # fmt: skip
        found |= {f"mix.{name}": weight for name, weight in self.mix.items()}
        return found | {f"zones.{zone.name}": zone.share for zone in self.zones}


@functools.cache
def names() -> tuple[str, ...]:
    """Return the names of the shipped populations."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def load_population(name: str) -> Population:
    """Return a shipped population by name, or one from the user's own file.

    Args:
        name: one of `names`, or the path of a TOML file.

    Raises:
        InputError: no such population, or a file that is wrong, with a remedy.
    """
    if not name.endswith(".toml") and name not in names():
        raise InputError("population", repr(name), "a shipped population or a .toml file", did_you_mean(name, names()))
    population = load(Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml", Population)
    population.tables()
    return population
