"""Every signal against its definition, recomputed from the raw history: plain sets of days and lists of events."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import signals
from engine.record import WORD_DAYS
from engine.signals import catalogue, compute, names
from tests.engine.histories import GRACE_MS, MONDAY, Act, Habit, Life, arrive, daily, delayed, habits, happened, judged

QUALIFYING = {name for name, action in Life().rules.actions.items() if action.qualifies}


class Past:
    """A learner's raw history, looked at from the end of the last day that says something."""

    def __init__(self, acts: list[Act], today: int) -> None:
        self.acts = acts
        self.days = {a.day for a in acts}
        self.now = today if today in self.days else today - 1
        self.ago = sorted(self.now - day for day in self.days if self.now - day < WORD_DAYS)  # newest first
        self.silent = self.ago[0] if self.ago else WORD_DAYS
        self.tenure = max(1, self.now - min(self.days))
        self.view = judged(acts, today)[0]
        # Distances between active days of the last 56, the silence in progress aside.
        self.distances = [older - newer for newer, older in zip(self.ago, self.ago[1:], strict=False)]

    def active(self, first: int, last: int) -> int:
        """Return the active days of those first..last-1 days ago."""
        return sum(first <= ago < last for ago in self.ago)

    def events(self, half_life: float) -> float:
        """Return events, each weighted by age; a perfect quiz is an event beside the quiz."""
        weights = (2.0 ** (-(self.now - a.day) / half_life) * (2 if perfect(a) else 1) for a in self.acts)
        return math.fsum(weights)

    def mean_gap(self) -> float:
        return (sum(self.distances) + 7) / len(self.ago) if self.ago else float(WORD_DAYS)


def perfect(one: Act) -> bool:
    return one.action == "quiz_complete" and one.value is not None and one.value >= 1


