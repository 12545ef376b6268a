"""Learner-days a second through the actors, every learner's signals, risk and policy every day."""

from __future__ import annotations

from api.wiring import RuntimeName, cores
from benchmarks import workload
from benchmarks.measure import Table, millions, repeated
from simulation import harness
from simulation.scenario import Scenario

TITLE = "Learner-days simulated"
POPULATIONS = ("paid_course", "app")
_SIZE_DAYS = 14
_ALIKE = 1_000_000  # learner-days that even the smallest size runs in a round, by running again


def run(quick: bool) -> Table:
    """Measure one core, all cores, and how the cost grows with learners."""
    learners, days = (1_000, 14) if quick else (20_000, 91)
    rows = []
    for population in POPULATIONS:
        plan = workload.plan(learners, days, population=population)
        rows.append(_row(f"{population}, one core, no Ray", plan, "local", 1, 1))
        rows.append(_row(f"{population}, all cores, Ray", plan, "ray", cores(), 1))
    for size in (1_000, 2_000, 4_000) if quick else (10_000, 100_000, 1_000_000):
        plan = workload.plan(size, _SIZE_DAYS, ("at_risk",))
        times = max(1, min(20, _ALIKE // (size * _SIZE_DAYS)))
        rows.append(_row("paid_course, all cores, Ray", plan, "ray", cores(), times))
    note = (
        "Learner-days count everyone registered, dropped out or not; time runs from the first message to the "
        "last day's answer (creating the learners included, starting Ray and the digest not)."
    )
    columns = ("population", "learners x days x arms", "learner-days a second", "us a learner-day", "spread", "scored")
    return Table(columns, rows, note)


def _row(name: str, plan: Scenario, runtime: RuntimeName, actors: int, times: int) -> tuple[str, ...]:
    with workload.running(plan, runtime, actors) as run_:
        runs: list[harness.Simulation] = []

        def work() -> float:
            whole_s = 0.0
            for _ in range(times):
                simulation, seconds = run_.simulate()
                whole_s += seconds
            runs[:] = [simulation]
            return whole_s

        timing = repeated(work)
        rate = timing.rate(run_.learner_days * times)
    shape = f"{plan.learners:,} x {plan.days} x {len(plan.arms)}"
    return name, shape, millions(rate), f"{1e6 / rate:.2f}", timing.spread(), f"{workload.scored_share(runs[0]):.0%}"
