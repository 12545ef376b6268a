"""The report's page: what a simulation came to, in the order in which a product person asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.notifications.catalogue import CHANNELS
from simulation.claims import PROVISIONAL_NOTE, Verdict
from simulation.harness import Simulation
from simulation.parameters import TAGS
from simulation.personas import Persona
from simulation.report.templates import environment
from simulation.response import load_responses
from simulation.results import key_figures, series_of
from simulation.scenario import Scenario
from simulation.series import SHARES, Moment, days_needed

NOTHING = "\N{EN DASH}"
"""What stands where there is no number; the reason stands beside it."""

_MINUS = "\N{MINUS SIGN}"
_SYMBOLS = {
    "supported": "\N{CHECK MARK}",
    "refuted": "\N{MULTIPLICATION X}",
    "inconclusive": "?",
    "no verdict": NOTHING,
}
_NOBODY = "no learner was registered"


@dataclass(frozen=True)
class Figure:
    """A number as people read it, or `NOTHING` with the reason."""

    text: str
    reason: str = ""


@dataclass(frozen=True)
class Line:
    """One key number, by arm."""

    label: str
    figures: tuple[Figure, ...]


def write(
    path: Path,
    simulation: Simulation,
    verdicts: Sequence[Verdict],
    *,
    draws: Sequence[dict[str, float]] | None,
    personas: Sequence[Persona] | None,
) -> None:
    """Write the report as one HTML file that needs no other file, no network and no script.

    Equal arguments give equal bytes. The file is written whole: under another name first, then renamed.

    Args:
        path: of the file, in a directory that exists.
        simulation: what to show; it may have no arm treated and any number of days, learners and replications.
        verdicts: of the scenario's claims, from `simulation.results.judge`.
        draws: the response parameters of each replication by place, from `SyntheticWorlds.describe`; None = unknown.
        personas: example learners; None or empty = none are shown.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(_render(simulation, verdicts, draws, personas), encoding="utf-8", newline="\n")
    draft.replace(path)


def _render(
    simulation: Simulation,
    verdicts: Sequence[Verdict],
    draws: Sequence[dict[str, float]] | None,
    personas: Sequence[Persona] | None,
) -> str:
    from simulation.report import plots  # noqa: PLC0415  # Matplotlib takes half a second to load: only reports wait

    lowest, highest = _reach(verdicts)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            scenario=simulation.scenario,
            summary=_summary(simulation.scenario),
            digest=simulation.digest,
            arms=plots.arm_keys(simulation),
            claims=[_claim(verdict, lowest, highest) for verdict in verdicts],
            tally=_tally(verdicts),
            provisional=PROVISIONAL_NOTE if any(verdict.provisional for verdict in verdicts) else "",
            groups=_key_numbers(simulation),
            plots=plots.draw_all(simulation),
            draws=_draws(draws) if draws else None,
            tags=TAGS,
            personas=personas or (),
        )
    )


def _summary(scenario: Scenario) -> str:
    luck = {
        "drawn": "each with its own luck and its own draw of how learners respond",
        "centre": "each with its own luck, learners responding as published",
        "off": "each with its own luck, learners responding to nothing",
    }[scenario.responses]
    start = f"{scenario.start.day} {scenario.start:%B %Y}"
    return (
        f"{_many(scenario.learners, 'synthetic learner')} of the population {scenario.population} live through "
        f"{_many(scenario.days, 'day')} from {start} in {'each of ' if len(scenario.arms) > 1 else ''}"
        f"{_many(len(scenario.arms), 'arm')}, in {_many(scenario.replications, 'replication')}, {luck}."
    )


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _tally(verdicts: Sequence[Verdict]) -> list[tuple[str, int]]:
    outcomes = [verdict.verdict for verdict in verdicts]
    return [(outcome, outcomes.count(outcome)) for outcome in _SYMBOLS if outcome in outcomes]


def _signed(text: str) -> str:
    return text.replace("-", _MINUS)


def _effect(value: float | None, kind: str, sign: str = "+") -> str:
    if value is None:
        return NOTHING
    return _signed(f"{value:{sign}.2%}" if kind == "lift" else f"{100 * value:{sign}.2f} points")


def _level(value: float | None, share: bool) -> str:
    if value is None:
        return NOTHING
    return f"{value:.2%}" if share else f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _reach(verdicts: Sequence[Verdict]) -> tuple[float, float]:
    """Return the ends of the axis on which all intervals are drawn, in units of the effect claimed."""
    ends = [
        end / verdict.threshold
        for verdict in verdicts
        for end in (verdict.low, verdict.high, verdict.effect)
        if end is not None
    ]
    return min(-0.15, *ends, 0.0) - 0.05, max(1.15, *ends, 0.0) + 0.05


