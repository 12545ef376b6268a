"""Sixteen clients at once, with a real log cut into overlapping slices, out of order and repeated: as if replayed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from api.access import Role
from engine.calendar import MS_PER_DAY
from simulation import adapters
from simulation.adapters import event_log
from tests.api.live import RULES, digest_of, replayed_digest
from tests.api.site import API, open_site

CLIENTS = 16
STEP_MS = MS_PER_DAY // 4
LATEST_MS = 7 * MS_PER_DAY - 2 * STEP_MS  # with the wait for the clock's next step at most seven days
EVENING = 3  # the step at which streak reminders are due, which a replay knows nothing of
MOST = 500  # events of a request


def test_a_shuffled_log_from_many_clients_ends_as_its_replay(data_dir: Path, tmp_path: Path) -> None:
    frame = adapters.adapter("platform365").convert(data_dir / "platform365")
    log = event_log.resolve(frame, RULES)
    chance = np.random.default_rng(365)
    occurred = log.events["occurred_ms"]
    steps = -(-(occurred + chance.integers(0, LATEST_MS, len(occurred))) // STEP_MS)
    steps += steps % 4 == EVENING
    bodies = [
        {"userId": learner, "action": action, "eventId": event_id, "occurredAt": f"{at.isoformat()}", "value": value}
        for learner, action, event_id, at, value in frame.select(
            "learner_id", "action", "event_id", "occurred_at", "value"
        ).iter_rows()
    ]
    counted = 0
    with open_site(tmp_path, "2020-01-01T00:00") as site, ThreadPoolExecutor(CLIENTS) as threads:
        headers = {**site.bearer(Role.SERVICE), "Content-Type": "application/json"}
        clients = [httpx.Client(base_url=site.http.base_url, headers=headers, timeout=60) for _ in range(CLIENTS)]
        for step, places in by_step(steps):
            site.clock.set(int(step) * STEP_MS)
            work = [[bodies[place] for place in part] for part in overlapping(places, chance)]
            counted += sum(threads.map(send, clients, work))
        for client in clients:
            client.close()
        last = int(steps.max()) * STEP_MS // MS_PER_DAY
        assert counted == len(frame)
        site.service.settle()
        assert digest_of(site.service) == replayed_digest(log, last)


def by_step(steps: Any) -> Iterator[tuple[int, Any]]:
    """Yield each step of the clock with the events that arrive at it."""
    order = np.argsort(steps, kind="stable")
    found, starts = np.unique(steps[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, starts[1:]), strict=True)


def overlapping(places: Any, chance: np.random.Generator) -> list[Any]:
    """Return what each client sends: the events shared out, and to each an eighth of them besides, in any order."""
    shares = np.array_split(chance.permutation(places), CLIENTS)
    extra = [places[chance.random(len(places)) < 1 / 8] for _ in shares]
    return [chance.permutation(np.concatenate(both)) for both in zip(shares, extra, strict=True)]


def send(client: httpx.Client, events: list[dict[str, Any]]) -> int:
    """Send events until they are taken; return how many were new."""
    new = 0
    for start in range(0, len(events), MOST):
        answer = client.post(f"{API}/events", content=json.dumps(events[start : start + MOST]))
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["refused"] == told["late"] == 0
        new += told["accepted"]
    return new
