"""Training: event logs become labelled learner-days and a model, without a look beyond the end of the data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from actors.loop import Loop
from engine import rules
from engine.errors import InputError
from engine.events import sort_for_fold
from engine.policies import make
from engine.risk import model
from engine.signals import compute, names
from simulation import adapters, samples
from simulation.adapters import event_log
from simulation.logs import Population, knows_hours, last_days, population
from simulation.samples import sample
from simulation.training import fit, train

RULES = rules.load()
START = datetime(2024, 1, 1, 9, tzinfo=UTC)


def frame(learners: int = 150, days: int = 90, seed: int = 1, *, hours: bool = False) -> pl.DataFrame:
    """Return a log of learners who come by chance and of whom some never come back."""
    draw = np.random.default_rng(seed)
    rows = []
    for learner in range(learners):
        keen, end = draw.uniform(0.15, 0.9), int(draw.exponential(60)) + 1
        for day in range(int(draw.integers(0, 10)), min(days, end)):
            if draw.random() < keen:
                at = START + timedelta(days=day, hours=int(draw.integers(0, 9)) if hours else 0)
                rows += [
                    {"learner_id": f"u{learner}", "occurred_at": at + timedelta(seconds=k), "action": "lesson_start"}
                    for k in range(int(draw.integers(1, 6)))
                ]
    table = pl.DataFrame(rows).with_columns(pl.col("occurred_at").dt.cast_time_unit("ms"))
    return event_log.canonical(table.sort("occurred_at", "learner_id"))


def log(learners: int = 150, days: int = 90, seed: int = 1, name: str = "tiny", *, hours: bool = False) -> Population:
    return population(name, frame(learners, days, seed, hours=hours), RULES)


def test_rows_are_what_the_loop_would_score_with_the_signals_of_that_day() -> None:
    tiny = log(learners=12, days=50)
    found = sample(tiny, 0, RULES).rows
    first = int(tiny.events["day"].min())
    loop = Loop(RULES, make("none", {}), len(tiny.learner_ids))
    expected = []
    for day in range(first, int(tiny.last_day.max()) - 20 + 1):
        loop.ingest(sort_for_fold(tiny.events[tiny.events["day"] == day]))
        loop.close(day + 1)
        expected.append(loop.signals()[1])
    np.testing.assert_array_equal(found.matrix, np.concatenate(expected))


def test_a_long_log_is_thinned_to_rows_spread_over_all_days(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = log(learners=40, days=80)
    whole = sample(tiny, 0, RULES).rows
    monkeypatch.setattr(samples, "MOST_ROWS", len(whole) // 4)
    thin = sample(tiny, 0, RULES).rows
    assert len(whole) / 6 < len(thin) < len(whole) / 4
    assert {row.tobytes() for row in thin.matrix} < {row.tobytes() for row in whole.matrix}
    assert set(thin.bucket) == set(whole.bucket)


def test_a_label_tells_whether_the_learner_fell_silent() -> None:
    tiny = log(learners=40, days=80)
    found = sample(tiny, 0, RULES).rows
    silent = found.matrix[:, names().index("silent_days")]
    assert 0.1 < found.dropped.mean() < 0.9
    assert found.dropped[silent >= 10].mean() > found.dropped[silent == 0].mean() + 0.3


def test_a_course_ends_with_its_own_last_event_and_a_small_one_with_the_log() -> None:
    def rows(course: str | None, learners: int, day: int) -> list[dict[str, object]]:
        at = START + timedelta(days=day)
        return [
            {"learner_id": f"{course}{k}", "occurred_at": at, "action": "note", "course_id": course}
            for k in range(learners)
        ]

    table = pl.DataFrame(rows("big", 60, 5) + rows("small", 3, 6) + rows(None, 1, 40), infer_schema_length=None)
    table = event_log.canonical(table.with_columns(pl.col("occurred_at").dt.cast_time_unit("ms")))
    found = event_log.resolve(table, RULES)
    days = dict(
        zip(found.learner_ids, last_days(table, found) - (START - datetime(1970, 1, 1, tzinfo=UTC)).days, strict=True)
    )
    assert [days[learner] for learner in ("big0", "big59", "small2", "None0")] == [5, 5, 40, 40]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo", "Pacific/Apia"])
def test_learners_of_any_zone_are_told_by_their_own_days(zone: str) -> None:
    """The same evenings by other clocks, where UTC has another date: the same days active, the same labels."""
    evenings = frame(learners=30, days=80).with_columns(
        (pl.col("occurred_at").dt.truncate("1d") + pl.duration(hours=20)).alias("occurred_at")
    )
    moved = pl.col("occurred_at").dt.replace_time_zone(None).dt.replace_time_zone(zone).dt.convert_time_zone("UTC")
    there = evenings.with_columns(moved.alias("occurred_at"), pl.lit(zone).alias("timezone"))
    ours, theirs = (sample(population("log", table, RULES), 0, RULES).rows for table in (evenings, there))
    columns = [names().index(name) for name in ("silent_days", "active_days_7", "next_day_return", "log_tenure_days")]
    np.testing.assert_array_equal(ours.matrix[:, columns], theirs.matrix[:, columns])
    np.testing.assert_array_equal(ours.dropped, theirs.dropped)


def test_duplicates_in_a_log_change_nothing() -> None:
    once = frame(learners=10, days=60)
    twice = pl.concat([once, once])
    ours, theirs = (sample(population("log", table, RULES), 0, RULES).rows for table in (once, twice))
    np.testing.assert_array_equal(ours.matrix, theirs.matrix)


def test_a_log_that_is_too_short_to_know_what_became_of_anyone_is_refused() -> None:
    with pytest.raises(InputError, match=r"'tiny'.*20 days"):
        sample(log(learners=30, days=20), 0, RULES)


def test_a_log_of_days_is_told_from_one_of_hours() -> None:
    assert not knows_hours(log())
    assert knows_hours(log(hours=True))


def test_a_model_learns_from_days_alone_what_days_can_tell() -> None:
    with_hours, without = (fit([log(hours=hours)], RULES, kinds=["linear"])[0] for hours in (True, False))
    assert {"season_sine", "season_cosine"} <= set(with_hours.about["signals_left_out"])
    assert set(with_hours.signals) - set(without.signals) == {"hour_concentration", "night_share", "mean_span_minutes"}
    for fitted in (with_hours, without):
        assert set(names()) - set(fitted.signals) == set(fitted.about["signals_left_out"])


def test_a_model_leaves_out_signals_that_never_move() -> None:
    assert "log_assignments_28d" not in fit([log()], RULES, kinds=["linear"])[0].signals


def test_training_is_deterministic_and_judged_on_learners_it_never_saw(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        event_log.write(frame(seed=seed), tmp_path / f"{name}.parquet")
    files = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    calls: list[tuple[int, int]] = []
    found = train(files, tmp_path / "model.json", RULES, lambda done, total: calls.append((done, total)))
    train(files, tmp_path / "again.json", RULES)
    assert (tmp_path / "model.json").read_bytes() == (tmp_path / "again.json").read_bytes()

    fitted = model.load(tmp_path / "model.json")
    assert fitted.about["held_out"] == found
    assert set(found) == {"pooled", "one", "two"}
    assert 0.7 < found["pooled"]["auc"] < 1
    assert found["pooled"]["learner_days"] < sum(each["learner_days_used"] for each in fitted.about["trained_on"]) / 3
    rising = found["one"]["silence"]["mean_risk_by_silent_day"]
    assert rising[-1] > rising[0] + 10
    for shares in fitted.about["standings"].values():
        assert sum(shares["of_scored"].values()) == pytest.approx(1)
        assert sum(shares["of_begun"].values()) == pytest.approx(1)
    assert [done for done, _ in calls] == list(range(1, calls[0][1] + 1))


def test_two_logs_of_one_name_are_refused(tmp_path: Path) -> None:
    files = [tmp_path / "log.parquet", tmp_path / "log.csv"]
    for file in files:
        event_log.write(frame(learners=3), file)
    with pytest.raises(InputError, match="two named 'log'"):
        train(files, tmp_path / "model.json", RULES)


def test_the_shipped_model_tells_who_drops_off_on_real_data(data_dir: Path) -> None:
    for name, least in (("oulad", 0.80), ("platform365", 0.88)):
        table = adapters.adapter(name).convert(data_dir / name)
        wanted = table["learner_id"].unique().sort().gather_every(8)
        found = sample(population(name, table.filter(pl.col("learner_id").is_in(wanted.implode())), RULES), 0, RULES)
        shipped = model.load()
        columns = [names().index(each) for each in shipped.signals]
        risk = shipped.score(found.rows.matrix[:, columns])[:, 0]
        order = np.argsort(risk, kind="stable")
        ranks = np.empty(len(risk))
        ranks[order] = np.arange(len(risk))
        dropped = found.rows.dropped
        auc = (ranks[dropped].mean() - ranks[~dropped].mean()) / len(risk) + 0.5
        assert auc > least, name
        assert risk.mean() == pytest.approx(100 * dropped.mean(), abs=6), name
        assert shipped.score(found.silences[:, -1][:, columns])[:, 0].mean() > risk.mean()


def test_signals_never_look_at_what_comes_later() -> None:
    tiny = log(learners=20, days=60)
    cut = int(tiny.events["day"].min()) + 30
    past = Loop(RULES, make("none", {}), len(tiny.learner_ids))
    past.ingest(sort_for_fold(tiny.events[tiny.events["day"] <= cut]))
    past.close(cut + 1)
    rows, matrix = past.signals()
    shorter = Population("past", tiny.learner_ids, tiny.events, np.full(len(tiny.last_day), cut + 20))
    whole = sample(shorter, 0, RULES).rows
    np.testing.assert_array_equal(matrix, whole.matrix[-len(rows) :])
    np.testing.assert_array_equal(matrix, compute(past.records, rows))
