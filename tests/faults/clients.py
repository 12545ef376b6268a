"""Clients that load the service of ``managed`` as Jepsen does, and the judge of what they were told.

What was acknowledged stands once, what was not may stand once or not at all, and a retry settles it.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from actors.storage.journal import SqlJournal
from api.clock import wall_clock
from api.wiring import open_service
from engine import events as engine_events
from engine import rules as engine_rules
from engine.risk import model as risk_model
from simulation import tables
from tests import oracle
from tests.faults.managed import ManagedService, refused
from tests.simulation.test_replay import assert_equal

RULES = engine_rules.load()
ACTIONS = [name for name, action in RULES.actions.items() if not action.derived and not name.startswith("quiz")]
LEARNERS = 60
BACK_S = 90.0  # from trouble to the next acknowledged event, on a machine that is busy with other things
FIRST_ANSWERS = ("xpAwarded", "totalXp", "level", "streak", "freezes", "outcomes")


def wait_until(true: Callable[[], bool], service: ManagedService, complaint: str, timeout_s: float = BACK_S) -> None:
    """Wait for something, or fail with the service's log."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"{complaint}\n{service.told()[-4000:]}"
        time.sleep(0.02)


class Client(threading.Thread):
    """Sends batches, each until it is acknowledged, and now and then one again that was.

    Args:
        number: of the client.
        service: where to.
    """

    def __init__(self, number: int, service: ManagedService) -> None:
        super().__init__()
        self._chance, self._service, self._number = random.Random(number), service, number
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.sent: dict[str, dict[str, Any]] = {}
        self.wrong: list[Any] = []
        self.troubles: set[tuple[int, str | None]] = set()  # status and Retry-After of answers that tell to come again
        self.newest_s = 0.0  # when the newest request that was answered was sent
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.is_set():
            again = self.acknowledged and self._chance.random() < 0.2
            batch = self._known() if again else self._new()
            self._deliver(batch)

    def _new(self) -> list[dict[str, Any]]:
        first = len(self.sent)
        return [
            {
                "userId": f"u-{self._chance.randrange(LEARNERS)}",
                "action": self._chance.choice(ACTIONS),
                "eventId": f"{self._number}-{first + place}",
            }
            for place in range(self._chance.choice((1, 5, 20)))
        ]

    def _known(self) -> list[dict[str, Any]]:
        return [self.sent[self._chance.choice(list(self.acknowledged))]]

    def _deliver(self, batch: list[dict[str, Any]]) -> None:
        self.sent |= {event["eventId"]: event for event in batch}
        while not self.ending.is_set():
            began_s = time.monotonic()
            try:
                results = self._service.post("/api/engagement/events", batch)["results"]
            except (OSError, http.client.HTTPException) as error:
                if refused(error):
                    self.wrong.append(error)
                    return
                if isinstance(error, urllib.error.HTTPError):
                    self.troubles.add((error.code, error.headers["Retry-After"]))
                time.sleep(0.05)
                continue
            for event, result in zip(batch, results, strict=True):
                self._note(event, result)
            self.newest_s = began_s
            return

    def _note(self, event: dict[str, Any], result: dict[str, Any]) -> None:
        before = self.acknowledged.setdefault(event["eventId"], result)
        same = all(before[name] == result[name] for name in FIRST_ANSWERS)
        # The first answer that came may be of a second try, whose first one was lost on its way.
        expected = {"accepted", "duplicate"} if before is result else {"duplicate"}
        if result["status"] not in expected or not same:
            self.wrong.append((before, result))


@contextlib.contextmanager
def load(service: ManagedService, clients: int) -> Iterator[list[Client]]:
    """Load a service, once it answers, until the block ends."""
    loading = [Client(number, service) for number in range(clients)]
    try:
        for client in loading:
            client.start()
        wait_until(lambda: all(client.newest_s for client in loading), service, "nobody was answered")
        yield loading
    finally:
        for client in loading:
            client.ending.set()
        for client in loading:
            client.join()


def judge(url: str, actors: int, clients: list[Client], folder: Path) -> None:
    """Compare what was acknowledged, what is journalled and what the learners have."""
    journalled = [event for log in range(actors) for event in events_of(SqlJournal(url, log))]
    counted = {event[5] for event in journalled}
    acknowledged = {event_id for client in clients for event_id in client.acknowledged}
    assert acknowledged <= counted <= {event_id for client in clients for event_id in client.sent}
    with open_service("local", url, actors, RULES, risk_model.load(), folder, wall_clock) as service:
        service.settle()
        learners = sorted({event[0] for event in journalled})
        records = np.concatenate([service.learner(learner).record for learner in learners])
    frame = tables.learners(learners, records, RULES)
    assert_equal(frame, oracle.judge(journalled, int(records["as_of"].max())))
    assert int(records["totals"].sum()) == len(counted)  # however often an event was journalled, it counted once


def events_of(journal: SqlJournal) -> Iterator[tuple[Any, ...]]:
    """Yield the events of a journal as the oracle takes them."""
    names, ids = list(RULES.actions), list[str]()
    for entry in journal.read(0):
        ids += entry.message.body.get("new", [])
        if entry.message.kind == "events":
            batch = engine_events.from_frame(entry.message.frame)
            for row, detail in zip(batch, entry.message.body["details"], strict=True):
                learner, action = ids[row["learner"]], names[row["action"]]
                occurred, arrived = int(row["occurred_ms"]), int(row["arrived_ms"])
                yield learner, occurred, arrived, action, None, detail[0], int(row["day"])
