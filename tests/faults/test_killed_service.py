"""The whole service under fire: SIGKILL at random of every process it is made of, on both databases."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.databases import Postgres, start_postgres
from tests.faults.clients import Client, judge, load, wait_until
from tests.faults.managed import ManagedService

CLIENTS, ACTORS = 4, 2
KILLS = 15  # on each database
PAUSE_S = 0.7  # of load between two kills, on average
ENDS_S = 30.0  # until a service that cannot go on has ended


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
    targets = ["ray::LearnerActor", "ray::ScoringActor", "raylet", "api", *(["postgres"] if postgres else [])]
    chance = random.Random(len(targets))
    plan = [targets[number % len(targets)] for number in range(KILLS)]
    chance.shuffle(plan)
    try:
        with load(service, CLIENTS) as clients:
            killer = Killer(service, clients, postgres)
            for target in plan:
                time.sleep(chance.uniform(0, 2 * PAUSE_S))
                killer.strike(target)
    finally:
        code = service.end()
    record_property("outages_s", killer.outages_s)
    (tmp_path / "outages").write_text(f"{killer.outages_s} {sum(len(each.acknowledged) for each in clients)}")
    assert code == 0, service.told()[-4000:]
    assert [client.wrong for client in clients] == [[]] * CLIENTS
    assert orphans() == []
    assert sum(map(len, killer.outages_s.values())) == KILLS
    judge(url, ACTORS, clients, tmp_path / "judge")


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
