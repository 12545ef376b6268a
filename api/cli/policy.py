"""``engage policy``: which policies there are, and what one would have earned where another decided."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from actors.agenda import decoded, policies_of
from actors.storage.journal import SqlJournal
from api.cli.console import console, output_directory, output_file, write_json
from api.cli.options import DATA, CampaignFile, Data, DatabaseUrl, RetentionPolicy, campaigns_of
from api.place import find_place
from engine import policies
from engine import rules as engine_rules
from engine.errors import InputError
from engine.experiments.off_policy import Estimate, Refusal
from engine.policies import knowledge
from engine.policies.decisions import Reward
from simulation import decision_log, policy_evaluation

app = typer.Typer(no_args_is_help=True, help=__doc__)
_ESTIMATORS = {"ips": "inverse propensities", "snips": "the same, self-normalised", "dr": "doubly robust"}


@app.command("list")
def list_() -> None:
    """Show every policy with its parameters and their defaults."""
    table = Table("policy", "what it does", "parameters, with their defaults", show_lines=True)
    for name in policies.names():
        policy = policies.make(name)
        told = (type(policy).__doc__ or "").split("\n\n")[0].replace("``", "")
        params = (f"{field.name} = {json.dumps(getattr(policy, field.name))}" for field in fields(policy))
        table.add_row(name, " ".join(told.split()), "\n".join(params))
    console.print(table)


@app.command("evaluate")
def evaluate(
    log: Annotated[Path, typer.Argument(help="Decision log (decisions.parquet)")],
    policy: Annotated[str, typer.Option(help=f"Policy to evaluate: {', '.join(policies.names())}")],
    params: Annotated[str, typer.Option(help="Its parameters as JSON, such as '{\"from_risk\": 50}'")] = "{}",
    knows: Annotated[
        Path | None, typer.Option(help="What it knows before, from a simulation or another service, never this log")
    ] = None,
    arm: Annotated[str | None, typer.Option(help="Arm of the log; needed if it has several")] = None,
    reward: Annotated[Reward, typer.Option(help="Active days of the next 1, 3 or 7")] = "active_3",
    out: Annotated[Path | None, typer.Option(help="Directory for result.json")] = None,
    rules: Annotated[Path | None, typer.Option(help="Your own rules, overriding the defaults")] = None,
) -> None:
    """Estimate from a log what another policy would have earned a decision; refused where the log cannot tell."""
    target = output_directory(out)
    made = policies.make(policy, _params(params))
    begin_with = None if knows is None else knowledge.read(knows, made)
    rows = decision_log.read(log, arm, engine_rules.load(rules))
    found = policy_evaluation.evaluate(rows, made, reward, begin_with)
    logged = policy_evaluation.on_policy(rows, reward)
    if target is not None:
        result = {"policy": policy, "params": json.loads(params), "arm": arm, "reward": reward, "logged": logged}
        write_json(target / "result.json", {**result, **_finite(policy_evaluation.described(found))})
    told = found.diagnostics
    if told is not None:
        console.print(
            f"{told.decisions:,} decisions of {told.learners:,} learners tell as much as {told.effective_size:,.0f} by "
            f"{policy} would; greatest weight {told.greatest_weight:.1f}, heaviest 1% of decisions "
            f"{told.top_share:.1%} of all weight, mean weight {told.mean_weight:.3f}"
        )
    if isinstance(found, Refusal):
        console.print(f"[bold]This log cannot tell what {policy} would have earned:[/]")
        for reason in found.reasons:
            console.print(f"- {reason}", highlight=False)
        raise typer.Exit(1)
    title = f"{policy} in the situations of the log"
    table = Table("", f"{reward} a decision", "95% interval", "standard error", title=title)
    table.add_row("as logged", f"{logged:.4f}", "", "")
    for name, text in _ESTIMATORS.items():
        estimate: Estimate | None = getattr(found, name)
        if estimate is not None:
            interval = f"{estimate.low:.4f} to {estimate.high:.4f}"
            table.add_row(text, f"{estimate.value:.4f}", interval, f"{estimate.standard_error:.4f}")
    console.print(table)


@app.command("export")
def export(
    treatment: Annotated[str, typer.Argument(help="Campaign and arm, such as retention/all")],
    out: Annotated[Path, typer.Option(help="File (.json), for `knows` of a campaign's or scenario's arm")],
    data: Data = DATA,
    database_url: DatabaseUrl = None,
    campaigns: CampaignFile = None,
    retention: RetentionPolicy = None,
) -> None:
    """Write what a live policy knows; a running service is not disturbed."""
    named = policies_of(campaigns_of(campaigns, retention))
    learning = [name for name, policy in named.items() if policy.learns]
    if treatment not in learning:
        raise InputError(
            "treatment", repr(treatment), "an arm that learns: " + (", ".join(learning) or "there is none")
        )
    file = output_file(out)
    place = find_place(data, database_url)
    with place.database, contextlib.closing(SqlJournal(place.url, 0)) as journal:  # all journals are told the same
        told = [each.message.body for each in journal.of_kind("knowledge", 0)]
    policy = named[treatment]
    wanted = (treatment, policy.state_name)
    newest = next((body for body in reversed(told) if (body["treatment"], body["of"]) == wanted), None)
    if newest is None:
        raise InputError("treatment", repr(treatment), "one that has learned", "Rewards are known a week after a send.")
    knowledge.write(file, policy, decoded(newest["state"]))
    at = datetime.fromtimestamp(newest["now_ms"] / 1_000, UTC)
    console.print(f"{out}: what {policy.name} knew at {at:%Y-%m-%d %H:%M} UTC.")


def _params(text: str) -> dict[str, Any]:
    try:
        params = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("--params", repr(text), f"JSON ({error})") from None
    if not isinstance(params, dict):
        raise InputError("--params", repr(text), "a JSON object of parameters by name")
    return params


def _finite(value: Any) -> Any:
    """Return the same with null for what JSON cannot say, such as an infinite z."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
