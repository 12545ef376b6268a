"""Rings of days against sets of days."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import bitmaps
from engine.record import WORD_DAYS, WORDS

RING = WORD_DAYS * WORDS
BOUNDARIES = [k * WORD_DAYS + edge for k in (0, 1, 352, 353, 357) for edge in (-1, 0, 1)]
DAYS = st.one_of(st.sampled_from(BOUNDARIES), st.integers(-1000, 30_000))
BITS = st.integers(0, (1 << WORD_DAYS) - 1)


def ring(days: set[int]) -> np.ndarray:
    bits = np.zeros(WORDS, np.int64)
    for day in days:
        bitmaps.set_day(bits, day)
    return bits


@given(DAYS, st.sets(st.integers(0, RING - 1)))
def test_a_window_holds_the_56_days_that_end_with_its_day(today: int, ago: set[int]) -> None:
    bits = ring({today - back for back in ago})
    assert (bits >= 0).all() and (bits < 1 << WORD_DAYS).all()
    for end in range(today, today - WORD_DAYS - 2, -1):
        naive = sum(1 << back for back in range(WORD_DAYS) if today - end + back in ago)
        assert bitmaps.window(bits, end) == naive


@pytest.mark.parametrize("today", BOUNDARIES)
def test_every_day_around_a_word_boundary_by_itself(today: int) -> None:
    for back in range(WORD_DAYS):
        assert bitmaps.window(ring({today - back}), today) == 1 << back
    assert bitmaps.window(ring({today - WORD_DAYS, today + 1}), today) == 0
    assert bitmaps.window(ring(set(range(today - RING + 1, today + 1))), today) == (1 << WORD_DAYS) - 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, RING - 1)), max_size=60), DAYS)
def test_days_are_set_and_cleared_as_in_a_set(steps: list[tuple[bool, int]], first: int) -> None:
    bits, days = np.zeros(WORDS, np.int64), set[int]()
    for marks, offset in steps:
        day = first + offset
        if marks:
            assert bitmaps.set_day(bits, day) == (day not in days)
            days.add(day)
        else:
            bitmaps.clear_day(bits, day)
            days.discard(day)
    assert {first + k for k in range(RING) if bitmaps.has_day(bits, first + k)} == days


@given(BITS)
def test_counting_reversing_and_the_newest_day(days: int) -> None:
    text = f"{days:056b}"
    assert bitmaps.count(days) == text.count("1")
    assert bitmaps.reverse(days) == int(text[::-1], 2)
    assert bitmaps.newest(days) == (WORD_DAYS if days == 0 else len(text) - 1 - text.rindex("1"))


def test_the_ends_of_a_window() -> None:
    full = (1 << WORD_DAYS) - 1
    assert (bitmaps.count(full), bitmaps.reverse(full), bitmaps.newest(full)) == (WORD_DAYS, full, 0)
    assert (bitmaps.count(0), bitmaps.reverse(0), bitmaps.newest(0)) == (0, 0, WORD_DAYS)
    assert bitmaps.newest(1 << 55) == 55 and bitmaps.reverse(1) == 1 << 55
