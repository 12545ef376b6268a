"""Runs by their seeds. ``python -m tests.faults.faulty_run SEED ...`` runs just these, and tells what happened."""

from __future__ import annotations

import logging
import sys
import traceback
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from actors.answers import Answer
from tests.faults.faulty_judge import Judge
from tests.faults.faulty_life import Life
from tests.faults.faulty_service import Parts, by_luck


class Failure(NamedTuple):
    """A run that did not end well."""

    seed: int
    happened: list[str]
    trace: str

    def __str__(self) -> str:
        again = f"Again: .venv/bin/python -m {Failure.__module__} {self.seed}"
        return f"seed {self.seed}: {', '.join(self.happened)}\n{self.trace}\n{again}"


class Report(NamedTuple):
    """What came of some runs."""

    failures: list[Failure]
    struck: Counter[tuple[str, str]]  # how often each fault did
    told: Counter[str]  # messages by kind, and sends


def live(seed: int, parts: Parts) -> Life:
    """Run a seed to its end, without looking at it; return the run."""
    life = Life(seed, parts)
    with by_luck(life.luck):
        life.run()
    return life


def run(seeds: Iterable[int], parts: Parts | None = None, most_failures: int = 3) -> Report:
    """Run and judge seeds, until too many have failed."""
    report = Report([], Counter(), Counter())
    logging.disable()  # snapshots that fail are warned of, and here many do
    try:
        for seed in seeds:
            life = Life(seed, parts or Parts())
            try:
                with by_luck(life.luck):
                    life.run()
                    Judge(life).check()
            except Exception:  # noqa: BLE001  # whatever it is, it is the finding
                report.failures.append(Failure(seed, life.told, traceback.format_exc()))
                if len(report.failures) == most_failures:
                    break
            report.struck.update(life.luck.struck)
            report.told.update(entry.message.kind for entry in life.disk.first_told)
            report.told["sent"] += sum(len(Answer.of(entry.answer).sends) for entry in life.disk.first_told)
    finally:
        logging.disable(logging.NOTSET)
    return report


if __name__ == "__main__":
    for failed in run(map(int, sys.argv[1:])).failures:
        sys.exit(str(failed))
