"""Replay: a real event log through the learner actors, as it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.directory import Directory
from actors.runtime import Runtime
from engine import arrival
from engine.events import FRAME_EVENTS, to_frame
from simulation.adapters.event_log import ResolvedLog
from simulation.harness import Progress, digest_of, records_of


@dataclass(frozen=True)
class Replay:
    """What a replay brought.

    Args:
        learner_ids: in the order of ``records``.
        records: final records, rows of `engine.record.LEARNER`.
        verdicts: events by verdict.
        refused: places in the log of events that were refused for their age.
        until: local day as of which everyone stands.
        digest: SHA-256 over the final records, learners in the order of their ids.
    """

    learner_ids: list[str]
    records: NDArray[Any]
    verdicts: dict[str, int]
    refused: NDArray[np.int64]
    until: int
    digest: str


def replay(
    log: ResolvedLog, layout: Directory, runtime: Runtime, until: int | None = None, progress: Progress | None = None
) -> Replay:
    """Send a log to the actors in frames, in the order of the file; then close every local day before ``until``.

    Args:
        log: learners sorted by id, events in the order in which they arrived.
        layout: where the learners live.
        runtime: of actors without a world.
        until: local day as of which everyone is to stand; later events are left out. Default: the log's last day.
        progress: called with (events done, events in all).
    """
    events = log.events
    last = int(events["day"].max())
    until = last if until is None else until
    kept = np.flatnonzero(events["day"] <= until)
    verdicts = np.zeros(len(events), np.uint8)
    calls: list[tuple[int, str, tuple[Any, ...]]] = []
    places_of: list[NDArray[np.int64]] = []
    owners = layout.actor[events["learner"][kept]]
    rows = layout.row[events["learner"]].astype(np.uint32)
    for actor in range(len(runtime)):
        mine = kept[owners == actor]
        for start in range(0, len(mine), FRAME_EVENTS):
            places = mine[start : start + FRAME_EVENTS]
            places_of.append(places)
            calls.append((actor, "ingest", (places,)))
    order = np.argsort([places[0] for places in places_of], kind="stable")  # actors take turns, each in file order
    done = 0

    def frames() -> Any:
        for number in order:
            batch = events[places_of[number]]
            batch["learner"] = rows[places_of[number]]
            yield calls[number][0], "ingest", (to_frame(batch),)

    for number, (codes, _outcomes) in runtime.each(frames()):
        places = places_of[order[number]]
        verdicts[places] = codes
        done += len(places)
        if progress is not None:
            progress(done, len(kept))
    for _answer in runtime.each([(actor, "close", (until,)) for actor in range(len(runtime))]):
        pass
    tally = np.bincount(verdicts[kept], minlength=len(arrival.VERDICTS))
    refused = kept[(verdicts[kept] == arrival.TOO_OLD) | (verdicts[kept] == arrival.FUTURE)]
    return Replay(
        log.learner_ids,
        records_of(runtime, layout),
        {name: int(number) for name, number in zip(arrival.VERDICTS, tally, strict=True)},
        refused,
        until,
        digest_of(runtime, layout, 0),
    )
