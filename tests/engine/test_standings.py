"""Standings, and a risk that rises by the clock alone."""

from __future__ import annotations

import numpy as np

from engine import batch, events, outcomes, record, rules, signals
from engine.arrival import SEEN
from engine.risk import dropoff, model
from engine.risk.dropoff import SILENT_DAYS, STANDINGS, standings

RULES = rules.load()
DAY = 19_000


def learners(count: int = 1, days: int = 20) -> record.Records:
    """Return learners who were active on every day but each third, up to ``DAY``."""
    records = record.new_records(count)
    rows = events.empty(count * days)
    rows["learner"] = np.repeat(np.arange(count), days)
    back = np.tile(np.arange(days)[::-1], count)
    rows["day"] = DAY - back - back // 3
    rows["occurred_ms"] = rows["day"].astype("i8") * 86_400_000 + 36_000_000
    rows["action"] = (np.arange(len(rows)) * 7 + rows["learner"] * 3) % 20
    verdicts = np.zeros(len(rows), np.uint8)
    out = np.zeros(len(rows) * 40 + outcomes.MARGIN, outcomes.OUTCOME)
    done, _ = batch.fold_batch(records, rows, 0, RULES.record, np.zeros(0, SEEN), verdicts, outcomes.scratch(), out, 0)
    assert done == len(rows)
    return records


def to_day(records: record.Records, day: int) -> None:
    out = np.zeros(len(records) * 100 + outcomes.MARGIN, outcomes.OUTCOME)
    days = np.full(len(records), day, np.int32)
    done, _ = batch.close_day(records, days, 0, RULES.record, outcomes.scratch(), out, 0)
    assert done == len(records)


def test_standings_follow_the_bands_of_the_rules() -> None:
    risk = np.array([100.0, 80.0, 79.999, 60.0, 59.9, 40.0, 39.9, 0.0])
    assert standings(learners(8), risk, RULES).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_who_was_silent_for_14_days_has_dropped_off_and_who_never_came_has_not_started() -> None:
    assert STANDINGS == ("dropped_off", "not_started")
    names = dropoff.standing_names(RULES)
    records = np.concatenate([learners(1), record.new_records(1), record.new_records(1, DAY)])
    risk = np.full(3, 90.0)

    def now() -> list[str]:
        return [names[code] for code in standings(records, risk, RULES)]

    to_day(records, DAY + SILENT_DAYS)  # the morning after 13 silent days
    assert now() == ["critical", "not_started", "not_started"]
    to_day(records, DAY + SILENT_DAYS + 1)  # the 14th silent day has ended
    assert now() == ["dropped_off", "not_started", "not_started"]
    to_day(records, DAY + 200)
    assert now()[0] == "dropped_off"


def test_the_shipped_risk_rises_while_learners_are_silent_by_the_clock_alone() -> None:
    risk_model = model.load()
    columns = [signals.names().index(name) for name in risk_model.signals]
    records = learners(8)
    risk = []
    for day in range(DAY + 1, DAY + 1 + SILENT_DAYS):
        to_day(records, day)
        risk.append(risk_model.score(signals.compute(records, np.arange(8))[:, columns])[:, 0])
    steps = np.diff(np.array(risk), axis=0)
    assert (steps > 0).mean() > 0.95
    assert (np.array(risk)[-1] > np.array(risk)[0] + 30).all()
