"""Training: the learner-days of event logs become a risk model, and what is known of its quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.risk import fitting, quality
from engine.risk.model import LinearRisk
from engine.rules import Rules
from engine.signals import names
from simulation.adapters import event_log
from simulation.samples import Population, Progress, Sample, knows_hours, population, sample

_OF_HOURS = ("hour_concentration",)  # says nothing where a log knows days only


def fit(
    logs: Sequence[Population], rules: Rules, progress: Progress | None = None
) -> tuple[LinearRisk, dict[str, Any]]:
    """Fit a risk model on event logs, each log weighing the same.

    Args:
        logs: to train on.
        rules: of the product.
        progress: called with (days done, days in all), over all logs.

    Returns:
        the model, its ``about`` filled; what stands there under ``held_out``: measures on learners it never saw.

    Raises:
        EngageError: see `engine.risk.fitting.fit`.
    """
    lengths = [int(log.last_day.max()) - int(log.events["day"].min()) + 1 for log in logs]
    samples = []
    for source, log in enumerate(logs):
        before = sum(lengths[:source])
        step = None if progress is None else _shifted(progress, before, sum(lengths))
        samples.append(sample(log, source, rules, step))
    kept = tuple(name for name in names() if name not in _OF_HOURS or all(map(knows_hours, logs)))
    samples = [_only(found, kept) for found in samples]
    rows = _together(samples)
    model, _pipeline = fitting.fit(rows)
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


def train(event_files: Sequence[Path], out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, Any]:
    """Fit a risk model on event log files and write it.

    Args:
        event_files: event logs, Parquet, CSV or NDJSON.
        out: the model's file.
        rules: of the product.
        progress: called with (days done, days in all), over all logs.

    Returns:
        measures on held-out learners, by log and pooled.
    """
    logs = [population(file.stem, event_log.read(file), rules) for file in event_files]
    repeated = sorted({log.name for log in logs if [other.name for other in logs].count(log.name) > 1})
    if repeated:
        raise InputError("event logs", f"two named {repeated[0]!r}", "file names that tell them apart")
    model, held_out = fit(logs, rules, progress)
    model.save(out)
    return held_out


def _only(found: Sample, kept: Sequence[str]) -> Sample:
    """Return a sample with some of its signals."""
    columns = [found.rows.signals.index(name) for name in kept]
    rows = replace(found.rows, signals=tuple(kept), matrix=found.rows.matrix[:, columns])
    return replace(found, rows=rows, silences=found.silences[:, :, columns])


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _days: progress(before + done, total)


def _together(samples: Sequence[Sample]) -> fitting.Rows:
    """Return the rows of all logs, witnesses numbered on from one to the next."""
    tables = [found.rows for found in samples]
    shift = np.cumsum([0] + [int(table.witness.max(initial=-1)) + 1 for table in tables])
    witness = np.concatenate([table.witness + shift[place] for place, table in enumerate(tables)])
    matrix, dropped, source, bucket = (
        np.concatenate([getattr(table, name) for table in tables]) for name in ("matrix", "dropped", "source", "bucket")
    )
    return fitting.Rows(tables[0].signals, matrix, dropped, source, witness, bucket)


def _describe(log: Population, found: Sample) -> dict[str, Any]:
    epoch = date(1970, 1, 1)
    return {
        "name": log.name,
        "learners": len(log.learner_ids),
        "events": len(log.events),
        "first_day": str(epoch + timedelta(days=int(log.events["day"].min()))),
        "last_day": str(epoch + timedelta(days=int(log.last_day.max()))),
        "learner_days_used": len(found.rows),
    }


def _silence_risk(model: LinearRisk, silences: NDArray[np.float64]) -> dict[str, Any]:
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


def _shares(model: LinearRisk, rows: fitting.Rows, found: Sample, rules: Rules) -> dict[str, Any]:
    """Return the share of learners in each standing on an average day: of those scored, and of all who have begun."""
    risk = model.score(rows.matrix)[:, 0]
    band = (risk[:, None] < rules.band_starts).sum(axis=1)
    counts = np.bincount(band, minlength=len(rules.bands))
    bands = {entry.name: float(counts[place] / len(rows)) for place, entry in enumerate(rules.bands)}
    scored = found.standings["scored"] / (found.standings["scored"] + found.standings["dropped_off"])
    begun = {name: share * scored for name, share in bands.items()}
    return {"of_scored": bands, "of_begun": {**begun, "dropped_off": 1 - scored}}
