"""Events: one structured dtype for every batch, and the versioned frame in which batches travel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngageError

EVENT = np.dtype(
    [
        ("event_id", "<u8"),  # stable hash of the client's id, or of the event's own content
        ("occurred_ms", "<i8"),  # UTC instant
        ("arrived_ms", "<i8"),  # UTC instant of intake; age = arrived - occurred
        ("learner", "<u4"),  # row of the learner in its actor
        ("day", "<i4"),  # local day, days since 1970-01-01
        ("value", "<f4"),  # score in 0-1, minutes, ... by action; NaN = none
        ("minute", "<i2"),  # local minute of the day, 0-1439
        ("action", "<u2"),  # code by the rules; two bytes, so that a row has no padding and equal rows equal bytes
    ],
    align=True,
)

FRAME_VERSION = 1
FRAME_EVENTS = 2_000
"""Events of one frame: 2,000 x 40 bytes stay under the 96 KB beyond which Ray's messages get slow."""

Events = NDArray[Any]


def empty(count: int) -> Events:
    """Return ``count`` zeroed events without a value."""
    events = np.zeros(count, EVENT)
    events["value"] = np.nan
    return events


def sort_for_fold(events: Events) -> Events:
    """Return the batch by learner and time, the order of the fold; equal instants keep their arrival order."""
    return events[np.lexsort((events["occurred_ms"], events["learner"]))]


def to_frame(events: Events) -> bytes:
    """Encode a batch: one version byte, then the rows."""
    return bytes([FRAME_VERSION]) + np.ascontiguousarray(events, EVENT).tobytes()


def from_frame(frame: bytes) -> Events:
    """Decode a frame into a batch of its own memory.

    Raises:
        EngageError: the frame has another version or a torn end.
    """
    body = len(frame) - 1
    if body < 0 or frame[0] != FRAME_VERSION or body % EVENT.itemsize:
        raise EngageError(
            "event frame",
            f"{len(frame)} bytes, version {frame[0] if frame else 'none'}",
            f"version {FRAME_VERSION} and whole rows of {EVENT.itemsize} bytes",
            "Run the same version of engagement-engine on both sides.",
        )
    return np.frombuffer(frame, EVENT, offset=1).copy()
