"""Series: rates and numbers of learners over the days of one arm and replication, derived from the cohort's counts.

Days are indices: 0 is the scenario's first local day. **Month m** ends with day index ``30 m - 1``. Only retention
looks further, as it is defined: month 1 is (24, 7) and needs 31 days of data, month 3 is (84, 7) and needs 91.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, did_you_mean
from simulation.metrics import METRICS, RETENTION_WINDOWS

MONTH_DAYS = 30


@dataclass(frozen=True)
class Ratio:
    """A metric's value as a sum over groups divided by a sum over groups, so that groups can be left out.

    Args:
        numerator: float64 (groups,).
        denominator: float64 (groups,); None = the metric is a number of learners, not a share.
    """

    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64] | None = None

    def value(self) -> float | None:
        """Return the value; None for a zero denominator, which has no verdict."""
        below = 1.0 if self.denominator is None else float(self.denominator.sum())
        return float(self.numerator.sum()) / below if below else None

    def without_each(self) -> NDArray[np.float64]:
        """Return the value without each group in turn, float64 (groups,); NaN for a zero denominator."""
        above = np.asarray(self.numerator.sum() - self.numerator)
        if self.denominator is None:
            return above
        below = self.denominator.sum() - self.denominator
        return np.where(below == 0, np.nan, above / np.where(below == 0, 1, below))


@dataclass(frozen=True)
class Series:
    """Counts of one arm in one replication.

    Args:
        counts: int64 (days, groups, metrics), from `simulation.metrics.CohortMeter`, summed over actors.
    """

    counts: NDArray[np.int64]

    @property
    def days(self) -> int:
        """Return the number of days."""
        return len(self.counts)

    def column(self, metric: str) -> NDArray[np.int64]:
        """Return the counts of a metric by day and group, int64 (days, groups).

        Raises:
            InputError: unknown metric.
        """
        if metric not in METRICS:
            raise InputError("metric", repr(metric), "a metric of the cohort", did_you_mean(metric, METRICS))
        return np.asarray(self.counts[:, :, METRICS.index(metric)])

    def daily(self, metric: str) -> NDArray[np.int64]:
        """Return the counts of a metric by day, int64 (days,)."""
        return np.asarray(self.column(metric).sum(axis=1))


def _of_day(series: Series, metric: str, day: int) -> NDArray[np.float64]:
    return np.asarray(series.column(metric)[day], np.float64)


def dau(series: Series, day: int) -> Ratio:
    """Return the number of learners active on a day."""
    return Ratio(_of_day(series, "active", day))


def wau(series: Series, day: int) -> Ratio:
    """Return the number of learners active on any of the 7 days that end with ``day``."""
    return Ratio(_of_day(series, "wau", day))


def mau(series: Series, day: int) -> Ratio:
    """Return the number of learners active on any of the 30 days that end with ``day``."""
    return Ratio(_of_day(series, "mau", day))


def dau_mean_last7(series: Series, month: int) -> Ratio:
    """Return the mean of daily active learners over the last 7 days of a month, which counts from 1."""
    end = MONTH_DAYS * month
    return Ratio(series.column("active")[end - 7 : end].mean(axis=0))


def retention(series: Series, n: int, w: int) -> Ratio:
    """Return the retention (n, w): of the learners registered for n + w days, the share active in [n, n + w).

    A learner counts from the day on which this window ends. The windows counted are `RETENTION_WINDOWS`.
    """
    eligible, retained = (
        series.column(f"retention_{n}_{w}_{part}").sum(axis=0).astype(np.float64) for part in ("eligible", "retained")
    )
    return Ratio(retained, eligible)


def completions(series: Series, day: int) -> Ratio:
    """Return the share of registered learners who have completed a course by the end of a day."""
    return Ratio(_of_day(series, "completions", day), _of_day(series, "learners", day))


@dataclass(frozen=True)
class Moment:
    """When a claim is about.

    Args:
        unit: of the number.
        number: months count from 1, days are indices from 0.
    """

    unit: Literal["month", "day"]
    number: int

    @property
    def last_day(self) -> int:
        """Return the index of the day, or of the month's last day."""
        return self.number if self.unit == "day" else MONTH_DAYS * self.number - 1

    @property
    def window(self) -> tuple[int, int]:
        """Return (n, w) of the retention: the day alone, or the week about the month's end."""
        return (self.number, 1) if self.unit == "day" else (MONTH_DAYS * self.number - 6, 7)


def _dau_at(series: Series, moment: Moment) -> Ratio:
    return dau(series, moment.number) if moment.unit == "day" else dau_mean_last7(series, moment.number)


_CLAIM_METRICS: dict[str, Callable[[Series, Moment], Ratio]] = {
    "retention": lambda series, moment: retention(series, *moment.window),
    "dau": _dau_at,
    "wau": lambda series, moment: wau(series, moment.last_day),
    "mau": lambda series, moment: mau(series, moment.last_day),
    "completions": lambda series, moment: completions(series, moment.last_day),
}

CLAIM_METRICS = tuple(_CLAIM_METRICS)
"""What a claim may be about."""

SHARES = ("retention", "completions")
"""Those that are shares of learners, so that a difference in points has a meaning."""


def at(series: Series, metric: str, moment: Moment) -> Ratio:
    """Return one of `CLAIM_METRICS` at a moment; the series has at least `days_needed` days."""
    return _CLAIM_METRICS[metric](series, moment)


def days_needed(metric: str, moment: Moment) -> int:
    """Return how many days of data a metric needs at a moment."""
    return sum(moment.window) if metric == "retention" else moment.last_day + 1


def is_counted(metric: str, moment: Moment) -> bool:
    """Return whether the metric is counted at that moment; only retention is bound to certain windows."""
    return metric != "retention" or moment.window in RETENTION_WINDOWS
