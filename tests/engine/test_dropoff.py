"""Drop-off's definition: which silences are one, how far ahead they are seen, and who is scored for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS, labels


def active_days(days: int, *spans: range | int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    row = np.zeros((1, days), bool)
    for span in spans:
        row[0, list(span) if isinstance(span, range) else span] = True
    return row


def at(row: np.ndarray[Any, np.dtype[np.bool_]], day: int) -> bool:
    return bool(labels(row).dropped[0, day])


def test_drop_off_is_14_silent_days_seen_7_days_ahead() -> None:
    assert (SILENT_DAYS, HORIZON_DAYS) == (14, 7)


def test_a_run_of_14_silent_days_is_a_drop_off_and_one_of_13_is_none() -> None:
    stays = active_days(60, range(11), range(24, 60))  # silent on days 11-23: 13 days
    drops = active_days(60, range(11), range(25, 60))  # silent on days 11-24: 14 days
    assert not any(at(stays, day) for day in range(39))
    assert at(drops, 10)


def test_a_drop_off_counts_from_7_days_before_its_first_silent_day() -> None:
    drops = active_days(60, range(11), range(25, 60))  # begins on day 11
    assert [day for day in range(20) if at(drops, day)] == list(range(4, 20))
    assert not labels(drops).eligible[0, 24]  # the 14th silent day: dropped off, no longer scored
    assert labels(drops).eligible[0, 23]
    assert not any(at(drops, day) for day in range(25, 39))  # back again, and here to stay


def test_a_silence_in_progress_that_ends_in_time_may_be_followed_by_one_that_does_not() -> None:
    row = active_days(40, range(4), 9)  # silent 4-8, back on 9, gone from 10 on
    assert not at(row, 2)
    assert at(row, 3)  # day 10 is 7 days ahead
    assert at(row, 5)


def test_nobody_is_scored_before_their_first_active_day() -> None:
    assert labels(active_days(40, 5)).eligible[0].nonzero()[0].tolist() == list(range(5, 5 + SILENT_DAYS))


def test_a_label_needs_data_to_the_end_of_the_last_silence_that_could_begin() -> None:
    row = active_days(50, range(50))
    assert labels(row).known[0].sum() == 50 - (HORIZON_DAYS + SILENT_DAYS - 1)
    assert labels(row, np.array([39])).known[0].nonzero()[0].max() == 39 - HORIZON_DAYS - SILENT_DAYS + 1


def test_what_comes_after_the_end_of_the_data_is_not_looked_at() -> None:
    back_later = active_days(80, range(20), 70)
    gone = active_days(80, range(20))
    for ours, theirs in zip(vars(labels(back_later, 60)).values(), vars(labels(gone, 60)).values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def plain_label(row: list[bool], day: int, silent: int, horizon: int) -> bool:
    """The definition, word for word."""
    newest = max(past for past in range(day + 1) if row[past])
    for first in range(newest + 1, day + horizon + 1):
        run_begins = row[first - 1] and not row[first]
        if run_begins and not any(row[first : first + silent]):
            return True
    return False


@given(st.lists(st.booleans(), min_size=14, max_size=40), st.integers(1, 5), st.integers(1, 4))
def test_labels_equal_the_definition_word_for_word(row: list[bool], silent: int, horizon: int) -> None:
    found = labels(np.array([row]), None, silent, horizon)
    for day in range(len(row)):
        began = any(row[: day + 1])
        assert found.eligible[0, day] == (began and any(row[max(0, day - silent + 1) : day + 1]))
        assert found.known[0, day] == (day + horizon + silent <= len(row))
        if found.eligible[0, day] and found.known[0, day]:
            assert found.dropped[0, day] == plain_label(row, day, silent, horizon)
