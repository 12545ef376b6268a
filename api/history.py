"""History: an event log of the time before going live, on its way to the learner actors."""

from __future__ import annotations

import concurrent.futures
import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl

from actors.directory import actor_of
from actors.intake import MOST_EVENTS, EventIn, Intake, event_key
from actors.parcels import Parcel
from actors.service import Service
from api.events import id_of_content
from engine import arrival
from engine.errors import InputError
from engine.rules import Rules
from simulation.adapters import event_log


def bring_in(
    frame: pl.DataFrame,
    rules: Rules,
    service: Service,
    progress: Callable[[int, int], None],
    now_ms: int,
) -> int:
    """Take a log in, each event as if it had been sent when it arrived; return how many counted.

    The same log again goes on where it was broken off.

    Args:
        frame: as `simulation.adapters.event_log.read` returns it.
        rules: of the product.
        service: whose learners.
        progress: called with (events done, events in all).
        now_ms: UTC ms; the service's own clock may stand still, so that no day is closed meanwhile.

    Raises:
        InputError: the log is wrong, an event lies in the future, or a learner has other events already; nothing was
            taken in.
    """
    log = event_log.resolve(frame, rules)  # checks every row before the first one counts
    ahead = np.flatnonzero(log.events["occurred_ms"] > now_ms + int(rules.record["future_ms"]))
    if len(ahead):  # it would move the learner's today on, and all that comes until then would be late
        learner, at = log.learner_ids[log.events["learner"][ahead[0]]], frame["occurred_at"][int(ahead[0])]
        got, expected = f"{at:%Y-%m-%dT%H:%M:%SZ}", "an instant in the past"
        raise InputError(f"event of learner {learner!r}", got, expected, "Mend the log; nothing was taken in.")
    source = hashlib.sha256(log.events.tobytes() + "\n".join(log.learner_ids).encode()).hexdigest()[:16]
    for lane in service.lanes:
        mine = [learner for learner in log.learner_ids if actor_of(learner, len(service.lanes)) == lane.log]
        lane.ask("must_fit", source, mine)
    owners = [actor_of(learner, len(service.lanes)) for learner in log.learner_ids]
    by_lane: list[list[int]] = [[] for _ in service.lanes]
    for place, learner in enumerate(log.events["learner"].tolist()):
        by_lane[owners[learner]].append(place)
    counted = done = 0
    for lane, places in zip(service.lanes, by_lane, strict=True):
        begun = lane.ask("parts_of", source)
        for part, start in enumerate(range(0, len(places), MOST_EVENTS)):
            chosen = places[start : start + MOST_EVENTS]
            done += len(chosen)
            if part >= begun:
                promise: concurrent.futures.Future[Any] = concurrent.futures.Future()
                rows = list(_rows(frame[chosen], log.events[chosen], rules))
                lane.submit(Parcel(promise, (), "import", (source, part, Intake.of(rows))))
                counted += int((promise.result()[0].receipts["verdict"] <= arrival.LATE).sum())
            progress(done, len(log.events))
    return counted


def _rows(frame: pl.DataFrame, events: Any, rules: Rules) -> Iterator[EventIn]:
    names = list(rules.actions)
    texts = (frame[name].to_list() for name in ("learner_id", "event_id", "timezone", "course_id", "value"))
    numbers = (events[name].tolist() for name in ("occurred_ms", "arrived_ms", "action"))
    for learner, own_id, zone, course, value, occurred, arrived, action in zip(*texts, *numbers, strict=True):
        event_id = own_id or id_of_content(learner, occurred, names[action], value, course)
        number = math.nan if value is None else value
        detail = [event_id, course, zone]
        yield EventIn(learner, event_key(event_id), occurred, arrived, action, number, zone, detail)