def coming_weekday(p: Past) -> float:
    same = p.active(6, 7) + sum(p.active(k, k + 1) for k in range(13, WORD_DAYS, 7))
    return (same + 0.5) / (max(min(8, p.tenure // 7 + 1), same) + 1)


def weekend(p: Past) -> float:
    on = sum((p.now - ago + 3) % 7 in {5, 6} for ago in p.ago)  # day 0 was a Thursday, Monday is 0
    return (on + 2) / (len(p.ago) + 7)


def latest_run(p: Past) -> float:
    length = 0
    while p.ago and p.silent + length in p.ago:
        length += 1
    return float(length)


def concentration(p: Past) -> float:
    angles = [2 * math.pi * (a.minute // 60) / 24 for a in p.acts]
    x, y = math.fsum(map(math.cos, angles)), math.fsum(map(math.sin, angles))
    return math.hypot(x, y) / (len(angles) + 1)


def survived(p: Past) -> float:
    if not p.ago:
        return 0.0
    longer = sum(distance > p.silent for distance in p.distances)
    return (longer + 0.5) / len(p.ago)


def accuracy(p: Past) -> float:
    scores = [min(max(a.value, 0.0), 1.0) for a in p.acts if a.action == "quiz_complete" and a.value is not None]
    return (sum(int(score * 10_000 + 0.5) for score in scores) / 10_000 + 1) / (len(scores) + 2)


def since_qualifying(p: Past) -> float:
    ago = [p.now - a.day for a in p.acts if a.action in QUALIFYING]
    return float(min([*ago, WORD_DAYS]))


def ended_rate(life: Life, p: Past) -> float:
    return min(1.0, life.now("streaks_ended") / p.tenure)


NAIVE: dict[str, Callable[[Past], float]] = {
    "silent_days": lambda p: p.silent,
    "log_silent_days": lambda p: math.log(1 + p.silent),
    "days_since_qualifying": since_qualifying,
    "log_tenure_days": lambda p: math.log(1 + p.tenure),
    "active_days_3": lambda p: p.active(0, 3),
    "active_days_7": lambda p: p.active(0, 7),
    "active_days_14": lambda p: p.active(0, 14),
    "active_days_28": lambda p: p.active(0, 28),
    "active_days_56": lambda p: p.active(0, 56),
    "active_share": lambda p: min(1.0, (len(p.days) + 1) / (p.tenure + 2)),
    "log_events_1d": lambda p: math.log(1 + p.events(1)),
    "log_events_7d": lambda p: math.log(1 + p.events(7)),
    "log_events_28d": lambda p: math.log(1 + p.events(28)),
    "mean_gap_days": Past.mean_gap,
    "longest_gap_days": lambda p: max(p.distances, default=1) - 1,
    "silence_over_mean_gap": lambda p: p.silent / max(1.0, p.mean_gap()),
    "silences_survived": survived,
    "active_days_change_7": lambda p: p.active(0, 7) - p.active(7, 14),
    "active_days_change_28": lambda p: p.active(0, 28) - p.active(28, 56),
    "events_trend": lambda p: math.log((1 + p.events(7)) / (1 + p.events(28))),
    "usual_on_coming_weekday": coming_weekday,
    "weekend_share": weekend,
    "consecutive_days": latest_run,
    "hour_concentration": concentration,
    "log_streak": lambda p: math.log(1 + p.view["streak"]),
    "log_longest_streak": lambda p: math.log(1 + p.view["longest_streak"]),
    "freezes_held": lambda p: p.view["freezes"],
    "level": lambda p: p.view["level"],
    "log_xp_week": lambda p: math.log(1 + p.view["xp_week"]),
    "quiz_accuracy": accuracy,
}


def one_row(life: Life) -> dict[str, float]:
    values = compute(life.records, np.zeros(1, np.int64))[0]
    return dict(zip(names(), values.tolist(), strict=True))


@settings(max_examples=150)
@given(habits(["UTC"]), st.integers(0, 999), st.integers(0, 70))
def test_signals_equal_their_definitions(stretches: list[Habit], seed: int, silent: int) -> None:
    acts = happened(MONDAY, stretches)
    if not acts:
        return
    today = max(a.day for a in acts) + silent
    luck = random.Random(seed)
    life = Life()
    arrive(life, delayed(acts, luck, GRACE_MS), luck, today)
    past, got = Past(acts, today), one_row(life)
    wanted = {name: function(past) for name, function in NAIVE.items()}
    wanted["streaks_ended_rate"] = ended_rate(life, past)
    assert set(got) == set(wanted)
    for name, value in wanted.items():
        assert got[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
    for entry in catalogue():
        assert entry.low <= got[entry.name] <= entry.high, entry.name


def test_extreme_learners_stay_within_each_signals_range() -> None:
    """Whoever clicks a thousand times a day for a year, and whoever came once, years ago."""
    busy = Life()
    for day in range(400):
        busy.fold(*[daily(day, action="reading", hour=k / 60)[0] for k in range(1_000 if day > 380 else 1)])
    once = Life()
    once.fold(*daily(0))
    once.close(3_000)
    for life in (busy, once):
        for entry, value in zip(catalogue(), compute(life.records, np.zeros(1, np.int64))[0], strict=True):
            assert entry.low <= value <= entry.high, entry.name


def test_the_catalogue_explains_every_signal() -> None:
    entries = catalogue()
    assert len(entries) >= 20 and len(set(names())) == len(entries)
    families = {"recency", "frequency", "gaps", "trend", "rhythm", "gamification"}
    assert families <= {entry.family for entry in entries}
    for entry in entries:
        assert entry.meaning.endswith(".") and entry.unit and entry.low < entry.high


def test_a_row_never_depends_on_the_others() -> None:
    life = Life(50)
    for learner in range(50):
        life.fold(*daily(*range(0, 60, learner % 7 + 1), learner=learner))
    life.close(60)
    rows = np.array([7, 3, 3, 49, 0])
    singly = np.concatenate([compute(life.records, rows[k : k + 1]) for k in range(5)])
    np.testing.assert_array_equal(compute(life.records, rows), singly)
    assert compute(life.records, rows[:0]).shape == (0, len(names()))
    before = life.records.tobytes()
    compute(life.records, rows)
    assert life.records.tobytes() == before


def test_what_was_sent_and_what_was_scored_says_nothing() -> None:
    """Signals look at behaviour: not at risk, so that it cannot feed itself, and not at the row's number."""
    life = Life()
    life.fold(*daily(*range(9)))
    before = one_row(life)
    life.records["risk"], life.records["standing"], life.records["learner"] = 99.0, 1, 12
    assert one_row(life) == before


def test_a_second_definition_and_a_signal_without_words_are_refused() -> None:
    from engine.errors import InputError

    def level(r: Any, now: Any) -> float:
        """Another one."""
        return 0.0

    def wordless(r: Any, now: Any) -> float:
        return 0.0

    with pytest.raises(InputError, match="each name once"):
        signals.signal("level", 0, 1)(level)
    with pytest.raises(InputError, match="no docstring"):
        signals.signal("level", 0, 1)(wordless)
    assert "wordless" not in names()