def _claim(verdict: Verdict, lowest: float, highest: float) -> dict[str, Any]:
    """Return a claim as the page shows it; places along the axis are per cents of its width."""

    def place(effect: float | None) -> str | None:
        if effect is None:
            return None
        return f"{100 * (effect / verdict.threshold - lowest) / (highest - lowest):.2f}%"

    interval = ""
    if verdict.low is not None and verdict.high is not None:
        interval = f"{_effect(verdict.low, verdict.kind)} to {_effect(verdict.high, verdict.kind)}"
    why_no_error = "no effect" if verdict.effect is None else "the effect hangs on one group of learners"
    share = verdict.metric in SHARES
    return {
        "verdict": verdict,
        "symbol": _SYMBOLS[verdict.verdict],
        "control": _level(verdict.control, share),
        "treated": _level(verdict.treated, share),
        "effect": _effect(verdict.effect, verdict.kind),
        "interval": interval,
        "threshold": _effect(verdict.threshold, verdict.kind),
        "error": Figure(
            _effect(verdict.monte_carlo_se, verdict.kind, sign=""),
            why_no_error if verdict.monte_carlo_se is None else "",
        ),
        "notes": [note for note in verdict.notes if note != PROVISIONAL_NOTE],
        "axis": {
            "nothing": place(0.0),
            "claimed": place(verdict.threshold),
            "low": place(verdict.low),
            "high": place(verdict.high),
            "effect": place(verdict.effect),
        },
    }


def _key_numbers(simulation: Simulation) -> list[tuple[str, list[Line]]]:
    """Return the key numbers in groups; each the mean over replications."""
    scenario = simulation.scenario
    arms = range(len(scenario.arms))
    figures = [key_figures(simulation, arm) for arm in arms]
    registered = [[int(series.daily("learners")[-1]) for series in series_of(simulation, arm)] for arm in arms]
    learners = [sum(numbers) / len(numbers) for numbers in registered]

    def at_month(label: str, metric: str, month: int) -> Line:
        needed = days_needed(metric, Moment("month", month))
        short = f"needs {needed} days; this run has {scenario.days}"
        reason = short if needed > scenario.days else "no learner was registered long enough"
        values = [figures[arm][f"{metric}_month{month}"] for arm in arms]
        return _line(label, values, lambda value: _level(value, metric in SHARES), reason)

    def each(label: str, *metrics: str, share: bool = False) -> Line:
        """Sum metrics and divide by learners."""
        sums = [sum(figures[arm][metric] or 0.0 for metric in metrics) for arm in arms]
        values = [total / number if number else None for total, number in zip(sums, learners, strict=True)]
        return _line(label, values, lambda value: _level(value, share), _NOBODY)

    sent = [name for name in figures[0] if name.startswith("sent_")]
    by_type = [name for name in sent if any(figures[arm][name] for arm in arms)]
    months = [
        (
            f"Month {month}",
            [
                at_month("Daily active learners (DAU)", "dau", month),
                at_month("Retention", "retention", month),
                at_month("Learners who completed a course", "completions", month),
            ],
        )
        for month in (1, 3)
    ]
    return [
        *months,
        (
            f"The whole run, {_many(scenario.days, 'day')}",
            [
                each("XP a learner", "xp"),
                each("Lessons done a learner", "units"),
                each("Learners who completed a course by the last day", "learners_completed", share=True),
                each("Learners with a streak on the last day", "streaks_alive", share=True),
                each("Streak freezes used a learner", "freezes_used"),
            ],
        ),
        (
            "Notifications sent a learner",
            [each("All types", *sent), *(each(_plain(name), name) for name in by_type)],
        ),
        (
            "Opt-outs: learners who do not allow the channel on the last day",
            [each(_channel(name), f"without_{name}", share=True) for name in CHANNELS],
        ),
    ]


def _line(label: str, values: Sequence[float | None], text: Callable[[float], str], reason: str) -> Line:
    known = (Figure(NOTHING, reason) if value is None else Figure(text(value)) for value in values)
    return Line(label, tuple(known))


def _plain(metric: str) -> str:
    return metric.split("_", 1)[1].replace("_", " ").capitalize()


def _channel(name: str) -> str:
    return {"email": "E-mail", "in_app": "In-app", "sms": "SMS"}.get(name, name.capitalize())


def _draws(draws: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return the response parameters: those with a range, and those that are certain, each with what was used."""
    published = load_responses().parameters()
    rows = []
    for place in draws[0]:
        used = [values[place] for values in draws]
        entry = published.get(place)
        rows.append(
            {
                "place": place.removeprefix("types.").removeprefix("common."),
                "value": Figure(NOTHING, "not in the file of responses")
                if entry is None
                else Figure(_number(entry.value)),
                "range": "" if entry is None else f"{_number(entry.low)} to {_number(entry.high)}",
                "used": _number(min(used))
                if min(used) == max(used)
                else f"{_number(min(used))} to {_number(max(used))}",
                "tag": "" if entry is None else entry.tag,
                "source": "" if entry is None else entry.source,
                "open": entry is None or entry.low < entry.high,
            }
        )
    return {
        "number": len(draws),
        "open": [row for row in rows if row["open"]],
        "certain": [row for row in rows if not row["open"]],
    }


def _number(value: float) -> str:
    return _signed(f"{value:.3g}")
