"""OULAD: of those who clicked on course days 21-27, who will not click on days 28-41?"""

from __future__ import annotations

from pathlib import Path

from simulation.tasks import oulad
from simulation.tasks.base import Task
from simulation.tasks.oulad_silent import DAY, FIRST, LAST

NAME = "oulad-silent-hard"


def load(source_dir: Path) -> Task:
    """Return the task: students whose silence has not begun yet, or hardly."""
    students = oulad.registered(source_dir, DAY)
    students = students.filter(oulad.clicked(source_dir, students, DAY - 6, DAY))
    return oulad.task(NAME, source_dir, students, ~oulad.clicked(source_dir, students, FIRST, LAST), DAY)
