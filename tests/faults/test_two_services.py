"""Two services on one database: the newer one goes on, the older one notices and ends, and nothing counts twice."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from actors.ports import FencedError
from api.clock import ManualClock
from api.events import EventBody, Gate
from api.place import open_place
from api.wiring import open_service
from engine.risk import model as risk_model
from tests.api.live import RULES, ms

NOON = ms("2026-03-02T12:00")


def test_the_older_service_is_fenced(database_url: str, tmp_path: Path) -> None:
    place = open_place(tmp_path / "data", database_url, 1)
    clock, told, heard = ManualClock(NOON), [], threading.Event()

    def fatal(error: BaseException) -> None:
        told.append(error)
        heard.set()

    def event(name: str) -> list[object]:
        body = EventBody.model_validate({"userId": "ann", "action": "lesson_complete", "eventId": name})
        return [Gate(RULES).accept(body, clock()).row]

    def open_(folder: str) -> object:
        model = risk_model.load()
        return open_service("local", place.url, 1, RULES, model, tmp_path / folder, clock, fatal=fatal)

    with place.database, open_("older") as older:
        assert older.track(event("1"))[0].xp == 50
        with open_("newer") as newer:
            assert newer.track(event("2"))[0].xp == 100
            with pytest.raises(FencedError):
                older.track(event("3"))
            assert heard.wait(10) and isinstance(told[0], FencedError)
            with pytest.raises(FencedError):  # a question that finds its actor gone takes the log back no more
                older.learner("ann")
            assert newer.track(event("1"))[0].verdict == "duplicate"
            assert newer.track(event("3"))[0].xp == 150
            assert int(newer.learner("ann").record["totals"].sum()) == 3
