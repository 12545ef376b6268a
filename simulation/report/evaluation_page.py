"""The evaluation's page: how well a risk model tells drop-off on a log, how early, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulation.report.page import NOTHING
from simulation.report.templates import environment

_MEASURES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "calibration_slope": "calibration slope",
}
_ALARMS = {
    "ahead": "1 day ahead or more",
    "early": "3 to 7 days ahead",
    "early_or_before": "3 days ahead or more",
    "rang": "rang at all 3 to 7 days ahead",
}


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Write the report as one HTML file that needs no other file, no network and no script.

    Args:
        path: of the file, in a directory that exists.
        result: from `simulation.evaluation.evaluate`, with ``log`` and ``model``, their names.
    """
    draft = path.with_name(f".{path.name}.draft")
    text = (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            result=result,
            measures=_MEASURES,
            alarms=_ALARMS,
            figure=_figure,
            share=_share,
            plots=_plots(result),
        )
    )
    draft.write_text(text, encoding="utf-8", newline="\n")
    draft.replace(path)


def _figure(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return NOTHING
    interval = row.get("intervals", {}).get(name)
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _share(told: Mapping[str, Any] | None) -> str:
    if told is None or told["share"] is None:
        return NOTHING
    low, high = told["interval"]
    return f"{told['share']:.1%} ({low:.1%} to {high:.1%})"


def _plots(result: Mapping[str, Any]) -> list[Any]:
    from matplotlib.axes import Axes  # noqa: PLC0415  # Matplotlib takes half a second to load: only reports wait
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415  # as slow to load

    from simulation.report.drawing import svg  # noqa: PLC0415  # it imports Matplotlib
    from simulation.report.plots import ARM_COLOURS, Key, Panel, Plot  # noqa: PLC0415  # as slow to load

    percent = PercentFormatter(1.0, decimals=0)
    said, happened = Key("said", ARM_COLOURS[0], "5 3"), Key("happened", ARM_COLOURS[1], "")
    bins = result["reliability"]
    tenths = np.arange(1, len(bins) + 1)

    def reliability(axes: Axes) -> None:
        low, high = np.array([each["interval"] for each in bins]).T
        axes.fill_between(tenths, low, high, color=happened.colour, alpha=0.2, linewidth=0)
        axes.plot(tenths, [each["happened"] for each in bins], color=happened.colour, linewidth=2, marker="o")
        axes.plot(tenths, [each["said"] for each in bins], color=said.colour, linewidth=2, linestyle="dashed")
        axes.set_ylim(0, 1)

    budgets = list(result["lead_time"]["model"])
    keys = [Key(f"alarms on {budget} of days", ARM_COLOURS[place + 1], "") for place, budget in enumerate(budgets)]
    days = np.arange(1, 15)

    def ahead(who: str) -> str:
        def draw(axes: Axes) -> None:
            for key, budget in zip(keys, budgets, strict=True):
                counts = np.array(result["lead_time"][who][budget]["days"], float)
                shares = counts[::-1].cumsum()[::-1] / max(1.0, counts.sum())
                axes.plot(days, shares[1:15], color=key.colour, linewidth=2, marker="o", markersize=3.5)
            axes.set_ylim(bottom=0)

        return svg(f"lead {who}", draw, len(days), "days ahead", percent, whole=False)

    curve = svg("reliability", reliability, len(bins), "tenth of the learner-days", percent, whole=False)
    none = "Nobody dropped off within the data." if result["lead_time"]["drop_offs"] == 0 else ""
    return [
        Plot(
            "reliability",
            "What was said, and what happened",
            "Learner-days in ten parts by their risk, the lowest first. Band: 95% interval by learner.",
            (said, happened),
            (Panel("Share that drops off", curve),),
        ),
        Plot(
            "lead",
            "How early alarms ring",
            "Share of drop-offs before whose first silent day an alarm had rung for so many days, without a break. The "
            "recency rule rings for whoever has been silent longest.",
            tuple(keys),
            tuple(
                Panel(who, "" if none else ahead(who), none) for who in result["lead_time"] if who in result["budgets"]
            ),
        ),
    ]
