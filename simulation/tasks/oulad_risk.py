"""OULAD: of those who are registered at the end of course day 55, who will fail or withdraw?"""

from __future__ import annotations

from pathlib import Path

from simulation.tasks import oulad
from simulation.tasks.base import Task

NAME = "oulad-risk"
DAY = 55
_LOST = ("Fail", "Withdrawn")


def load(source_dir: Path) -> Task:
    """Return the task: every student who is registered; assessments handed in so far are among the events."""
    students = oulad.registered(source_dir, DAY)
    label = students["final_result"].is_in(_LOST).to_numpy()
    return oulad.task(NAME, source_dir, students, label, DAY)
