"""Scenarios: what to simulate, as TOML files with permanent ids, validated before any work begins."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

import scenarios
from engine import calendar, policies
from engine.errors import InputError, did_you_mean
from engine.policies import knowledge
from simulation import parameters, population
from simulation.metrics import METRICS, RETENTION_WINDOWS
from simulation.parameters import Parameter, Strict
from simulation.series import CLAIM_METRICS, SHARES, Moment, is_counted

FOLDER = Path(scenarios.__file__).parent

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]


class Arm(Strict):
    """One way of treating the whole cohort: a policy by name, with its parameters.

    ``knows`` is the path of a file with what the policy has learned elsewhere; it begins with that.
    """

    id: Id
    policy: str
    knows: str | None = None
    params: Annotated[dict[str, Any], Field(default_factory=dict)]
    control: Annotated[bool, Field(strict=True)] = False


class Claim(Strict):
    """A published statement about the effect of an arm against the control, to be judged.

    ``threshold`` is the effect claimed: 0.15 is +15% for the kind ``lift`` (relative to control), +15 percentage points
    for ``points``. ``from_to`` are the levels that the statement names, if any; they may contradict the threshold.
    """

    id: Id
    text: Text
    metric: str
    arm: Id
    kind: Literal["lift", "points"] = "lift"
    threshold: Annotated[float, Field(strict=True, gt=0, le=10)]
    month: Count | None = None
    day: Annotated[int, Field(strict=True, ge=0)] | None = None
    from_to: tuple[Share, Share] | None = None

    @property
    def moment(self) -> Moment:
        """Return when the claim is about."""
        return Moment("month", self.month) if self.month is not None else Moment("day", self.day or 0)


class Scenario(Strict):
    """A validated scenario."""

    id: Id
    title: Text
    description: str = ""
    population: str
    # To the population, by section and parameter.
    changes: Annotated[dict[str, dict[str, Parameter]], Field(default_factory=dict)]
    learners: Annotated[Count, Field(le=2**32 - 1)]  # a learner's number is 32 bits of the key of chance
    days: Annotated[Count, Field(le=3650)]
    start: Annotated[date, Field(ge=date(1971, 1, 1), le=date(2100, 1, 1))]
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)]
    replications: Count = 1
    responses: Literal["drawn", "centre", "off"] = "drawn"
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)]
    metrics: Annotated[tuple[str, ...], Field(min_length=1)] = METRICS
    claims: tuple[Claim, ...] = ()

    @property
    def first_day(self) -> int:
        """Return the first local day, in days since 1970-01-01."""
        return calendar.day_number(self.start)

    @property
    def control(self) -> int:
        """Return the place of the control among the arms."""
        return next(place for place, arm in enumerate(self.arms) if arm.control)

    def place(self, arm: str) -> int:
        """Return the place of an arm by its id."""
        return [known.id for known in self.arms].index(arm)

    def with_overrides(
        self,
        learners: int | None = None,
        days: int | None = None,
        seed: int | None = None,
        replications: int | None = None,
        population: str | None = None,
        responses: str | None = None,
    ) -> Scenario:
        """Return the scenario with other sizes, another seed or other learners; None keeps the file's.

        Raises:
            InputError: a value out of range.
        """
        values: dict[str, Any] = {"learners": learners, "days": days, "seed": seed, "replications": replications}
        values |= {"population": population, "responses": responses}
        given = {name: value for name, value in values.items() if value is not None}
        changed = parameters.validate("options", {**self.model_dump(), **given}, Scenario)
        if population is not None:
            _check_population("options", changed)
        return changed


def shipped() -> tuple[str, ...]:
    """Return the names of the scenarios that come with the package."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def load(path_or_name: str | Path) -> Scenario:
    """Return a scenario from the user's file, or a shipped one by its bare name.

    Args:
        path_or_name: the path of a ``.toml`` file, or one of `shipped`.

    Raises:
        InputError: no such scenario, or an entry that is unknown, missing or wrong, named with its value and a remedy.
    """
    path = Path(path_or_name)
    if path.suffix != ".toml":
        name = str(path_or_name)
        if name not in shipped():
            expected = "a scenario that comes with the package, or the path of a .toml file"
            raise InputError("scenario", repr(name), expected, did_you_mean(name, shipped()))
        path = FOLDER / f"{name}.toml"
    scenario = parameters.load(path, Scenario)
    _check(str(path), scenario)
    return scenario


