"""Every signal against its definition, recomputed from the raw history by ``definitions``."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import signals
from engine.notifications.catalogue import mark_sent
from engine.signals import catalogue, compute, names
from simulation import adapters
from simulation.adapters import event_log
from tests.conftest import ROOT
from tests.engine.definitions import NAIVE, Past
from tests.engine.histories import (
    GRACE_MS,
    MONDAY,
    RULES,
    Act,
    Habit,
    Life,
    arrive,
    daily,
    delayed,
    habits,
    happened,
)

REAL_LEARNERS, MOMENTS = 12, 5


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
    for day in (sent := sorted(luck.sample(range(min(a.day for a in acts), today + 1), min(5, silent)))):
        mark_sent(life.records, day, np.zeros(1, np.int8))
    compare(life, acts, today, tuple(sent))


@pytest.mark.parametrize("name", ["platform365", "oulad"])
def test_signals_of_real_learners_equal_their_definitions(name: str, data_dir: Path) -> None:
    """At several moments of a life: what came afterwards is not known yet."""
    log = event_log.resolve(adapters.adapter(name).convert(data_dir / name), RULES)
    luck, actions = random.Random(7), list(RULES.actions)
    by_learner = np.argsort(log.events["learner"], kind="stable")
    ends = np.cumsum(np.bincount(log.events["learner"]))
    for learner in luck.sample(range(len(ends)), REAL_LEARNERS):
        mine = log.events[by_learner[(ends[learner - 1] if learner else 0) : ends[learner]]]
        columns = (mine[field].tolist() for field in ("day", "minute", "occurred_ms", "action", "value", "event_id"))
        acts = [
            Act(day, minute, at_ms, 0, actions[code], None if math.isnan(value) else value, key, "UTC")
            for day, minute, at_ms, code, value, key in sorted(zip(*columns, strict=True), key=lambda row: row[2])
        ]
        life, done = Life(), 0
        for today in sorted({luck.randint(acts[0].day, acts[-1].day + 20) for _ in range(MOMENTS)}):
            known = [one for one in acts if one.day <= today]
            life.fold(*known[done:], known=True)
            life.close(today)
            done = len(known)
            compare(life, known, today)


def compare(life: Life, acts: list[Act], today: int, sent: tuple[int, ...] = ()) -> None:
    """Compare all signals of the one learner with their definitions, and with their ranges."""
    past, got = Past(acts, today, sent, int(life.now("streaks_ended"))), one_row(life)
    wanted = {name: function(past) for name, function in NAIVE.items()}
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
    assert len(entries) >= 60 and len(set(names())) == len(entries)
    families = Counter(entry.family for entry in entries)
    assert len(families) == 12 and min(families.values()) >= 3
    for entry in entries:
        assert entry.meaning.endswith(".") and entry.unit and entry.low < entry.high


def test_the_order_of_signals_is_that_of_their_files_whichever_was_imported_first() -> None:
    program = "import engine.signals.trend, engine.signals.gaps; from engine.signals import names; print(*names())"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert tuple(told.split()) == names()


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
