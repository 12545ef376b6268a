"""Leaderboards against a naive oracle: sorted lists and counting, straight from the rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calendar import date_of, day_number
from engine.errors import InputError
from engine.leaderboards import Entry, Leaderboard, competition_ranks, percentiles, scores
from engine.record import NEVER, new_records

SCORES = st.lists(st.integers(0, 6) | st.integers(0, 2**31 - 1), min_size=1, max_size=30)
MONDAY = day_number(date_of(0)) + 4  # 1970-01-05


def _oracle(values: list[int], ids: list[str]) -> list[Entry]:
    lines = sorted(zip(values, ids, strict=True), key=lambda line: (-line[0], line[1]))
    return [Entry(learner, score, 1 + sum(other > score for other in values)) for score, learner in lines]


def test_equal_scores_share_a_rank_and_the_next_is_skipped() -> None:
    assert competition_ranks(np.array([50, 90, 90, 10])).tolist() == [3, 1, 1, 4]


def test_percentile_is_the_share_strictly_below() -> None:
    assert percentiles(np.array([0, 0, 10, 20])).tolist() == [0.0, 0.0, 50.0, 75.0]


@given(SCORES)
def test_ranks_and_percentiles_against_counting(values: list[int]) -> None:
    array = np.array(values)
    assert competition_ranks(array).tolist() == [1 + sum(other > value for other in values) for value in values]
    below = [100 * sum(other < value for other in values) / len(values) for value in values]
    assert percentiles(array).tolist() == pytest.approx(below)
    assert np.all((percentiles(array) >= 0) & (percentiles(array) < 100))


@given(SCORES, st.integers(0, 35), st.integers(0, 4), st.randoms(use_true_random=False))
def test_top_and_standings_against_sorted_lists(values: list[int], n: int, neighbours: int, random: object) -> None:
    ids = [f"u-{number:02}" for number in range(len(values))]
    random.shuffle(ids)  # type: ignore[attr-defined]  # Hypothesis' seeded random.Random
    board, expected = Leaderboard(np.array(values), np.array(ids)), _oracle(values, ids)
    assert list(board.top(n)) == expected[:n]
    for place, entry in enumerate(expected):
        standing = board.standing(entry.learner, neighbours)
        assert standing.entry == entry
        assert list(standing.above) == expected[max(0, place - neighbours) : place]
        assert list(standing.below) == expected[place + 1 : place + 1 + neighbours]
        assert standing.learners == len(values)
        assert standing.percentile == pytest.approx(100 * sum(v < entry.score for v in values) / len(values))


@given(SCORES)
def test_the_order_of_the_learners_does_not_matter(values: list[int]) -> None:
    ids = np.arange(100, 100 + len(values))
    forwards = Leaderboard(np.array(values), ids)
    backwards = Leaderboard(np.array(values[::-1]), ids[::-1])
    assert forwards.top(50) == backwards.top(50)


def test_unsigned_scores_and_integer_ids() -> None:
    board = Leaderboard(np.array([0, 2**31, 5], np.uint32), np.array([30, 10, 20]))
    assert board.top(3) == (Entry(10, 2**31, 1), Entry(20, 5, 2), Entry(30, 0, 3))


def test_an_empty_board() -> None:
    board = Leaderboard(np.zeros(0, np.int64), np.zeros(0, "U4"))
    assert len(board) == 0 and board.top(10) == ()
    with pytest.raises(InputError, match="u-1"):
        board.standing("u-1")


@pytest.mark.parametrize("learner", ["u-0", "u-2", "u-9"])
def test_a_learner_who_is_not_listed_is_named(learner: str) -> None:
    board = Leaderboard(np.array([3, 4]), np.array(["u-1", "u-3"]))
    with pytest.raises(InputError, match=f"got learner '{learner}'"):
        board.standing(learner)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="'a' twice"):
        Leaderboard(np.array([1, 2, 3]), np.array(["a", "b", "a"]))
    with pytest.raises(InputError, match=r"\(1,\) learners"):
        Leaderboard(np.array([1, 2]), np.array(["a"]))
    board = Leaderboard(np.array([1]), np.array(["a"]))
    with pytest.raises(InputError, match="got -1"):
        board.top(-1)
    with pytest.raises(InputError, match="got -2"):
        board.standing("a", neighbours=-2)


def test_each_board_on_each_learners_own_date() -> None:
    records = new_records(5)
    #                    today          yesterday   last week    never    a day ahead of the rest
    records["as_of"] = [MONDAY + 1, MONDAY, MONDAY - 1, NEVER, MONDAY + 2]
    records["xp_day"] = [10, 20, 30, 0, 50]
    records["xp_week"] = [11, 21, 31, 0, 51]
    records["view"]["xp"] = [12, 22, 32, 0, 52]
    today = np.array([MONDAY + 1] * 4 + [MONDAY + 2])
    assert scores(records, "daily", today).tolist() == [10, 0, 0, 0, 50]
    assert scores(records, "weekly", today).tolist() == [11, 21, 0, 0, 51]
    assert scores(records, "all_time", today).tolist() == [12, 22, 32, 0, 52]
    assert scores(records, "daily", MONDAY).tolist() == [0, 20, 0, 0, 0]


def test_the_week_is_the_iso_week_across_the_year() -> None:
    records = new_records(2)
    # 2026-12-28 is the Monday of week 53; 2027-01-03 its Sunday; 2027-01-04 begins week 1.
    monday, sunday = (
        day_number(date_of(0).replace(year=y, month=m, day=d)) for y, m, d in ((2026, 12, 28), (2027, 1, 3))
    )
    records["as_of"] = [monday, monday - 1]
    records["xp_week"] = 7
    assert scores(records, "weekly", sunday).tolist() == [7, 0]
    assert scores(records, "weekly", sunday + 1).tolist() == [0, 0]


def test_unknown_board() -> None:
    with pytest.raises(InputError, match="Did you mean 'weekly'"):
        scores(new_records(1), "weakly", 0)
