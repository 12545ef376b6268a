"""A task: whom one asks about, when, what happened, and who is kept back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.errors import InputError
from engine.risk.model import Numbers
from engine.rules import Rules
from engine.signals import compute, names
from simulation.logs import population, replayed

NOT_STARTED = "not_started"
"""Name of the column that tells learners who had done nothing by their moment."""


@dataclass(frozen=True)
class Task:
    """A question to a data set, asked of each learner once.

    Args:
        name: of the task.
        frame: the event log of everyone, those not asked about included.
        learner_ids: asked about; some may have no event.
        day: local day at whose end each is asked about; what arrives later is not looked at.
        label: what happened to each.
        falls: whether a true label is a falling away; else it is a return.
        group: learners of one group are never on two sides of a split.
        test: who is kept back by the task's own split; None = five folds by group.
        window_days: before the moment, that the baselines look at.
        context: what is known of each at the moment beyond the event log, by name.
    """

    name: str
    frame: pl.DataFrame
    learner_ids: list[str]
    day: NDArray[np.int64]
    label: NDArray[np.bool_]
    falls: bool
    group: list[str]
    window_days: int
    test: NDArray[np.bool_] | None = None
    context: dict[str, Numbers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a task whose parts differ in length."""
        lengths = {len(self.learner_ids), len(self.day), len(self.label), len(self.group)}
        lengths |= {len(values) for values in self.context.values()}
        if len(lengths) != 1:
            raise InputError(f"task {self.name}", f"parts of {sorted(lengths)} learners", "one of each a learner")


def signals(task: Task, rules: Rules) -> tuple[tuple[str, ...], Numbers]:
    """Return names and values, (learners, names): every signal at the learner's moment, and whether there was none.

    A learner who had done nothing has no signals: they are given as the median of the others, told apart by the column
    `NOT_STARTED`.
    """
    log = population(task.name, task.frame, rules)
    place = {learner: row for row, learner in enumerate(log.learner_ids)}
    row_of = np.array([place.get(learner, -1) for learner in task.learner_ids])
    matrix = np.full((len(row_of), len(names())), np.nan)
    for day, loop in replayed(log, rules, int(task.day.max())):
        due = np.flatnonzero((task.day == day) & (row_of >= 0))
        due = due[loop.records["active_days"][row_of[due]] > 0]
        if len(due):
            matrix[due] = compute(loop.records, row_of[due])
    missing = np.isnan(matrix[:, 0])
    matrix[missing] = np.median(matrix[~missing], axis=0)
    return (*names(), NOT_STARTED), np.column_stack([matrix, missing])


def recent(task: Task) -> dict[str, Numbers]:
    """Return what simple baselines look at: activity by day before the moment, and by kind of action.

    Returns:
        ``recency`` (days since the last active day, the window's length if there was none), ``active_7``, ``active_28``
        and ``active`` (active days of the last 7, 28 and all days of the window), ``day_k`` (events k days before the
        moment) and for each action its events and the sum of their values.
    """
    rows = pl.DataFrame({"learner_id": task.learner_ids, "moment": task.day}).with_row_index("row")
    days = pl.col("occurred_at").dt.epoch("d")
    inside = (
        task.frame.join(rows, on="learner_id")
        .with_columns((pl.col("moment") - days).alias("age"))
        .filter(pl.col("age").is_between(0, task.window_days - 1))
    )
    counts = np.zeros((len(rows), task.window_days))
    daily = inside.group_by("row", "age").len()
    counts[daily["row"].to_numpy(), daily["age"].to_numpy()] = daily["len"].to_numpy()
    active = counts > 0
    found = {
        "recency": np.where(active.any(axis=1), active.argmax(axis=1), task.window_days).astype(float),
        "active_7": active[:, :7].sum(axis=1).astype(float),
        "active_28": active[:, :28].sum(axis=1).astype(float),
        "active": active.sum(axis=1).astype(float),
    }
    found |= {f"day_{age}": counts[:, age] for age in range(task.window_days)}
    for (action,), part in sorted(inside.group_by("action")):
        totals = part.group_by("row").agg(pl.len().alias("events"), pl.col("value").sum())
        for name in ("events", "value"):
            column = np.zeros(len(rows))
            column[totals["row"].to_numpy()] = totals[name].to_numpy()
            found[f"{action}_{name}"] = column
    return found
