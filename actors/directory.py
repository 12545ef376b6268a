"""The directory: which actor, and which row in it, a learner lives in."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

PARTITIONS = 256
"""Virtual partitions: fixed for ever, so that moving one between actors never rehashes a learner."""

MOST_ACTORS = 200
"""Most actors on one machine: each is a process with 26 threads and 42 file descriptors that takes 47 MB and is created
at 4-6 a second; measured, a 23 GB machine ends near 475, and restarts after a fault need room."""


@dataclass(frozen=True)
class Directory:
    """Where every learner lives.

    Args:
        actor: actor of each learner, int64.
        row: row in that actor, int64.
        counts: learners of each actor.
        epoch: raised whenever a partition moves to another actor.
    """

    actor: NDArray[np.int64]
    row: NDArray[np.int64]
    counts: tuple[int, ...]
    epoch: int = 1

    def __len__(self) -> int:
        return len(self.actor)

    def first_learner(self, actor: int) -> int:
        """Return the number of the actor's first learner, where learners live in blocks."""
        return int(np.sum(self.counts[:actor]))

    def by_actor(self, learners: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
        """Return (actor, places in ``learners``) for every actor that has any of them."""
        owners = self.actor[learners]
        return [(int(actor), np.flatnonzero(owners == actor)) for actor in np.unique(owners)]


def in_blocks(learners: int, *, actors: int | None = None, learners_per_actor: int | None = None) -> Directory:
    """Return the layout of a simulation: learner k lives in actor k // learners_per_actor.

    Args:
        learners: how many.
        actors: how many actors, evenly filled; or
        learners_per_actor: from 1 (one actor for each learner) to a million. Both is an error; neither is one actor.

    Raises:
        InputError: both given, not positive, or more actors than a machine can hold.
    """
    if actors is not None and learners_per_actor is not None:
        got = f"--actors {actors} and --learners-per-actor {learners_per_actor}"
        raise InputError("packing", got, "one of them: they say the same thing")
    for option, value in (("--actors", actors), ("--learners-per-actor", learners_per_actor), ("--learners", learners)):
        if value is not None and value < 1:
            raise InputError(option, str(value), "1 or more")
    size = learners_per_actor or -(-learners // (actors or 1))
    needed = -(-learners // size)
    if needed > MOST_ACTORS:
        least = -(-learners // MOST_ACTORS)
        raise InputError(
            f"{learners} learners at {size} an actor",
            f"{needed} actors",
            f"at most {MOST_ACTORS}, because each is a whole process of about 50 MB and 26 threads",
            f"Use --learners-per-actor {least} or more.",
        )
    number = np.arange(learners)
    counts = tuple(min(size, learners - start) for start in range(0, learners, size))
    return Directory(number // size, number % size, counts)


@functools.lru_cache(1 << 16)  # whoever sends one event sends more
def partition_of(learner_id: str) -> int:
    """Return the virtual partition of a learner: a stable hash of the id, 0-255."""
    return hashlib.blake2b(learner_id.encode(), digest_size=1).digest()[0]


def actor_of(learner_id: str, actors: int) -> int:
    """Return the actor of a learner in the service: the partitions are dealt out in turn."""
    return partition_of(learner_id) % actors


def by_hash(learner_ids: Sequence[str], actors: int) -> Directory:
    """Return the layout of the service: 256 virtual partitions by a stable hash of the id, dealt out to the actors.

    Raises:
        InputError: fewer than 1 or more than 200 actors.
    """
    if not 1 <= actors <= MOST_ACTORS:
        raise InputError("--actors", str(actors), f"1-{MOST_ACTORS}")
    owner = np.array([actor_of(learner_id, actors) for learner_id in learner_ids], np.int64)
    row = np.empty(len(owner), np.int64)
    counts = []
    for actor in range(actors):
        mine = np.flatnonzero(owner == actor)
        row[mine] = np.arange(len(mine))
        counts.append(len(mine))
    return Directory(owner, row, tuple(counts))
