"""The whole service under fire: SIGKILL at random of every process it is made of, on both databases.

As Jepsen judges: what was acknowledged stands once, what was not may stand once or not at all, and a retry settles it.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from actors.storage.journal import SqlJournal
from api.clock import wall_clock
from api.wiring import open_service
from engine import events as engine_events
from engine import rules as engine_rules
from engine.risk import model as risk_model
from simulation import tables
from tests import oracle
from tests.databases import Postgres, start_postgres
from tests.faults.managed import ManagedService, refused
from tests.simulation.test_replay import assert_equal

RULES = engine_rules.load()
ACTIONS = [name for name, action in RULES.actions.items() if not action.derived and not name.startswith("quiz")]
CLIENTS, LEARNERS, ACTORS = 4, 60, 2
KILLS = 15  # on each database
PAUSE_S = 0.7  # of load between two kills, on average
BACK_S = 90.0  # from a kill to the next acknowledged event, on a machine that is busy with other things
ENDS_S = 30.0  # until a service that cannot go on has ended
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


class Killer:
    """Strikes, and sees how long it takes until an event is acknowledged again.

    Args:
        service: the victim.
        clients: whose acknowledgements count.
        postgres: another victim.
    """

    def __init__(self, service: ManagedService, clients: list[Client], postgres: Postgres | None) -> None:
        self._service, self._clients, self._postgres = service, clients, postgres
        self.outages_s: dict[str, list[float]] = {}

    def strike(self, target: str) -> None:
        """Kill something and wait until the service is back."""
        if target == "postgres":
            assert self._postgres is not None
            self._postgres.kill()
            struck = ended = time.monotonic()
            self._postgres.start()
        else:
            starts = self._service.starts
            wait_until(lambda: bool(self._service.processes(target)), self._service, f"{target} is not there")
            with contextlib.suppress(psutil.NoSuchProcess):
                self._service.processes(target)[0].kill()
            struck = ended = time.monotonic()
            if target in {"api", "raylet"}:  # the service has to end by itself, and is started again
                wait_until(lambda: self._service.starts > starts, self._service, f"{target} killed, and no end", ENDS_S)
                ended = time.monotonic()
        wait_until(lambda: self._answered_since(ended), self._service, f"no answer since {target} was killed")
        self.outages_s.setdefault(target, []).append(time.monotonic() - struck)

    def _answered_since(self, instant_s: float) -> bool:
        return min(client.newest_s for client in self._clients) > instant_s


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Postgres | None]]:
    """A database of its own: the one of other tests is not to be killed."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/engage.db", None
        return
    server = start_postgres()
    try:
        yield server.fresh(), server
    finally:
        server.stop()


def test_nothing_is_lost_and_nothing_counts_twice(
    site: tuple[str, Postgres | None], tmp_path: Path, record_property: Any
) -> None:
    url, postgres = site
    service = ManagedService(tmp_path, url, ACTORS)
    clients = [Client(number, service) for number in range(CLIENTS)]
    targets = ["ray::LearnerActor", "ray::ScoringActor", "raylet", "api", *(["postgres"] if postgres else [])]
    chance = random.Random(len(targets))
    killer = Killer(service, clients, postgres)
    try:
        for client in clients:
            client.start()
        wait_until(lambda: all(client.newest_s for client in clients), service, "nobody was answered")
        plan = [targets[number % len(targets)] for number in range(KILLS)]
        chance.shuffle(plan)
        for target in plan:
            time.sleep(chance.uniform(0, 2 * PAUSE_S))
            killer.strike(target)
    finally:
        for client in clients:
            client.ending.set()
        for client in clients:
            client.join()
        code = service.end()
    record_property("outages_s", killer.outages_s)
    (tmp_path / "outages").write_text(f"{killer.outages_s} {sum(len(each.acknowledged) for each in clients)}")
    assert code == 0, service.told()[-4000:]
    assert [client.wrong for client in clients] == [[]] * CLIENTS
    assert orphans() == []
    assert sum(map(len, killer.outages_s.values())) == KILLS
    judge(url, clients, tmp_path / "judge")


def orphans() -> list[str]:
    """Return actors that nobody has started, once they have had their time to notice.

    Ray's own agents, which hold nothing of ours, look for a dead master for a minute or so before they end.
    """
    deadline = time.monotonic() + ENDS_S
    while True:
        left = [
            " ".join(process.cmdline())
            for process in psutil.process_iter()
            if process.ppid() == 1 and process.name().startswith(("ray::Learner", "ray::Scoring"))
        ]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def judge(url: str, clients: list[Client], folder: Path) -> None:
    """Compare what was acknowledged, what is journalled and what the learners have."""
    journalled = [event for log in range(ACTORS) for event in events_of(SqlJournal(url, log))]
    counted = {event[5] for event in journalled}
    acknowledged = {event_id for client in clients for event_id in client.acknowledged}
    assert acknowledged <= counted <= {event_id for client in clients for event_id in client.sent}
    with open_service("local", url, ACTORS, RULES, risk_model.load(), folder, wall_clock) as service:
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
