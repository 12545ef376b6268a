"""Measuring: medians of five, ratios within a run, and the machine beside every figure."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from api.wiring import cores

REPEATS = 5

Work = Callable[[], float | None]
"""Work to be timed; where it returns a number, that is its duration in seconds (it timed a part of itself)."""


@dataclass(frozen=True)
class Timing:
    """Repeated durations of the same work.

    Args:
        seconds: of each round, in order.
    """

    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)

    def rate(self, units: float) -> float:
        """Return units a second, at the median."""
        return units / self.median_s

    def spread(self) -> str:
        """Return how far the rounds lie apart: (slowest - quickest) / median."""
        return f"±{50 * (max(self.seconds) - min(self.seconds)) / self.median_s:.0f}%"


@dataclass(frozen=True)
class Table:
    """What a benchmark found.

    Args:
        columns: their headings.
        rows: cells of text.
        note: what a reader has to know beside the figures.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""

    def markdown(self) -> str:
        """Return the table as Markdown, which reads well on a terminal, too."""
        cells = [self.columns, *self.rows]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.columns))]
        lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        lines.insert(1, " | ".join("-" * width for width in widths))
        return "\n".join(f"| {line} |" for line in lines) + (f"\n\n{self.note}" if self.note else "")


def seconds_of(work: Work) -> float:
    """Run the work once; return how long it took."""
    began = time.perf_counter()
    own = work()
    return time.perf_counter() - began if own is None else own


def repeated(work: Work, repeats: int = REPEATS) -> Timing:
    """Time the work; the first call, which compiles and fills caches, is not counted."""
    return side_by_side({"": work}, repeats)[""]


def side_by_side(works: Mapping[str, Work], repeats: int = REPEATS) -> dict[str, Timing]:
    """Time several works round by round, so that what else the machine does meets them alike.

    The first call of each, which compiles and fills caches, is not counted.
    """
    for work in works.values():
        work()
    rounds = [{name: seconds_of(work) for name, work in works.items()} for _ in range(repeats)]
    return {name: Timing(tuple(measured[name] for measured in rounds)) for name in works}


def speed_ratio(one: Timing, other: Timing, units: float = 1.0, other_units: float = 1.0) -> float:
    """Return how many times as quick one is as the other, a unit: the median over rounds measured side by side."""
    pairs = zip(one.seconds, other.seconds, strict=True)
    return statistics.median((units / first) / (other_units / second) for first, second in pairs)


def machine() -> str:
    """Return what the figures were measured on: cores, processor, Python, load."""
    return (
        f"{cores()} cores ({_processor()}), {platform.system()}, Python {platform.python_version()}, "
        f"load of the last minute {os.getloadavg()[0]:.1f}, medians of {REPEATS}"
    )


def millions(rate: float) -> str:
    """Return a rate in millions, to three figures."""
    return f"{rate / 1e6:.3g} M"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
