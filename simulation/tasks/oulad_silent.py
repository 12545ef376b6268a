"""OULAD: of all who are registered at the end of course day 27, who will not click on days 28-41?"""

from __future__ import annotations

from pathlib import Path

from simulation.tasks import oulad
from simulation.tasks.base import Task

NAME = "oulad-silent"
DAY, FIRST, LAST = 27, 28, 41


def load(source_dir: Path) -> Task:
    """Return the task: every student who is registered."""
    students = oulad.registered(source_dir, DAY)
    return oulad.task(NAME, source_dir, students, ~oulad.clicked(source_dir, students, FIRST, LAST), DAY)
