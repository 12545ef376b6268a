"""Learning on: what the service kept of its learners becomes a challenger to the model that scores them."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from actors.storage.journal import SqlJournal
from actors.storage.reports import Report, ReportStore
from api import exports, scratch
from api.place import URL_VARIABLE, Place, zone_of
from engine import calendar
from engine.risk.challenge import Verdict, contest
from engine.risk.model import RiskModel
from engine.risk.registry import Registry
from engine.rules import Rules
from simulation import kept, unseen

_log = logging.getLogger("engage.learning")
NAME, OUTCOME = "learning", "learnt"
"""Of the reports in the store, by day: one for each attempt, made as it begins, and one for what came of it."""
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
        EngageError: too little is known yet to learn from, or another process is learning from it.
    """
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(scratch.scratch(place.data))
        journals = [stack.enter_context(contextlib.closing(SqlJournal(place.url, log))) for log in range(place.actors)]
        signals, events = work / "signals.parquet", work / "events.parquet"
        exports.export("signals", journals, zone_of(place), rules, signals, progress, kept.scoring_columns())
        exports.export("events", journals, zone_of(place), rules, events, progress, kept.EVENT_COLUMNS)
        rows, began = kept.rows_of(signals, events), kept.began(events)
    about: dict[str, Any] = {
        "name": "this service",
        "fingerprint": unseen.fingerprint(began, int(rows.day.max())),
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
        reports: where attempts are noted before they begin, so that none begins beside one that a killed service left.
        every_days: between attempts.
        options: of ``engage train`` beside the place: the service's own rules.
    """

    def __init__(self, place: Place, reports: ReportStore, every_days: int, options: Sequence[str] = ()) -> None:
        self._place, self._reports, self._every_days, self._options = place, reports, every_days, options
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._ended = False

    def step(self, now_ms: int) -> None:
        """Try if the last attempt is long enough ago; the first one is due after as many days."""
        today = now_ms // calendar.MS_PER_DAY
        newest = self._reports.newest(NAME, 1)
        period = str(calendar.date_of(today))
        if not newest:
            self._reports.add(Report(NAME, period, {"told": "began to keep what is needed"}, now_ms))
        elif today - calendar.day_number(date.fromisoformat(newest[0].period)) < self._every_days:
            return
        elif self._reports.add(Report(NAME, period, {"told": "began to learn"}, now_ms)):  # else another service did
            self._reports.add(Report(OUTCOME, period, self._try(), now_ms))

    def end(self) -> None:
        """End an attempt that is under way, and begin no other."""
        with self._lock:
            self._ended = True
            if self._child is not None:
                self._child.terminate()

    def _try(self) -> dict[str, Any]:
        asked = ["train", "--data", str(self._place.data), *self._options]
        command = ["nice", "-n", str(_NICE), sys.executable, "-c", _PROGRAM, *asked]
        environment = {**os.environ, URL_VARIABLE: self._place.url}  # anybody may list processes with their arguments
        pipe = subprocess.PIPE
        with self._lock:
            if self._ended:
                return {"told": "the service ended"}
            child = subprocess.Popen(  # noqa: S603  # our own program
                command, stdout=pipe, stderr=pipe, text=True, env=environment
            )
            self._child = child
        out, err = child.communicate()
        scratch.clear(self._place.data)  # if it was ended
        told = (out if child.returncode == 0 else err).strip()
        _log.log(logging.INFO if child.returncode == 0 else logging.WARNING, "%s", told)
        return {"exit": child.returncode, "told": told}
