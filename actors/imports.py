"""Imports: which histories have come in, and whose events are from where."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from actors.ports import State
from engine.errors import InputError

_LIVE, _NOTHING = -1, -2  # beside the places of histories
_REMEDY = "History is imported once, before a learner goes live; leave this one out."


class Imports:
    """The histories of one actor's learners, each taken in once, part by part, before a learner goes live."""

    def __init__(self) -> None:
        self._parts: dict[str, int] = {}  # of each history: how many are in
        self._source = np.zeros(0, np.int32)  # of each learner: place of the history, _LIVE or _NOTHING

    def must_fit(self, source: str, known: dict[str, int]) -> None:
        """Raise `InputError` where a learner has events from elsewhere than this history.

        Args:
            source: names the history.
            known: rows of its learners, by id, as far as they have any.
        """
        mine = list(self._parts).index(source) if source in self._parts else _NOTHING
        for learner, row in known.items():
            if self._source[row] not in {_NOTHING, mine}:
                raise InputError(f"learner {learner!r}", "events already", "none", _REMEDY)

    def parts_of(self, source: str) -> int:
        """Return how many parts of a history are in."""
        return self._parts.get(source, 0)

    def take(self, source: str, part: int, rows: NDArray[np.int64]) -> None:
        """Note that a part with events of these learners is in."""
        self._parts[source] = part + 1
        self._source[rows] = np.where(self._source[rows] == _LIVE, _LIVE, list(self._parts).index(source))

    def go_live(self, rows: NDArray[np.int64]) -> None:
        """Note that these learners have live events."""
        self._source[rows] = _LIVE

    def grow(self, count: int) -> None:
        """Make room for new learners, so many in all."""
        self._source = np.concatenate([self._source, np.full(count - len(self._source), _NOTHING, np.int32)])

    def forget(self, row: int) -> None:
        """Forget a learner."""
        self._source[row] = _NOTHING

    def state(self) -> State:
        """Return all of it as named arrays."""
        return {"source": self._source, "parts": np.frombuffer(json.dumps(self._parts).encode(), np.uint8)}

    def restore(self, state: State) -> None:
        """Take the state back."""
        self._source = state["source"].copy()
        self._parts = json.loads(state["parts"].tobytes())
