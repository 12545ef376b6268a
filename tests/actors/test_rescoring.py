"""Continuous scoring: whoever changed is scored again; a score never stands for what came after it was asked for."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from actors import rescoring
from actors.ports import ScoringError
from tests.actors.homes import DAY_MS, MONDAY, Awaited, HeldScorer, Home, instant

NOON = instant(MONDAY)


def home_of(*learners: str) -> Home:
    home = Home()
    for learner in learners:
        home.acts(learner, NOON)
    return home


def test_scores_are_asked_for_once_and_then_taken() -> None:
    home = home_of("ann", "bob")
    assert home.learners.rescore() == ([], 2)
    changes, waiting = home.learners.rescore()
    assert waiting == 0 and [change.row for change in changes] == [0, 1]
    for change in changes:
        record = home.learners.loop.records[change.row]
        assert (change.risk, change.confidence, change.standing) == (
            record["risk"], record["confidence"], record["standing"],
        )  # fmt: skip
        assert change.since_ms == NOON
    assert home.learners.rescore() == ([], 0)
    assert len(home.scorer.asked) == 1


def test_who_changes_while_a_score_is_on_its_way_is_scored_again() -> None:
    home = home_of("ann", "bob")
    home.scorer.held = True
    home.learners.rescore()
    home.acts("ann", NOON + 1, "lesson_complete")
    home.acts("ann", NOON + 2, "lesson_complete")
    assert home.learners.rescore() == ([], 3)
    assert len(home.scorer.asked) == 1, "one request at a time"
    assert not home.learners._rescoring.fresh(np.array([0, 1])).any()
    home.scorer.held = False
    changes, waiting = home.learners.rescore()
    assert waiting == 1 and len(changes) == 2
    assert home.learners._rescoring.fresh(np.array([0, 1])).tolist() == [False, True]
    changes, waiting = home.learners.rescore()
    assert (waiting, [change.row for change in changes], changes[0].since_ms) == (0, [0], NOON + 1)
    assert [len(asked.matrix) for asked in home.scorer.asked] == [2, 1]


def test_so_many_at_a_time_and_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "MOST_ROWS", 2)
    home = home_of("ann", "bob", "cyd", "dan", "eve")
    assert home.learners.rescore()[1] == 5
    assert [change.row for change in home.learners.rescore()[0]] == [0, 1]
    assert [change.row for change in home.learners.rescore()[0]] == [2, 3]
    assert [change.row for change in home.learners.rescore()[0]] == [4]


def test_a_score_on_its_way_does_not_reach_who_was_erased_meanwhile() -> None:
    home = home_of("ann", "bob", "cyd")
    home.scorer.held = True
    home.learners.rescore()
    home.do("erase", "bob", "hash", NOON)
    home.acts("cyd", NOON + 1)
    home.do("erase", "cyd", "hash", NOON)
    home.scorer.held = False
    changes, waiting = home.learners.rescore()
    assert [change.row for change in changes] == [0] and waiting == 0
    assert np.isnan(home.learners.loop.records["risk"]).tolist() == [False, True, True]


def test_who_is_silent_for_long_loses_its_risk() -> None:
    home = home_of("ann")
    home.settle(NOON)
    assert not np.isnan(home.record("ann")["risk"])
    home.settle(NOON + 20 * DAY_MS)
    assert np.isnan(home.record("ann")["risk"])


def test_what_happens_to_somebody_who_waits_for_another_models_score_is_told() -> None:
    home = home_of("ann", "bob")
    home.settle(NOON)
    home.scorer.held = True
    home.acts("ann", NOON + 1)
    home.learners.rescore()
    assert home.learners.rescore("another") == ([], 3)  # both by the other model, and ann's score that is on its way
    home.acts("bob", NOON + 2)
    home.scorer.held = False
    assert [(each.row, each.since_ms) for each in home.learners.rescore("another")[0]] == [(0, NOON + 1)]
    assert [(each.row, each.since_ms) for each in home.learners.rescore("another")[0]] == [(0, 0), (1, NOON + 2)]


@pytest.mark.parametrize("where", ["__call__", "submit"])
def test_a_scorer_that_fails_ends_nobodys_wait(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise IndexError("far out")

    home = home_of("ann", "bob")
    if where == "__call__":
        home.learners.rescore()
        home.acts("ann", NOON + 1)
    with monkeypatch.context() as patch:
        patch.setattr(HeldScorer if where == "submit" else Awaited, where, fails)
        for _ in range(2):
            with pytest.raises(ScoringError, match=r"scoring by model .*IndexError: far out"):
                home.learners.rescore()
            if where == "__call__":
                home.learners.rescore()  # asks again
            assert home.learners.waiting() == 2
    told = [change for _ in range(3) for change in home.learners.rescore()[0]]
    assert sorted((change.row, change.since_ms) for change in told) == [(0, NOON), (1, NOON)]
    assert home.learners.waiting() == 0


def test_learners_that_are_let_go_are_gone() -> None:
    """A recovery builds them anew; were there a ring of references, each would keep the memory of the one before."""
    home = home_of("ann")
    home.learners.rescore()
    gone = weakref.ref(home.learners)
    gc.disable()
    try:
        home.learners = home._new()
        assert gone() is None
    finally:
        gc.enable()