def _check(file: str, scenario: Scenario) -> None:
    """Refuse what no single entry shows: unknown names, ids given twice, arms and claims that do not fit."""
    _check_population(file, scenario)
    for place, metric in enumerate(scenario.metrics):
        _known(f"{file}: metrics.{place}", metric, METRICS, "a metric of the cohort")
    _once(f"{file}: arms", [arm.id for arm in scenario.arms])
    _once(f"{file}: claims", [claim.id for claim in scenario.claims])
    controls = [arm.id for arm in scenario.arms if arm.control]
    if len(controls) != 1:
        got = ", ".join(controls) or "none"
        raise InputError(f"{file}: arms", f"control arms: {got}", "one arm with control = true")
    for arm in scenario.arms:
        _check_policy(f"{file}: arm {arm.id!r}", arm)
    for claim in scenario.claims:
        _check_claim(f"{file}: claim {claim.id!r}", claim, scenario)


def _check_population(file: str, scenario: Scenario) -> None:
    if not scenario.population.endswith(".toml"):
        _known(f"{file}: population", scenario.population, population.names(), "a shipped population or a .toml file")
    population.load_population(scenario.population).changed(scenario.changes)


def _check_policy(where: str, arm: Arm) -> None:
    _known(f"{where}: policy", arm.policy, policies.names(), "a policy")
    try:
        policy = policies.make(arm.policy, arm.params)
        if arm.knows is not None:
            knowledge.read(Path(arm.knows), policy)
    except InputError as error:
        raise InputError(f"{where}: params: {error.what}", error.got, error.expected, error.remedy) from None
    except TypeError as error:  # a parameter of another kind, such as a text for a number
        raise InputError(f"{where}: params", f"{arm.params} ({error})", "values of the policy's own kinds") from None


def _check_claim(where: str, claim: Claim, scenario: Scenario) -> None:
    _known(f"{where}: metric", claim.metric, CLAIM_METRICS, "a metric that claims can be about")
    _known(f"{where}: arm", claim.arm, [arm.id for arm in scenario.arms], "an arm of this scenario")
    if scenario.arms[scenario.place(claim.arm)].control:
        raise InputError(f"{where}: arm", repr(claim.arm), "a treated arm", "A claim compares an arm with the control.")
    if (claim.month is None) == (claim.day is None):
        got = "neither" if claim.month is None else "both"
        raise InputError(f"{where}: month, day", got, "one of the two")
    if not is_counted(claim.metric, claim.moment):
        days = ", ".join(str(n) for n, w in RETENTION_WINDOWS if w == 1)
        raise InputError(f"{where}: {claim.moment.unit}", str(claim.moment.number), f"month 1, 2 or 3, or day {days}")
    if claim.kind == "points" and claim.metric not in SHARES:
        expected = f"lift; points are for shares of learners: {', '.join(SHARES)}"
        raise InputError(f"{where}: kind", f"'points' of {claim.metric}", expected)
    if claim.kind == "points" and claim.threshold > 1:
        raise InputError(f"{where}: threshold", str(claim.threshold), "at most 1", "30 percentage points are 0.3.")


def _known(where: str, name: str, names: Iterable[str], expected: str) -> None:
    if name not in names:
        raise InputError(where, repr(name), expected, did_you_mean(name, names))


def _once(where: str, ids: list[str]) -> None:
    for name in ids:
        if ids.count(name) > 1:
            raise InputError(where, f"the id {name!r} {ids.count(name)} times", "each id once")
