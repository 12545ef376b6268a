"""Drift: how far today's learners have moved from those the model was fitted on, and how its risks came true.

Once a day the signals of some learners are held against the model's reference, and their risks are kept. Three weeks
later it is known what became of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.lane import Lane
from actors.storage.reports import Report, ReportStore
from engine import bitmaps, calendar
from engine.record import WORD_DAYS
from engine.risk import drift
from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS, labels
from engine.risk.model import RiskModel
from engine.risk.quality import measures
from engine.signals import names

NAME = "drift"
"""Of the reports in the store; their periods are days, UTC."""
DUE_MINUTE = 13 * 60
"""Minute of the day, UTC, from which on the report is due: yesterday has ended in the last zone on earth by then."""
SAMPLE = 2_000
"""Learners looked at each day, by chance."""
_RIPE_DAYS = HORIZON_DAYS + SILENT_DAYS + 1  # ... and late events of the last one are in
_MATURED_DAYS = 14  # whose reports' risks are held against what came
_FEWEST = 100  # risks of a model, below which nothing is told of calibration


class Drifting:
    """Makes the day's report: an `api.jobs.Job`.

    Args:
        lanes: of the service.
        reports: where they are kept.
        model: says which model scores.
    """

    def __init__(self, lanes: Sequence[Lane], reports: ReportStore, model: Callable[[], RiskModel]) -> None:
        self._lanes, self._reports, self._model = lanes, reports, model
        self.newest: dict[str, Any] = next((report.body for report in reports.newest(NAME, 1)), {})

    def step(self, now_ms: int) -> None:
        """Make today's report if it is due and not there."""
        today, ms = divmod(now_ms, calendar.MS_PER_DAY)
        period = str(calendar.date_of(today))
        if ms < DUE_MINUTE * calendar.MS_PER_MINUTE or self.newest.get("period") == period:
            return
        body = {"period": period, **self._today(today, now_ms), **self._matured(today, now_ms)}
        self._reports.add(Report(NAME, period, body, now_ms))
        self.newest = self._reports.newest(NAME, 1)[0].body  # another's, if that came first

    def _today(self, today: int, now_ms: int) -> dict[str, Any]:
        """Return the signals' drift, and some learners' risks: (log, row, local day at whose end it looks, risk)."""
        model, draw = self._model(), np.random.default_rng(today)
        wanted = ["risk", "as_of", "active_bits"]
        columns = [lane.ask("columns", wanted, now_ms) for lane in self._lanes]
        where = [(lane, row) for lane, each in enumerate(columns) for row in np.flatnonzero(~np.isnan(each["risk"]))]
        chosen = draw.permutation(len(where))[:SAMPLE]
        matrices: list[NDArray[np.float64]] = []
        sample: list[list[float]] = []
        for place, lane in enumerate(self._lanes):
            mine = sorted(int(where[each][1]) for each in chosen.tolist() if where[each][0] == place)
            rows, matrix = lane.ask("signals", mine)
            matrices.append(matrix)
            for row in rows.tolist():
                as_of, bits = int(columns[place]["as_of"][row]), columns[place]["active_bits"][row]
                day = as_of if bitmaps.has_day(bits, as_of) else as_of - 1  # at whose end the risk looks
                sample.append([lane.log, row, day, round(float(columns[place]["risk"][row]), 2)])
        psi = drift.stability(model.about.get("reference", {}), names(), np.concatenate(matrices))
        told = {name: round(psi[name], 4) for name in model.signals if name in psi}
        return {"model": model.version, "learners": len(sample), "psi": told, "sample": sample}

    def _matured(self, today: int, now_ms: int) -> dict[str, Any]:
        """Return how risks came true that are old enough to know, by the version of the model that told them."""
        first, until = (str(calendar.date_of(today - _RIPE_DAYS + 1 - back)) for back in (_MATURED_DAYS, 0))
        ripe = [each for each in self._reports.newest(NAME, _MATURED_DAYS, before=until) if each.period >= first]
        wanted = ["as_of", "active_bits"]
        columns = {lane.log: lane.ask("columns", wanted, now_ms) for lane in self._lanes}
        lanes = {lane.log: lane for lane in self._lanes}
        known = dict[str, list[tuple[float, bool]]]()  # (what was said, what came) of each model
        for report in ripe:
            for log, row, day, risk in report.body["sample"]:
                bits, as_of = columns[log]["active_bits"][row], int(columns[log]["as_of"][row])
                outcome = None if lanes[log].id_of(row) is None else _outcome(bits, as_of, day)
                if outcome is not None:
                    known.setdefault(report.body["model"], []).append((risk / 100, outcome))
        return {"matured": {model: _measured(pairs) for model, pairs in known.items() if len(pairs) >= _FEWEST}}


def _measured(pairs: list[tuple[float, bool]]) -> dict[str, Any]:
    said, happened = np.array(pairs, np.float64).T
    found = measures(happened.astype(bool), said, np.ones(len(said)))
    return {"risks": len(said), "said": float(np.mean(said)), **found}


def _outcome(bits: NDArray[np.int64], as_of: int, day: int) -> bool | None:
    """Return whether a learner dropped off of whom something was said at the end of a local day.

    None = unknown: it is not decided yet, or so long ago that the days are forgotten.

    Args:
        bits: days on which the learner was active.
        as_of: the learner's today.
        day: the local day.
    """
    if as_of - (day - SILENT_DAYS + 1) >= WORD_DAYS:
        return None
    active = bitmaps.window(bits, as_of)
    span = np.array([[bool(active >> (as_of - each) & 1) for each in range(day - SILENT_DAYS + 1, as_of)]])
    at = SILENT_DAYS - 1
    if span.shape[1] <= at:
        return None
    found = labels(span)
    return bool(found.dropped[0, at]) if found.eligible[0, at] and found.known[0, at] else None
