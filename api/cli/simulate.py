"""``engage simulate``: run a scenario and say what its claims come to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from rich.table import Table

from actors.directory import in_blocks
from api.cli.console import Stopwatch, console, output_directory, progress, working_directory, write_json
from api.wiring import RuntimeName, cores, open_runtime
from engine import policies
from engine import rules as engine_rules
from engine.policies import knowledge
from engine.risk import model as risk_model
from simulation import decision_log, harness, report, results, tables
from simulation import scenario as scenarios
from simulation.claims import Verdict
from simulation.metrics import CohortMeter
from simulation.personas import Personas
from simulation.population import load_population
from simulation.response import load_responses
from simulation.series import SHARES
from simulation.world import SyntheticWorlds

_PERSONAS = 10  # examples on the report's page


def simulate(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of one that comes with Engage")],
    learners: Annotated[int | None, typer.Option(help="Learners in each arm")] = None,
    days: Annotated[int | None, typer.Option(help="Local days")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all chance")] = None,
    actors: Annotated[int | None, typer.Option(help="Learner actors; default: the cores")] = None,
    learners_per_actor: Annotated[int | None, typer.Option(help="The same the other way round; 1 = one each")] = None,
    replications: Annotated[int | None, typer.Option(help="Replications, each with its own luck and responses")] = None,
    population: Annotated[str | None, typer.Option(help="Who the learners are: a shipped population or a file")] = None,
    responses: Annotated[
        Literal["drawn", "centre", "off"] | None, typer.Option(help="How learners respond; off: to nothing at all")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory for result.json, tables and report.html")] = None,
    runtime: Annotated[RuntimeName, typer.Option(help="ray: processes; local: all in this one")] = "ray",
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
    model: Annotated[Path | None, typer.Option(help="Risk model; default: the packaged one")] = None,
    address: Annotated[str | None, typer.Option(help="Join this Ray cluster instead of starting a private one")] = None,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard, too")] = False,
) -> None:
    """Run a synthetic cohort through the loop, arm by arm with the same luck, and judge the scenario's claims."""
    watch = Stopwatch()
    product_rules, risk = engine_rules.load(rules), risk_model.load(model)
    plan = scenarios.load(scenario).with_overrides(learners, days, seed, replications, population, responses)
    if actors is None and learners_per_actor is None:
        actors = min(cores(), plan.learners)
    layout = in_blocks(plan.learners, actors=actors, learners_per_actor=learners_per_actor)
    worlds = SyntheticWorlds(
        load_population(plan.population).changed(plan.changes),
        load_responses(),
        plan.seed,
        plan.first_day,
        product_rules,
        plan.responses,
    )
    target = output_directory(out)
    with working_directory() as work:
        specs = harness.specs(plan, layout, product_rules, worlds, CohortMeter.by(product_rules), log=None)
        opened = open_runtime(runtime, specs, risk, work, address=address, dashboard=dashboard)
        with opened as running, progress("learner-days") as tick:
            ready_s = watch.seconds()
            simulation = harness.simulate(plan, layout, running, tick)
            simulated_s = watch.seconds() - ready_s
    verdicts = results.judge(simulation)
    draws = [worlds.describe(replication) for replication in range(plan.replications)]
    if target is not None:
        arm_ids = [arm.id for arm in plan.arms]
        tables.write(target / "metrics.parquet", results.daily_metrics(simulation))
        tables.write(target / "decisions.parquet", decision_log.to_table(simulation.decisions, arm_ids, product_rules))
        for arm, known in zip(plan.arms, simulation.knowledge[0], strict=True):
            if (policy := policies.make(arm.policy, arm.params)).learns:
                knowledge.write(target / f"knowledge_{arm.id}.json", policy, known)
        people = Personas(worlds.population, product_rules, plan.seed)
        examples = [people[learner] for learner in range(min(_PERSONAS, plan.learners))]
        report.write(target / "report.html", simulation, verdicts, draws=draws, personas=examples)
        facts = watch.run_facts(actors=len(layout.counts), runtime=runtime, simulated_s=round(simulated_s, 3))
        write_json(target / "run.json", facts)
        write_json(target / "result.json", results.result(simulation, verdicts, draws, risk.version))
    _show(simulation, verdicts, simulated_s)
    if target is not None:
        console.print(f"Report: {target / 'report.html'}")


def _show(simulation: harness.Simulation, verdicts: list[Verdict], seconds: float) -> None:
    plan = simulation.scenario
    if verdicts:
        console.print(_claims(verdicts))
        console.print("All verdicts are provisional: fidelity not yet measured.")
    for table in _arms(simulation):
        console.print(table)
    learner_days = plan.learners * plan.days * plan.replications * len(plan.arms)
    console.print(
        f"{plan.id}: {plan.learners:,} learners x {plan.days} days x {len(plan.arms)} arms x {plan.replications} "
        f"replications in {seconds:.1f} s ({learner_days / seconds:,.0f} learner-days a second)"
    )
    console.print(f"digest {simulation.digest}")


def _claims(verdicts: list[Verdict]) -> Table:
    table = Table(
        "claim", "control", "treated", "effect (95% interval)", "needed", "verdict", title="Claims", show_lines=True
    )
    colours = {"supported": "green", "refuted": "red", "inconclusive": "yellow", "no verdict": "magenta"}
    for verdict in verdicts:
        points = verdict.kind == "points"
        interval = ""
        if verdict.low is not None and verdict.high is not None:
            interval = f"\n({_effect(verdict.low, points)} to {_effect(verdict.high, points)})"
        colour = colours[verdict.verdict]
        table.add_row(
            verdict.text,
            _level(verdict.control, verdict.metric),
            _level(verdict.treated, verdict.metric),
            _effect(verdict.effect, points) + interval,
            _effect(verdict.threshold, points),
            f"[{colour}]{verdict.verdict}[/]\n{verdict.reason}",
        )
    return table


def _arms(simulation: harness.Simulation) -> list[Table]:
    """Return key figures by arm, in as few tables as are readable side by side."""
    figures = {arm.id: results.key_figures(simulation, place) for place, arm in enumerate(simulation.scenario.arms)}
    told = [name for name in next(iter(figures.values())) if any(arm[name] for arm in figures.values())]
    found: list[Table] = []
    unbounded = console.options.update_width(100 * len(figures))
    for parts in range(1, len(figures) + 1):
        arms = np.array_split(list(figures), parts)
        found = [_table({str(arm): figures[arm] for arm in mine}, told) for mine in arms]
        if max(console.measure(table, options=unbounded).maximum for table in found) <= console.width:
            break
    return found


def _table(figures: dict[str, dict[str, float | None]], told: list[str]) -> Table:
    table = Table("by arm, mean over replications", *figures)
    for name in told:
        table.add_row(name, *(_level(arm[name], name) for arm in figures.values()))
    return table


def _level(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    if metric.startswith(SHARES):
        return f"{value:.2%}"
    return f"{value:,.2f}" if metric.endswith("_a_learner") else f"{value:,.0f}"


def _effect(value: float | None, points: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:+.2f} points" if points else f"{value:+.2%}"
