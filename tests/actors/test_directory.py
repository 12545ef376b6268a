"""The directory: where every learner lives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.directory import MOST_ACTORS, PARTITIONS, Directory, by_hash, in_blocks, partition_of
from engine.errors import InputError

IDS = [f"u-{number}" for number in range(3_000)]


def assert_whole(layout: Directory) -> None:
    """Every learner has a place of his own, every place a learner."""
    places = set(zip(layout.actor.tolist(), layout.row.tolist(), strict=True))
    assert places == {(actor, row) for actor, count in enumerate(layout.counts) for row in range(count)}
    assert len(places) == len(layout) == sum(layout.counts)


@given(st.integers(1, 2_000), st.integers(1, MOST_ACTORS))
def test_blocks_by_number_of_actors(learners: int, actors: int) -> None:
    layout = in_blocks(learners, actors=actors)
    size = -(-learners // actors)
    assert_whole(layout)
    assert len(layout.counts) <= actors
    assert layout.actor.tolist() == [learner // size for learner in range(learners)]
    assert set(layout.counts[:-1]) <= {size}
    for actor in range(len(layout.counts)):
        first = layout.first_learner(actor)
        assert (layout.actor[first], layout.row[first]) == (actor, 0)


@given(st.integers(1, 2_000), st.integers(10, 2_500))
def test_blocks_by_learners_of_an_actor(learners: int, size: int) -> None:
    layout = in_blocks(learners, learners_per_actor=size)
    assert_whole(layout)
    assert layout.actor.tolist() == [learner // size for learner in range(learners)]


def test_one_actor_for_each_learner_and_one_for_all() -> None:
    assert in_blocks(40, learners_per_actor=1).counts == (1,) * 40
    assert in_blocks(40, learners_per_actor=1_000_000).counts == in_blocks(40).counts == (40,)
    assert in_blocks(MOST_ACTORS, learners_per_actor=1).counts == (1,) * MOST_ACTORS


def test_what_cannot_be_laid_out_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match="one of them"):
        in_blocks(10, actors=2, learners_per_actor=5)
    for option, kwargs in (("--actors", {"actors": 0}), ("--learners-per-actor", {"learners_per_actor": -1})):
        with pytest.raises(InputError, match=f"{option}; got .*expected 1 or more"):
            in_blocks(10, **kwargs)
    with pytest.raises(InputError, match="--learners; got 0"):
        in_blocks(0, actors=1)
    with pytest.raises(InputError, match=f"201 actors; expected at most {MOST_ACTORS}.*--learners-per-actor 2 or more"):
        in_blocks(201, learners_per_actor=1)
    with pytest.raises(InputError, match="--actors; got 0; expected 1-200"):
        by_hash(IDS, 0)
    with pytest.raises(InputError, match="--actors; got 201"):
        by_hash(IDS, MOST_ACTORS + 1)


def test_partitions_are_for_ever() -> None:
    """Learners live where an earlier version put them; the numbers are those of ``b2sum -l 8``."""
    assert [partition_of(name) for name in ("u-17", "ana@example.org", "42", "Łukasz", "")] == [75, 252, 231, 167, 46]
    assert {partition_of(name) for name in IDS} == set(range(PARTITIONS))
    filled = np.bincount([partition_of(name) for name in IDS], minlength=PARTITIONS)
    assert filled.max() < 4 * filled.mean()


@pytest.mark.parametrize("actors", [1, 3, 8, MOST_ACTORS])
def test_a_learner_lives_where_the_hash_says_whoever_else_there_is(actors: int) -> None:
    all_of_them, some = by_hash(IDS, actors), by_hash(IDS[::7], actors)
    assert_whole(all_of_them)
    assert_whole(some)
    assert all_of_them.actor[::7].tolist() == some.actor.tolist()
    assert all_of_them.actor.tolist() == [partition_of(name) % actors for name in IDS]
    assert len(all_of_them.counts) == actors


def test_an_actor_may_be_empty() -> None:
    layout = by_hash(["a", "b"], 5)
    assert_whole(layout)
    assert len(layout.counts) == 5


def test_learners_are_found_by_their_actors() -> None:
    layout = by_hash(IDS, 4)
    asked = np.array([5, 2_000, 17, 5, 999])
    found = layout.by_actor(asked)
    assert sorted(int(place) for _, places in found for place in places) == list(range(len(asked)))
    for actor, places in found:
        assert set(layout.actor[asked[places]]) == {actor}
