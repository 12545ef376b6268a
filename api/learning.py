"""Learning on: what the service kept of its learners becomes a challenger to the model that scores them."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from actors.storage.journal import SqlJournal
from actors.storage.reports import Report, ReportStore
from api import exports
from api.place import Place, zone_of
from engine import calendar
from engine.risk.challenge import Verdict, contest
from engine.risk.model import RiskModel
from engine.risk.registry import Registry
from engine.rules import Rules
from simulation import kept

_log = logging.getLogger("engage.learning")
NAME = "learning"
"""Of the reports in the store: one for each attempt, by its day."""
_MODELS = "models"
_NICE = 10  # the service goes first
_PROGRAM = "from api.cli.main import main; main()"


def registry_of(data: Path) -> Registry:
    """Return the registry of models of a service's data directory."""
    return Registry(data / _MODELS)


def learn(
    place: Place, rules: Rules, packaged: RiskModel, now_ms: int, kinds: Sequence[str], progress: exports.Progress
) -> Verdict:
    """Fit a challenger on what a service's journals hold; it is promoted if it beats the champion on later days.

    Args:
        place: of the service, which may run on.
        rules: its own.
        packaged: the champion where none was promoted yet.
        now_ms: the present instant.
        kinds: of estimator to choose from.
        progress: called with (entries read, entries in all) of each of the two tables.

    Raises:
        EngageError: too little is known yet to learn from.
    """
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=place.data, prefix="learning-")))
        journals = [stack.enter_context(contextlib.closing(SqlJournal(place.url, log))) for log in range(place.actors)]
        tables = {name: work / f"{name}.parquet" for name in ("signals", "events")}
        exports.export("signals", journals, zone_of(place), rules, tables["signals"], progress)
        exports.export("events", journals, zone_of(place), rules, tables["events"], progress)
        rows = kept.rows_of(tables["signals"], tables["events"])
    about: dict[str, Any] = {
        "name": "this service",
        "learners": len(set(rows.learner.tolist())),
        "learner_days_used": len(rows),
        "first_day": str(calendar.date_of(int(rows.day.min()))),
        "last_day": str(calendar.date_of(int(rows.day.max()))),
    }
    _, verdict = contest(rows, registry_of(place.data), packaged, now_ms, trained_on=[about], kinds=kinds)
    return verdict


class Learning:
    """Lets the service learn from time to time, in a process of its own: an `api.jobs.Job`.

    Args:
        place: of the service.
        reports: where attempts are noted, so that a restart does not try again at once.
        every_days: between attempts.
        options: of ``engage train`` beside the place: the service's own rules.
    """

    def __init__(self, place: Place, reports: ReportStore, every_days: int, options: Sequence[str] = ()) -> None:
        self._place, self._reports, self._every_days, self._options = place, reports, every_days, options

    def step(self, now_ms: int) -> None:
        """Try if the last attempt is long enough ago; the first one is due after as many days."""
        today = now_ms // calendar.MS_PER_DAY
        newest = self._reports.newest(NAME, 1)
        if not newest:
            self._note(today, now_ms, {"told": "began to keep what is needed"})
        elif today - calendar.day_number(date.fromisoformat(newest[0].period)) >= self._every_days:
            self._note(today, now_ms, self._try())

    def _try(self) -> dict[str, Any]:
        asked = ["train", "--data", str(self._place.data), "--database-url", self._place.url, *self._options]
        command = ["nice", "-n", str(_NICE), sys.executable, "-c", _PROGRAM, *asked]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own program
        told = (done.stdout if done.returncode == 0 else done.stderr).strip()
        _log.log(logging.INFO if done.returncode == 0 else logging.WARNING, "%s", told)
        return {"exit": done.returncode, "told": told}

    def _note(self, day: int, now_ms: int, body: dict[str, Any]) -> None:
        self._reports.add(Report(NAME, str(calendar.date_of(day)), body, now_ms))
