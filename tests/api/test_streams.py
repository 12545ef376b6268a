"""The parts of the live stream: listeners that never grow, clients that do not read, and the ids that resume."""

from __future__ import annotations

import asyncio

import pytest

from actors.feed import Happening
from api import streams as module
from api.positions import WHOLE, Position, read, text_of
from api.streams import Listener
from engine.errors import InputError


def test_a_listener_forgets_rather_than_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 5)

    async def story() -> None:
        listener = Listener("key:1", "ann")
        listener.hear([Happening(0, 1, place, "ann", "xp", {}) for place in range(5)])
        listener.hear([Happening(0, 1, 9, "bob", "xp", {})])
        assert len(await listener.wait(1)) == 5 and not listener.overflowed
        listener.hear([Happening(0, 1, place, "ann", "xp", {}) for place in range(6)])
        assert listener.overflowed and await listener.wait(1) == []
        listener.begin()
        assert await listener.wait(0.01) == []

    asyncio.run(story())


def test_positions_are_told_and_read() -> None:
    positions = {0: Position(118, 3), 4: Position(97, WHOLE), 7: Position(0, WHOLE)}
    assert text_of(positions) == "118-3.97.0" and read("118-3.97.0", [0, 4, 7]) == positions
    assert Position(3, 9) < Position(3, WHOLE) < Position(4, 0)
    with pytest.raises(InputError):
        read("1.2", [0])
