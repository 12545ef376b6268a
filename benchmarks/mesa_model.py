"""The same behaviour as a Mesa 3 model: what a general agent framework reaches, without signals or scores."""

from __future__ import annotations

import math
from typing import Any

import mesa

from benchmarks import workload
from benchmarks.measure import Table, millions, side_by_side, speed_ratio
from engine.calendar import weekday
from simulation.activity import poisson
from simulation.behaviour import expit
from simulation.population import Population, load_population

TITLE = "The engine and Mesa 3, one core each"
_expit = getattr(expit, "py_func", expit)  # a compiled scalar called from Python costs more than it saves
_poisson = getattr(poisson, "py_func", poisson)
_TOLERANCE = 0.1


class Learner(mesa.Agent):  # type: ignore[misc]  # Mesa is not typed
    """One synthetic learner: starts, is active by the population's formula, learns, drops out, comes back, finishes."""

    def __init__(self, model: Course) -> None:
        super().__init__(model)
        p = model.parameters
        self.z = self.random.gauss(0.0, 1.0)
        self.standing = "never" if self.random.random() < p["start.never_starts"] else "waiting"
        self.recent = 0
        self.started = 0
        self.units = 0
        self.active_days = 0
        self.events = 0

    def step(self) -> None:
        """Live one day."""
        active = self._is_active() if self.standing not in ("never", "finished") else False
        self.recent = ((self.recent << 1) | active) & 0xFFFF
        if active:
            self.active_days += 1
            self._learn()

    def _is_active(self) -> bool:
        p, today = self.model.parameters, self.model.today
        luck = self.random.random()
        if self.standing != "alive":
            rate = p["drop_out.return_rate"]
            if self.standing == "waiting":
                rate = p["start.starts_later_rate"] if today else p["start.starts_first_day"]
            if luck < rate:
                self.standing, self.started = "alive", today
            return luck < rate
        days = today - self.started
        hazard = p["drop_out.c0"] + p["drop_out.c1"] * self.z + p["drop_out.c2"] * math.log(1.0 + days)
        if self.random.random() < _expit(hazard):
            self.standing = "lapsed"
            return False
        logit = p["activity.mu"] + p["activity.sigma"] * self.z + self.model.logit_of_day
        logit += p["activity.b1"] * (self.recent & 1) + p["activity.b2"] * ((self.recent >> 1) & 63).bit_count() / 6.0
        if p["activity.opening"]:
            logit += p["activity.opening"] * 0.5 ** (days / p["activity.opening_half_life_days"])
        return luck < _expit(logit)

    def _learn(self) -> None:
        p = self.model.parameters
        wanted = p["volume.events_median"] * math.exp(p["volume.events_log_sd"] * self.random.gauss(0.0, 1.0))
        events = max(1, int(min(wanted, p["volume.events_cap"]) + 0.5))
        self.events += events
        released = self.model.released_units - self.units
        units = _poisson(p["volume.units_a_day"], self.random.random())
        self.units += min(units, (events - 1) // 2, max(0, released))
        if self.units >= self.model.last_unit:
            self.standing = "finished"


class Course(mesa.Model):  # type: ignore[misc]  # Mesa is not typed
    """Many learners, day by day.

    Args:
        population: who they are.
        learners: how many.
        first_day: local day on which all register.
        seed: of Mesa's chance.
    """

    def __init__(self, population: Population, learners: int, first_day: int, seed: int) -> None:
        super().__init__(seed=seed)
        self.parameters = {name: entry.value for name, entry in population.parameters().items()}
        self.first_day = first_day
        self.today = -1
        self.logit_of_day = 0.0
        self.released_units = 0
        self.last_unit = self.parameters["course.units"] * self.parameters["course.courses"]
        Learner.create_agents(self, learners)

    def step(self) -> None:
        """Run a day: what it means for everyone, then each learner."""
        p = self.parameters
        self.today += 1
        self.logit_of_day = p["activity.weekend"] if weekday(self.first_day + self.today) >= 5 else 0.0
        every = int(p["activity.deadline_every_days"])
        if every > 0 and self.today % every >= every - int(p["activity.deadline_span_days"]):
            self.logit_of_day += p["activity.deadline"]
        release_days = p["course.release_days"]
        modules = 1 + int(self.today / release_days) if release_days > 0 else 0
        self.released_units = int(modules * p["course.module_units"] if modules else self.last_unit)
        self.agents.do("step")

    def run_days(self, days: int) -> Any:
        """Run some days; return the learners."""
        for _ in range(days):
            self.step()
        return self.agents


def run(quick: bool) -> Table:
    """Measure the treated arm in the engine and the bare behaviour in Mesa, then compare what the learners did."""
    days = 28 if quick else 91
    plan = workload.plan(500 if quick else 20_000, days, ("at_risk",))
    learners = 500 if quick else 2_000
    population = load_population(plan.population)

    def model() -> Any:
        return Course(population, learners, plan.first_day, plan.seed).run_days(days)

    def work() -> None:
        model()

    with workload.running(plan) as engine:
        timings = side_by_side({"Mesa": work, "engine": engine.days_s})
        units = engine.learner_days
    found = model()
    active, events = sum(found.get("active_days")), sum(found.get("events"))
    like = workload.plan(20_000, days, ("control",)).model_copy(update={"responses": "off"})
    with workload.running(like) as engine:
        records = engine.simulate() and engine.runtime.ask(0, "records", 0)
    ours = records["active_days"].sum() / engine.learner_days
    theirs = active / (learners * days)
    if not quick:
        assert abs(theirs / ours - 1.0) < _TOLERANCE, (theirs, ours)
    ratio = speed_ratio(timings["engine"], timings["Mesa"], units, learners * days)
    rows = [
        (f"Mesa {mesa.__version__}, behaviour only", f"{learners:,} x {days}",
         millions(timings["Mesa"].rate(learners * days)), timings["Mesa"].spread(), ""),
        ("the engine, the whole loop", f"{plan.learners:,} x {days}", millions(timings["engine"].rate(units)),
         timings["engine"].spread(), f"{ratio:.1f} x"),
    ]  # fmt: skip
    note = (
        f"Active on {theirs:.1%} of the days in Mesa, {ours:.1%} in the engine without messages; Mesa counts "
        f"{events / active:.1f} events an active day, where the engine makes each one and folds it."
    )
    return Table(("", "learners x days", "learner-days a second", "spread", "engine / Mesa"), rows, note)
