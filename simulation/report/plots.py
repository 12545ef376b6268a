"""Plots of a simulation: what the report shows of its counts, as panels of inline SVG.

Every panel is a small drawing of one pair of axes, so that a page can set panels side by side or, on a phone, one below
the other. Titles and legends are the page's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import Formatter, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray

from engine.notifications.catalogue import catalogue
from simulation.harness import Simulation
from simulation.metrics import GROWTH_STATES, RETENTION_WINDOWS, STANDINGS
from simulation.report.drawing import INK, svg
from simulation.results import series_of
from simulation.series import retention

Values = NDArray[np.float64]

WEEK_STARTS = tuple(n for n, w in RETENTION_WINDOWS if w == 7 and n % 7 == 0)
"""Day of a learner's life on which each week of the retention curve starts."""

ARM_COLOURS = ("#7f8792", "#1f83c9", "#d55e00", "#009e73", "#cc79a7", "#b8860b")  # the control is the neutral one
ARM_DASHES = ("5 3", "", "8 3 2 3", "2 2")
"""An arm is known by colour and by dash (SVG's words), so that it can be told without colour."""

# Okabe and Ito's palette, told apart with every kind of colour vision; what is outside the question is grey.
_BLUE, _SKY, _GREEN, _YELLOW, _ORANGE, _RED, _PINK = (
    "#0072b2", "#56b4e9", "#009e73", "#f0e442", "#e69f00", "#d55e00", "#cc79a7",
)  # fmt: skip
_GREY, _PALE, _BROWN = "#868e99", "#c9ced6", "#8c564b"
_GROWTH_ORDER = ("current", "new", "reactivated", "resurrected", "at_risk_wau", "at_risk_mau", "dormant", "not_started")
_GROWTH_COLOURS = (_BLUE, _SKY, _GREEN, _YELLOW, _ORANGE, _RED, _GREY, _PALE)
_STANDING_COLOURS = dict(zip(STANDINGS, (_RED, _ORANGE, _YELLOW, _SKY, _GREY, _PALE), strict=True))
_TYPE_COLOURS = (_SKY, _ORANGE, _GREEN, _YELLOW, _BLUE, _RED, _PINK, _BROWN)

