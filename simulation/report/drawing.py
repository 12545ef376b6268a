"""One drawing as an inline SVG element: the same bytes for the same figures, readable on light and on dark ground.

Ink is ``currentColor`` and lines are a CSS variable of the page. A drawing holds no text but that of its axes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, MaxNLocator, MultipleLocator

INK = "#010203"
"""Stand-in for the page's ink while a figure is drawn."""

_LINE = "#010204"  # the same for the colour of its lines
_SIZE_IN = (5.4, 3.0)  # small: on a phone the text is still as large as the page's
_WHOLE_WEEKS = 14  # days from which ticks fall on the ends of weeks


def svg(name: str, draw: Callable[[Axes], None], points: int, unit: str, formatter: Formatter, whole: bool) -> str:
    """Return a drawing as an ``<svg>`` element that needs nothing beyond the page's own style.

    Args:
        name: differs between the drawings of a page, so that the ids in them do.
        draw: called with the axes; x is 1 ... ``points``.
        points: along x.
        unit: of x, ``day`` or ``week``.
        formatter: of the numbers along y.
        whole: y counts something.
    """
    with mpl.rc_context():
        mpl.rcdefaults()  # a reader's own matplotlibrc changes no report
        mpl.rcParams.update({"svg.hashsalt": name, "svg.fonttype": "none", "font.size": 9})
        figure = Figure(figsize=_SIZE_IN, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_xlim(0.5, points + 0.5)
        weeks_apart = -(-points // 56)
        weekly = unit == "day" and points >= _WHOLE_WEEKS
        axes.xaxis.set_major_locator(MultipleLocator(7 * weeks_apart) if weekly else MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=whole))
        axes.yaxis.set_major_formatter(formatter)
        axes.set_xlabel(unit, color=INK)
        axes.grid(axis="y", color=_LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(color=_LINE, labelcolor=INK, length=3)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(_LINE)
        out = io.StringIO()
        none = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # metadata name a version and an address
        figure.savefig(out, format="svg", transparent=True, metadata=none)
    return _inline(out.getvalue())


_CHANGES = (
    (r"^.*?(?=<svg)", ""),  # prologue
    (r"<defs>\s*<style.*?</style>\s*</defs>", ""),  # it would hold for the whole page
    (r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1">'),  # as wide as the page lets it be
    (r'<g id="[^"]*"', "<g"),  # an id stands once in a page
    (r"<!--.*?-->", ""),
    (r"xlink:href", "href"),
    (INK, "currentColor"),
    (_LINE, "var(--line)"),
    (r"\s*\n\s*", "\n"),
)


def _inline(document: str) -> str:
    """Return the element of an SVG document, fit to stand beside others in one page."""
    for pattern, replacement in _CHANGES:
        document = re.sub(pattern, replacement, document, flags=re.DOTALL)
    return document.strip()
