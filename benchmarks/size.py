"""Bytes a learner, by part."""

from __future__ import annotations

import numpy as np

from actors.simulated_day import DECISION
from benchmarks.measure import Table
from engine.events import EVENT
from engine.record import LEARNER, PARTS
from engine.signals import names
from simulation.latent import LATENT
from simulation.world import _ROOM_PER_LEARNER

TITLE = "Bytes a learner"
AIM_BYTES = 1_536


def run(quick: bool) -> Table:  # the same at every size
    """Count the record by part, then what a simulation and its passes hold beside it."""
    fields = LEARNER.fields or {}
    parts = {part: sum(fields[name][0].itemsize for name in members) for part, members in PARTS.items()}
    padding = LEARNER.itemsize - sum(parts.values())
    rows = [(f"record: {part}", f"{size:,}") for part, size in parts.items()]
    rows.append(("record: padding between fields", f"{padding:,}"))
    rows.append((f"**the record** (aim: at most {AIM_BYTES:,})", f"**{LEARNER.itemsize:,}**"))
    rows.append(("simulation: latent state of the synthetic learner", f"{LATENT.itemsize:,}"))
    rows.append(("simulation: event buffer at first", f"{_ROOM_PER_LEARNER * EVENT.itemsize:,}"))
    rows.append(("for the time of a pass: signals of a scored learner", f"{8 * len(names()):,}"))
    passing = 2 * np.dtype(np.float64).itemsize + DECISION.itemsize
    rows.append(("for the time of a pass: scores, decision", f"{passing:,}"))
    return Table(("part", "bytes"), rows, "Record and latent state once an arm; what is for the time of a pass, once.")