_INTERVAL = (2.5, 97.5)  # percentiles
_MOST_BANDS = 4  # more of them hide the lines


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a line if it has a dash (empty = solid), else a filled square."""

    label: str
    colour: str
    dash: str | None = None


@dataclass(frozen=True)
class Panel:
    """One drawing; where there is nothing to draw, ``svg`` is empty and ``note`` says why."""

    title: str
    svg: str
    note: str = ""


@dataclass(frozen=True)
class Plot:
    """Panels that share a legend and a caption."""

    id: str
    title: str
    caption: str
    keys: tuple[Key, ...]
    panels: tuple[Panel, ...]


def arm_keys(simulation: Simulation) -> tuple[Key, ...]:
    """Return each arm's colour and dash, in the scenario's order; the control always has the first."""
    scenario = simulation.scenario
    others = iter(range(1, len(scenario.arms)))
    looks = [0 if place == scenario.control else next(others) for place in range(len(scenario.arms))]
    return tuple(
        Key(arm.id, ARM_COLOURS[look % len(ARM_COLOURS)], ARM_DASHES[look % len(ARM_DASHES)])
        for arm, look in zip(scenario.arms, looks, strict=True)
    )


def draw_all(simulation: Simulation) -> list[Plot]:
    """Return every plot of the report, in reading order."""
    plots = [_retention(simulation), _active(simulation)]
    if len(simulation.scenario.arms) > 1:
        plots.append(_gained(simulation))
    return [*plots, _growth(simulation), _sent(simulation), _risk(simulation)]


def _retention(simulation: Simulation) -> Plot:
    scenario, keys = simulation.scenario, arm_keys(simulation)
    by_arm = [_weekly_retention(simulation, arm) for arm in range(len(scenario.arms))]
    panels = [_lines("Share of learners active in the week", keys, by_arm, "week", _PERCENT)]
    if len(keys) > 1:
        treated = [arm for arm in range(len(keys)) if arm != scenario.control]
        effects = [100 * (by_arm[arm] - by_arm[scenario.control]) for arm in treated]
        title = f"Difference from {keys[scenario.control].label}, percentage points"
        panels.append(_lines(title, [keys[arm] for arm in treated], effects, "week", _SIGNED, ground=None))
    caption = (
        "Of the learners registered long enough to have finished week k of their life on the platform, the share with "
        "an active day in it. A week that nobody has finished is left out. " + _band(simulation)
    )
    return Plot("retention", "Retention by week of a learner's life", caption, keys, tuple(panels))


def _active(simulation: Simulation) -> Plot:
    keys = arm_keys(simulation)
    titles = {"active": "Daily active learners (DAU)", "wau": "Weekly active learners (WAU)"}
    panels = tuple(
        _lines(title, keys, [_daily(simulation, arm, metric) for arm in range(len(keys))], "day", _COUNT)
        for metric, title in titles.items()
    )
    caption = "Learners active on the day, and on any of the 7 days that end with it. " + _band(simulation)
    return Plot("active", "Active learners by day", caption, keys, panels)


def _gained(simulation: Simulation) -> Plot:
    scenario, keys = simulation.scenario, arm_keys(simulation)
    spent = [_daily(simulation, arm, "active").cumsum(axis=1) / scenario.learners for arm in range(len(keys))]
    caption = "Active days a learner since the beginning, against another arm on the same learners with the same luck. "
    base = scenario.control
    others = [arm for arm in range(len(keys)) if arm != base]
    title = f"Gain: active days a learner more than {keys[base].label}"
    gains = [spent[arm] - spent[base] for arm in others]
    panels = [_lines(title, [keys[arm] for arm in others], gains, "day", _SIGNED, ground=None)]
    knowing = [place for place, arm in enumerate(scenario.arms) if arm.policy == "oracle"]
    if knowing:
        others = [arm for arm in range(len(keys)) if arm != knowing[0]]
        regret = [spent[knowing[0]] - spent[arm] for arm in others]
        title = f"Regret: active days a learner fewer than {keys[knowing[0]].label}"
        panels.append(_lines(title, [keys[arm] for arm in others], regret, "day", _SIGNED, ground=None))
        caption += "Regret that grows ever more slowly is of a policy that learns. "
    return Plot("gained", "Active days gained", caption + _band(simulation), keys, tuple(panels))


def _growth(simulation: Simulation) -> Plot:
    colours = dict(zip(_GROWTH_ORDER, _GROWTH_COLOURS, strict=True))
    colours = {f"growth_{state}": colours[state] for state in sorted(GROWTH_STATES, key=_GROWTH_ORDER.index)}
    caption = (
        "Share of registered learners. Active today: new = first active day ever; current = active in the prior 6 "
        "days; reactivated = back after 7-29 days; resurrected = back after 30 or more. Not active today: at risk wau "
        "= active in the prior 6 days; at risk mau = in the prior 29; dormant = earlier; not started = never. "
        "Mean over replications."
    )
    return _stacks(simulation, "growth", "Growth states", caption, colours, _PERCENT, top=1.0)


def _sent(simulation: Simulation) -> Plot:
    colours = {f"sent_{name}": _TYPE_COLOURS[k % len(_TYPE_COLOURS)] for k, name in enumerate(catalogue().names)}
    caption = "Sends of the day divided by registered learners, by type of notification. Mean over replications."
    title = "Notifications a learner a day"
    return _stacks(simulation, "sent", title, caption, colours, _DECIMAL, empty="This arm sent no notification.")


def _risk(simulation: Simulation) -> Plot:
    colours = {f"standing_{name}": _STANDING_COLOURS[name] for name in ("low", "medium", "high", "critical")}
    colours |= {f"standing_{name}": _STANDING_COLOURS[name] for name in ("dropped_off", "not_started")}
    caption = (
        "Share of registered learners in each band of risk at the start of the day, when the policy decides. Learners "
        "who dropped off or never started have no band. Mean over replications."
    )
    return _stacks(simulation, "risk", "Risk bands", caption, colours, _PERCENT, top=1.0)


def _weekly_retention(simulation: Simulation, arm: int) -> Values:
    """Return the retention of each week, (replications, weeks); NaN = nobody registered long enough."""
    values = [[retention(series, n, 7).value() for n in WEEK_STARTS] for series in series_of(simulation, arm)]
    return np.array(values, np.float64)  # None becomes NaN


def _daily(simulation: Simulation, arm: int, metric: str) -> Values:
    """Return a count by day, (replications, days)."""
    return np.array([series.daily(metric) for series in series_of(simulation, arm)], np.float64)


def _band(simulation: Simulation) -> str:
    replications = simulation.scenario.replications
    if replications == 1:
        return "One replication: no band."
    band = (
        "band"
        if len(simulation.scenario.arms) <= _MOST_BANDS
        else f"band, where there are {_MOST_BANDS} lines or fewer"
    )
    return f"Line: mean over {replications} replications; {band}: the middle 95% of them."


_PERCENT, _COUNT = PercentFormatter(1.0, decimals=0), StrMethodFormatter("{x:,.0f}")
_DECIMAL, _SIGNED = StrMethodFormatter("{x:.2f}"), StrMethodFormatter("{x:+g}")


def _lines(
    title: str,
    keys: Sequence[Key],
    by_arm: Sequence[Values],
    unit: str,
    formatter: Formatter,
    ground: float | None = 0.0,
) -> Panel:
    """Return one line with a band for each arm; a point is left out unless every replication has it."""
    if all(np.isnan(values).any(axis=0).all() for values in by_arm):
        return Panel(title, "", "No learner was registered long enough, so there is nothing to divide by.")

    x = np.arange(1, by_arm[0].shape[1] + 1)

    def draw(axes: Axes) -> None:
        for key, values in zip(keys, by_arm, strict=True):
            known = ~np.isnan(values).any(axis=0)
            if not known.any():
                continue
            line = values[:, known].mean(axis=0)
            if len(values) > 1 and len(keys) <= _MOST_BANDS:
                low, high = np.percentile(values[:, known], _INTERVAL, axis=0)
                axes.fill_between(x[known], low, high, color=key.colour, alpha=0.2, linewidth=0)
            dashes = [float(part) / 2 for part in (key.dash or "").split()]  # in line widths
            style = (0.0, dashes) if dashes else "solid"
            marker = "o" if known.sum() < 15 else ""
            axes.plot(x[known], line, color=key.colour, linestyle=style, linewidth=2, marker=marker, markersize=3.5)
        if ground is None:
            axes.axhline(0, color=INK, linewidth=0.8)
        else:
            axes.set_ylim(bottom=ground)

    return Panel(title, svg(title, draw, len(x), unit, formatter, whole=formatter is _COUNT))


def _stacks(
    simulation: Simulation,
    name: str,
    title: str,
    caption: str,
    colours: Mapping[str, str],
    formatter: Formatter,
    top: float | None = None,
    empty: str = "Nothing was counted.",
) -> Plot:
    """Return a plot of counts divided by registered learners, stacked, one panel an arm on one common scale.

    Metrics that are zero in every arm are left out of the legend.
    """
    arms = range(len(simulation.scenario.arms))
    shares = [{metric: _share(simulation, arm, metric) for metric in colours} for arm in arms]
    met = [metric for metric in colours if any(np.nansum(by_metric[metric]) > 0 for by_metric in shares)]
    if top is None:
        heights = [np.nanmax(sum(by_metric[m] for m in met), initial=0.0) for by_metric in shares] if met else []
        top = 1.05 * max(heights, default=0.0)
    days = simulation.scenario.days
    edges = np.arange(days + 1) + 0.5
    panels = []
    for arm, key in zip(arms, arm_keys(simulation), strict=True):
        values = shares[arm]
        if np.isnan(next(iter(values.values()))).all():
            panels.append(Panel(key.label, "", "No learner was registered, so there is nothing to divide by."))
            continue
        if not any(np.nansum(values[metric]) > 0 for metric in met):
            panels.append(Panel(key.label, "", empty))
            continue

        def draw(axes: Axes, values: Mapping[str, Values] = values, top: float = top) -> None:
            below = np.zeros(days)
            for metric in met:
                above = below + values[metric]
                axes.stairs(above, edges, baseline=below, fill=True, color=colours[metric], linewidth=0)
                below = above
            axes.set_ylim(0, top)

        panels.append(Panel(key.label, svg(f"{name} {key.label}", draw, days, "day", formatter, whole=False)))
    keys = tuple(Key(_plain(metric), colours[metric]) for metric in met)
    return Plot(name, title, caption, keys, tuple(panels))


def _share(simulation: Simulation, arm: int, metric: str) -> Values:
    """Return a count divided by registered learners, mean over replications, (days,); NaN = nobody registered."""
    learners = _daily(simulation, arm, "learners")
    with np.errstate(invalid="ignore"):
        return np.asarray((_daily(simulation, arm, metric) / learners).mean(axis=0))


def _plain(metric: str) -> str:
    return metric.split("_", 1)[1].replace("_", " ")
