"""The parts of the live stream: listeners that never grow, clients that do not read, and the ids that resume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from actors.feed import Happening
from api import streams as module
from api.positions import WHOLE, Position, read, text_of
from api.routes import live as routes
from api.streams import Listener
from engine.errors import InputError
from tests.api.site import SOON_S


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


def test_a_listener_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_PATIENCE_S", 0.05)
    closed: list[bool] = []

    async def events() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"data: x\n\n"
        finally:
            closed.append(True)

    async def story() -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) > 3:
                await asyncio.Event().wait()  # its buffers are full

        await asyncio.wait_for(routes.EventStream(events()).stream_response(send), SOON_S)
        assert len(sent) == 4 and closed == [True]

    asyncio.run(story())


def test_positions_are_told_and_read() -> None:
    positions = {0: Position(118, 3), 4: Position(97, WHOLE), 7: Position(0, WHOLE)}
    assert text_of(positions) == "118-3.97.0" and read("118-3.97.0", [0, 4, 7]) == positions
    assert Position(3, 9) < Position(3, WHOLE) < Position(4, 0)
    with pytest.raises(InputError):
        read("1.2", [0])
