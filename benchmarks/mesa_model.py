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
_TOLERANCE = 0.1  # of the share of active days, for what chance alone may do among 2,000 learners
_MIX_SIZE = 256
_LAST_SECOND = 86_399.0


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
        self.day: list[tuple[float, str]] = []

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
        if self.model.each_event:
            self.day = self._events_of(events)

    def _events_of(self, count: int) -> list[tuple[float, str]]:
        """Make each event: an action by the mix, some seconds after the one before."""
        second = 60.0 * self.model.peak_minute
        made = []
        for _ in range(count):
            scaled = self.random.random() * _MIX_SIZE
            choice = int(scaled)
            second = min(second + (scaled - choice) * self.model.longest_gap, _LAST_SECOND)
            made.append((second, self.model.mix[choice]))
        return made


class Course(mesa.Model):  # type: ignore[misc]  # Mesa is not typed
    """Many learners, day by day.

    Args:
        population: who they are.
        learners: how many.
        first_day: local day on which all register.
        seed: of Mesa's chance.
        each_event: make each event of an active day, as the engine's world does; else only their number.
    """

    def __init__(self, population: Population, learners: int, first_day: int, seed: int, each_event: bool) -> None:
        super().__init__(seed=seed)
        self.parameters = {name: entry.value for name, entry in population.parameters().items()}
        self.first_day = first_day
        self.each_event = each_event
        self.peak_minute = self.parameters["hours.peak_minute"]
        self.longest_gap = 2.0 * self.parameters["volume.gap_seconds"]
        weights = [entry.value for entry in population.mix.values()]
        self.mix = self.random.choices(list(population.mix), weights, k=_MIX_SIZE)
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

    def model(each_event: bool) -> Any:
        return Course(population, learners, plan.first_day, plan.seed, each_event).run_days(days)

    def counting() -> None:
        model(each_event=False)

    def making() -> None:
        model(each_event=True)

    works = {"Mesa, counting events": counting, "Mesa, making each event": making}
    with workload.running(plan) as engine:
        timings = side_by_side({**works, "engine": engine.days_s})
        units = engine.learner_days
    found = model(each_event=False)
    active, events = sum(found.get("active_days")), sum(found.get("events"))
    like = workload.plan(20_000, days, ("control",)).model_copy(update={"responses": "off"})
    with workload.running(like) as engine:
        records = engine.simulate() and engine.runtime.ask(0, "records", 0)
    ours = records["active_days"].sum() / engine.learner_days
    theirs = active / (learners * days)
    if not quick:
        assert abs(theirs / ours - 1.0) < _TOLERANCE, (theirs, ours)
    ours_row = timings.pop("engine")
    rows = [("the engine, the whole loop", f"{plan.learners:,} x {days}", millions(ours_row.rate(units)),
             ours_row.spread(), "")]  # fmt: skip
    for name, timing in timings.items():
        ratio = speed_ratio(ours_row, timing, units, learners * days)
        rate = millions(timing.rate(learners * days))
        rows.append((name, f"{learners:,} x {days}", rate, timing.spread(), f"{ratio:.1f} x"))
    note = (
        f"Active on {theirs:.1%} of the days in Mesa {mesa.__version__}, {ours:.1%} in the engine without messages; "
        f"{events / active:.1f} events an active day. In Mesa nothing is folded, scored or decided."
    )
    return Table(("", "learners x days", "learner-days a second", "spread", "engine / this"), rows, note)
