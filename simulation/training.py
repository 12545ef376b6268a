"""Training: the learner-days of event logs become a risk model, and what is known of its quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.risk import challenge, fitting, quality
from engine.risk.challenge import Verdict
from engine.risk.model import RiskModel
from engine.risk.registry import Registry
from engine.risk.rows import Rows
from engine.rules import Rules
from engine.signals import names
from simulation import unseen
from simulation.adapters import event_log
from simulation.logs import Population, Progress, knows_hours, population
from simulation.samples import Sample, sample

_OF_HOURS = ("hour_concentration", "night_share", "mean_span_minutes")  # say nothing where a log knows days only


def fit(
    logs: Sequence[Population],
    rules: Rules,
    progress: Progress | None = None,
    kinds: Sequence[str] = tuple(fitting.RECIPES),
) -> tuple[RiskModel, dict[str, Any]]:
    """Fit a risk model on event logs, each log weighing the same.

    Args:
        logs: to train on.
        rules: of the product.
        progress: called with (days done, days in all), over all logs.
        kinds: of estimator to choose from, of `engine.risk.fitting.RECIPES`.

    Returns:
        the model, its ``about`` filled; what stands there under ``held_out``: measures on learners it never saw.

    Raises:
        EngageError: see `engine.risk.fitting.fit`.
    """
    samples = _samples(logs, rules, progress)
    kept = fitting.worth_reading(_rows(logs, samples))
    columns = [names().index(name) for name in kept]
    samples = [
        replace(found, rows=found.rows.reading(kept), silences=found.silences[:, :, columns]) for found in samples
    ]
    rows = _together(samples)
    model, _fitted = fitting.fit(rows.fitted_on, kinds)
    log_names = [log.name for log in logs]
    held_out = quality.by_source(model, rows.judged_on, log_names)
    for name, found in zip(log_names, samples, strict=True):
        held_out[name]["silence"] = _silence_risk(model, found.silences)
    about = {
        **model.about,
        "signals_left_out": sorted(set(names()) - set(kept)),
        "trained_on": [_describe(log, found) for log, found in zip(logs, samples, strict=True)],
        "held_out": held_out,
        "standings": {
            name: _shares(model, rows.where(rows.source == source), found, rules)
            for source, (name, found) in enumerate(zip(log_names, samples, strict=True))
        },
    }
    return replace(model, about=about), held_out


def _samples(logs: Sequence[Population], rules: Rules, progress: Progress | None) -> list[Sample]:
    lengths = [int(log.last_day.max()) - int(log.events["day"].min()) + 1 for log in logs]
    samples = []
    for source, log in enumerate(logs):
        step = None if progress is None else _shifted(progress, sum(lengths[:source]), sum(lengths))
        samples.append(sample(log, source, rules, step))
    return samples


def _read(event_files: Sequence[Path], rules: Rules) -> list[Population]:
    logs = [population(file.stem, event_log.read(file), rules) for file in event_files]
    repeated = sorted({log.name for log in logs if [other.name for other in logs].count(log.name) > 1})
    if repeated:
        raise InputError("event logs", f"two named {repeated[0]!r}", "file names that tell them apart")
    return logs


def contest(
    event_files: Sequence[Path],
    registry: Registry,
    packaged: RiskModel,
    now_ms: int,
    rules: Rules,
    progress: Progress | None = None,
    kinds: Sequence[str] = tuple(fitting.RECIPES),
) -> Verdict:
    """Fit a challenger on the earlier days of event logs; it is promoted if it beats the champion on the later ones.

    Args:
        event_files: event logs, Parquet, CSV or NDJSON.
        registry: where models and decisions are kept.
        packaged: the champion where none was promoted yet.
        now_ms: UTC instant of the decision.
        rules: of the product.
        progress: called with (days done, days in all), over all logs.
        kinds: of estimator to choose from, of `engine.risk.fitting.RECIPES`.

    Raises:
        EngageError: too little is known yet, see `engine.risk.challenge.split`.
    """
    logs = _read(event_files, rules)
    samples = _samples(logs, rules, progress)
    told = [_describe(log, found) for log, found in zip(logs, samples, strict=True)]
    return challenge.contest(_rows(logs, samples), registry, packaged, now_ms, trained_on=told, kinds=kinds)[1]


def train(
    event_files: Sequence[Path],
    out: Path,
    rules: Rules,
    progress: Progress | None = None,
    kinds: Sequence[str] = tuple(fitting.RECIPES),
) -> dict[str, Any]:
    """Fit a risk model on event log files and write it.

    Args:
        event_files: event logs, Parquet, CSV or NDJSON.
        out: the model's file.
        rules: of the product.
        progress: called with (days done, days in all), over all logs.
        kinds: of estimator to choose from, of `engine.risk.fitting.RECIPES`.

    Returns:
        measures on held-out learners, by log and pooled.
    """
    logs = _read(event_files, rules)
    model, held_out = fit(logs, rules, progress, kinds)
    model.save(out)
    return held_out


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _days: progress(before + done, total)


def _rows(logs: Sequence[Population], samples: Sequence[Sample]) -> Rows:
    """Return the rows of all logs, without signals of hours where some log knows days alone."""
    rows = _together(samples)
    if all(map(knows_hours, logs)):
        return rows
    return rows.reading([name for name in rows.signals if name not in _OF_HOURS])


def _together(samples: Sequence[Sample]) -> Rows:
    """Return the rows of all logs, learners numbered on from one to the next."""
    tables = [found.rows for found in samples]
    first = np.cumsum([0] + [int(table.learner.max(initial=-1)) + 1 for table in tables])
    tables = [replace(table, learner=table.learner + first[place]) for place, table in enumerate(tables)]
    arrays = {
        entry.name: np.concatenate([getattr(table, entry.name) for table in tables])
        for entry in fields(Rows)
        if entry.name != "signals"
    }
    return Rows(tables[0].signals, **arrays)


def _describe(log: Population, found: Sample) -> dict[str, Any]:
    epoch = date(1970, 1, 1)
    return {
        "name": log.name,
        "fingerprint": unseen.fingerprint(unseen.began(log), int(log.last_day.max())),
        "learners": len(log.learner_ids),
        "events": len(log.events),
        "first_day": str(epoch + timedelta(days=int(log.events["day"].min()))),
        "last_day": str(epoch + timedelta(days=int(log.last_day.max()))),
        "learner_days_used": len(found.rows),
    }


def _silence_risk(model: RiskModel, silences: NDArray[np.float64]) -> dict[str, Any]:
    """Return how risk moves as learners who were active fall silent, by the clock alone."""
    learners, days, width = silences.shape
    if learners == 0:
        return {"learners": 0}
    risk = model.score(silences.reshape(-1, width))[:, 0].reshape(learners, days)
    steps = np.diff(risk, axis=1)
    return {
        "learners": learners,
        "mean_risk_by_silent_day": [float(value) for value in risk.mean(axis=0)],
        "share_of_days_risen": float((steps > 0).mean()),
        "share_of_days_fallen": float((steps < 0).mean()),
    }


def _shares(model: RiskModel, rows: Rows, found: Sample, rules: Rules) -> dict[str, Any]:
    """Return the share of learners in each standing on an average day: of those scored, and of all who have begun."""
    risk = model.score(rows.matrix)[:, 0]
    band = (risk[:, None] < rules.band_starts).sum(axis=1)
    counts = np.bincount(band, minlength=len(rules.bands))
    bands = {entry.name: float(counts[place] / len(rows)) for place, entry in enumerate(rules.bands)}
    scored = found.standings["scored"] / (found.standings["scored"] + found.standings["dropped_off"])
    begun = {name: share * scored for name, share in bands.items()}
    return {"of_scored": bands, "of_begun": {**begun, "dropped_off": 1 - scored}}
