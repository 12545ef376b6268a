"""Metrics against a naive oracle: raw sets of active days and plain counting, straight from the definitions."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine import batch, events, outcomes, record
from engine.arrival import SEEN
from engine.errors import InputError
from engine.rules import Rules, load
from simulation.metrics import GROUPS, METRICS, RETENTION_WINDOWS, STANDINGS, CohortMeter
from simulation.series import (
    MONTH_DAYS,
    Moment,
    Series,
    at,
    completions,
    dau,
    dau_mean_last7,
    days_needed,
    is_counted,
    mau,
    retention,
    wau,
)

RULES = load()
START = 19_730
DAYS = 100
LIVES = st.lists(st.tuples(st.integers(0, 20), st.sets(st.integers(0, DAYS - 1), max_size=40)), min_size=1, max_size=20)
"""Of each learner: the day of registration, and days of activity, which begin with it."""


class Cohort:
    """Learners with known days of activity, folded day by day through the engine and measured each evening."""

    def __init__(self, lives: list[tuple[int, set[int]]], first_learner: int = 0, days: int = DAYS) -> None:
        self.registered = [first for first, _ in lives]
        self.active = [{day for day in active if day >= first} for first, active in lives]
        self.first_learner = first_learner
        self.records = record.new_records(len(lives))
        self.records["first_day"] = self.records["as_of"] = START + np.array(self.registered)
        meter: CohortMeter = pickle.loads(pickle.dumps(CohortMeter.by(RULES)))  # noqa: S301  # our own bytes: it has to travel to actors
        silent = np.full(len(lives), -1, np.int8)
        self.counts = np.stack([self._day(day, meter, silent) for day in range(days)])

    def _day(self, day: int, meter: CohortMeter, sent: NDArray[np.int8]) -> NDArray[np.int64]:
        before, out = outcomes.scratch(), np.zeros(2 * outcomes.MARGIN, outcomes.OUTCOME)
        days = np.full(len(self.records), START + day, np.int32)
        closed, _ = batch.close_day(self.records, days, 0, RULES.record, before, out, 0)
        active = [place for place, days in enumerate(self.active) if day in days]
        rows = events.empty(len(active))
        rows["learner"], rows["day"], rows["minute"] = active, START + day, 600
        rows["occurred_ms"] = rows["arrived_ms"] = (START + day) * 86_400_000 + 36_000_000
        rows["action"] = RULES.code("lesson_complete")
        verdicts = np.zeros(len(rows), np.uint8)
        folded, _ = batch.fold_batch(self.records, rows, 0, RULES.record, np.zeros(0, SEEN), verdicts, before, out, 0)
        assert (closed, folded) == (len(self.records), len(rows))
        record.check(self.records)
        return meter.measure(START + day, self.records, self.first_learner, sent)

    def here(self, day: int) -> list[int]:
        return [place for place, first in enumerate(self.registered) if first <= day]

    def active_within(self, place: int, first: int, last: int) -> bool:
        return any(first <= day <= last for day in self.active[place])


def oracle_state(active: set[int], day: int) -> str:
    """Return the growth state as the definition reads."""
    past = [day - other for other in active if other < day]
    if day in active:
        if not past:
            return "new"
        return "current" if min(past) <= 6 else "reactivated" if min(past) <= 29 else "resurrected"
    if not past:
        return "not_started"
    return "at_risk_wau" if min(past) <= 6 else "at_risk_mau" if min(past) <= 29 else "dormant"


def oracle_retention(cohort: Cohort, n: int, w: int, days: int = DAYS) -> tuple[int, int]:
    eligible = [k for k, first in enumerate(cohort.registered) if days - first >= n + w]
    kept = [k for k in eligible if any(n <= day - cohort.registered[k] < n + w for day in cohort.active[k])]
    return len(kept), len(eligible)


@given(LIVES)
def test_daily_counts_against_raw_days(lives: list[tuple[int, set[int]]]) -> None:
    cohort = Cohort(lives)
    for day in range(DAYS):
        here = cohort.here(day)
        got = dict(zip(METRICS, cohort.counts[day].sum(axis=0).tolist(), strict=True))
        assert got["learners"] == len(here)
        assert got["active"] == sum(day in cohort.active[k] for k in here)
        assert got["wau"] == sum(cohort.active_within(k, day - 6, day) for k in here)
        assert got["mau"] == sum(cohort.active_within(k, day - 29, day) for k in here)
        assert got["units"] == sum(sum(other <= day for other in cohort.active[k]) for k in here)
        states = Counter(oracle_state({other for other in cohort.active[k] if other <= day}, day) for k in here)
        assert {name[7:]: got[name] for name in METRICS if name.startswith("growth_") and got[name]} == states
        assert got["wau"] == got["active"] + got["growth_at_risk_wau"]
        assert got["mau"] == got["wau"] + got["growth_at_risk_mau"]


@given(LIVES)
def test_retention_against_raw_days(lives: list[tuple[int, set[int]]]) -> None:
    cohort = Cohort(lives)
    for n, w in RETENTION_WINDOWS:
        kept, eligible = oracle_retention(cohort, n, w)
        got = retention(Series(cohort.counts), n, w)
        assert (got.numerator.sum(), got.denominator.sum()) == (kept, eligible)  # type: ignore[union-attr]  # a share has one
        assert got.value() == (kept / eligible if eligible else None)


def test_a_retention_counts_on_the_day_its_window_ends_and_not_before() -> None:
    cohort = Cohort([(0, {0, 84}), (0, {0, 83}), (0, {0, 90}), (1, {1, 85})], days=92)
    for days, expected in ((90, None), (91, 2 / 3), (92, 3 / 4)):
        assert retention(Series(cohort.counts[:days]), 84, 7).value() == expected


@given(LIVES, st.integers(0, 40))
def test_each_learner_counts_in_the_group_of_its_number(lives: list[tuple[int, set[int]]], first: int) -> None:
    cohort = Cohort(lives, first, days=30)
    expected = np.bincount([(first + k) % GROUPS for k in cohort.here(29)], minlength=GROUPS)
    assert Series(cohort.counts).column("learners")[29].tolist() == expected.tolist()


@given(LIVES, st.data())
def test_counts_add_up_over_actors(lives: list[tuple[int, set[int]]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(lives)))
    parts = [Cohort(part, first, days=40) for part, first in ((lives[:cut], 0), (lives[cut:], cut)) if part]
    assert np.array_equal(Cohort(lives, days=40).counts, sum(part.counts for part in parts))


def test_totals_standings_consents_and_sends_are_those_of_the_records() -> None:
    rng = np.random.default_rng(5)
    number = 500
    records = record.new_records(number, START)
    records["totals"][:, RULES.code("course_complete")] = rng.integers(0, 3, number)
    records["totals"][:, RULES.code("lesson_complete")] = rng.integers(0, 300, number)
    for name in ("xp", "streak", "longest_streak", "freezes", "freezes_used"):
        records["view"][name] = rng.integers(0, 5, number)
    records["standing"], records["consent"] = rng.integers(0, 6, number), rng.integers(0, 16, number)
    records["first_day"][:50] = START + 1  # not yet registered
    records["first_day"][50:60] = record.NEVER
    sent = rng.integers(-1, 8, number).astype(np.int8)
    series = Series(CohortMeter.by(RULES).measure(START, records, 0, sent)[None])
    here = records[60:]
    view, mine = here["view"], sent[60:]
    expected = {
        "learners": number - 60,
        "growth_not_started": number - 60,
        "completions": np.count_nonzero(here["totals"][:, RULES.code("course_complete")]),
        "units": here["totals"][:, RULES.code("lesson_complete")].sum(),
        "xp": view["xp"].sum(),
        "streaks_alive": np.count_nonzero(view["streak"]),
        "streak_days": view["streak"].sum(),
        "longest_streak_days": view["longest_streak"].sum(),
        "freezes_held": view["freezes"].sum(),
        "freezes_used": view["freezes_used"].sum(),
        **{f"standing_{name}": np.count_nonzero(here["standing"] == code) for code, name in enumerate(STANDINGS)},
        "without_email": np.count_nonzero((here["consent"] & 1) == 0),
        "without_push": np.count_nonzero((here["consent"] & 2) == 0),
        "without_in_app": np.count_nonzero((here["consent"] & 4) == 0),
        "without_sms": np.count_nonzero((here["consent"] & 8) == 0),
        "sent_gentle_reminder": np.count_nonzero(mine == 0),
        "sent_streak_warning": np.count_nonzero(mine == 1),
        "sent_human_outreach": np.count_nonzero(mine == 7),
    }
    assert {name: int(series.daily(name)[0]) for name in expected} == expected
    assert sum(int(series.daily(name)[0]) for name in METRICS if name.startswith("sent_")) == np.count_nonzero(
        mine >= 0
    )


def test_daily_and_monthly_series_from_known_counts() -> None:
    counts = np.zeros((60, GROUPS, len(METRICS)), np.int64)
    for name, values in (("active", range(60)), ("wau", range(100, 160)), ("mau", range(200, 260))):
        counts[:, 3, METRICS.index(name)] = values
    counts[:, :, METRICS.index("learners")] = 5
    counts[59, 2:4, METRICS.index("completions")] = 4
    series = Series(counts)
    assert dau(series, 12).value() == 12
    assert wau(series, 12).value() == 112
    assert mau(series, 12).value() == 212
    assert dau_mean_last7(series, 1).value() == np.mean(range(23, 30))
    assert at(series, "dau", Moment("month", 2)).value() == np.mean(range(53, 60))
    assert at(series, "dau", Moment("day", 9)).value() == 9
    assert at(series, "wau", Moment("month", 1)).value() == 129
    assert at(series, "completions", Moment("month", 2)).value() == completions(series, 59).value() == 8 / 80
    assert completions(series, 58).value() == 0
    assert completions(Series(np.zeros_like(counts)), 59).value() is None


@pytest.mark.parametrize(
    ("metric", "moment", "days"),
    [
        ("retention", Moment("month", 1), 31),
        ("retention", Moment("month", 3), 91),
        ("retention", Moment("day", 7), 8),
        ("dau", Moment("month", 1), MONTH_DAYS),
        ("completions", Moment("month", 3), 90),
        ("mau", Moment("day", 0), 1),
    ],
)
def test_days_that_a_metric_needs(metric: str, moment: Moment, days: int) -> None:
    assert days_needed(metric, moment) == days


def test_month_retention_is_counted_as_designed() -> None:
    assert Moment("month", 1).window == (24, 7)
    assert Moment("month", 3).window == (84, 7)
    assert all(is_counted("retention", Moment("month", month)) for month in (1, 2, 3))
    assert not is_counted("retention", Moment("day", 5))
    assert is_counted("dau", Moment("day", 5))


def test_names_are_unique_and_a_misspelt_one_is_refused() -> None:
    assert len(METRICS) == len(set(METRICS))
    with pytest.raises(InputError, match="Did you mean 'streaks_alive'"):
        Series(np.zeros((1, GROUPS, len(METRICS)), np.int64)).daily("streak_alive")


def test_rules_with_other_bands_are_refused() -> None:
    bands = [{"name": band.name, "from": band.from_} for band in RULES.bands]
    other = Rules.model_validate({**RULES.model_dump(), "bands": [{**bands[0], "name": "red"}, *bands[1:]]})
    with pytest.raises(InputError, match="red, high, medium, low"):
        CohortMeter.by(other)
