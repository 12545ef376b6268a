"""The learning loop: what a challenger is fitted and judged on, when it wins, and what is remembered of it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import EngageError, InputError
from engine.risk import challenge, fitting, intervals
from engine.risk.challenge import meet, split
from engine.risk.dropoff import HORIZON_DAYS, SILENT_DAYS
from engine.risk.model import DEFAULT_FILE, RiskModel
from engine.risk.registry import Registry
from engine.risk.rows import BUCKETS, Rows

SIGNALS = ("silent_days", "active_days_28", "level", "season_sine")
NOW_MS = 1_790_000_000_000


def rows_of(learners: int = 300, days: int = 90, seed: int = 1, weight: float = 1.5, source: int = 0) -> Rows:
    """Return daily rows of learners whose drop-off follows the first two signals, the more the larger ``weight``."""
    draw = np.random.default_rng(seed)
    learner, day = (part.ravel() for part in np.meshgrid(np.arange(learners), np.arange(100, 100 + days)))
    matrix = draw.normal(size=(len(learner), 4))
    dropped = draw.random(len(learner)) < 1 / (1 + np.exp(1 - weight * matrix[:, 0] + matrix[:, 1]))
    return Rows(SIGNALS, matrix, dropped, np.full(len(learner), source), learner, day, learner % BUCKETS)


def fitted(rows: Rows) -> RiskModel:
    return fitting.fit(rows.reading(SIGNALS[:3]), ["linear"])[0]


def test_between_the_days_to_fit_on_and_to_judge_on_lie_those_that_labels_look_at() -> None:
    earlier, later = split(rows_of(), 28)
    assert (later.day.min(), later.day.max()) == (162, 189)
    assert earlier.day.max() + HORIZON_DAYS + SILENT_DAYS - 1 < later.day.min()
    assert earlier.day.max() == 162 - 21 and earlier.day.min() == 100


def test_every_log_has_later_days_of_its_own() -> None:
    one, two = rows_of(), rows_of(days=60, source=1)
    joined = Rows(
        SIGNALS,
        *(np.concatenate([getattr(one, name), getattr(two, name)]) for name in ("matrix", "dropped", "source")),
        np.concatenate([one.learner, two.learner + 300]),
        *(np.concatenate([getattr(one, name), getattr(two, name)]) for name in ("day", "bucket")),
    )
    _, later = split(joined, 10)
    assert [later.day[later.source == source].min() for source in (0, 1)] == [180, 150]


@pytest.mark.parametrize(
    ("learners", "days", "part"), [(300, 40, "earlier"), (40, 90, "earlier"), (300, 20, "earlier")]
)
def test_too_little_to_learn_from_is_refused(learners: int, days: int, part: str) -> None:
    with pytest.raises(EngageError, match=f"the {part} days"):
        split(rows_of(learners, days), 28)


def few_go(going: int) -> Rows:
    """Return rows of a hundred learners, so many of whom drop off now and then."""
    rows = rows_of(learners=100)
    rows.dropped[:] = (rows.learner < going) & (rows.day % 5 == 0)
    return rows


def test_of_learners_hardly_any_of_whom_go_nothing_is_learnt_and_nothing_proved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intervals, "REPLICATES", 100)
    with pytest.raises(EngageError, match=r"the earlier days .*3 with days before a drop-off.*10 or more"):
        split(few_go(3))
    assert len(split(few_go(10))[1])
    later = few_go(3).where(few_go(3).day >= 162)
    model = fitted(rows_of(seed=2))
    found = meet(model, model, later)
    assert not found.promoted and "AUC unknown, because some redrawn learners lack an outcome" in found.reason
    assert "auc" not in found.ahead and found.champion["auc"] is not None


def test_rows_without_a_signal_that_the_champion_reads_are_refused_by_its_name() -> None:
    champion = fitted(rows_of(seed=2))
    with pytest.raises(EngageError, match="rows without level; expected all of them"):
        challenge.challenge(rows_of().reading(["silent_days", "active_days_28"]), champion, ["linear"])


def test_a_better_model_wins_and_an_equal_one_does_not() -> None:
    rows = rows_of()
    _, later = split(rows)
    good = fitted(rows_of(seed=2))
    poor = replace(good, estimator=replace(good.estimator, coefficient=good.estimator.coefficient * [-0.2, 1, 1]))
    won = meet(good, poor, later)
    assert won.promoted and won.reason == "better by the whole interval"
    assert won.ahead["auc"][1][0] > 0 > won.ahead["brier"][1][1]
    lost = meet(poor, good, later)
    assert not lost.promoted and "AUC" in lost.reason and "Brier" in lost.reason
    same = meet(good, good, later)
    assert not same.promoted and same.ahead["auc"] == (0.0, (0.0, 0.0))


def test_a_challenger_that_ranks_as_well_by_luck_alone_is_not_promoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models fitted to draws of one truth differ by luck; of twenty such challengers hardly one may pass."""
    monkeypatch.setattr(intervals, "REPLICATES", 80)
    _, later = split(rows_of(learners=120, seed=9))
    champion = fitted(rows_of(seed=50))
    promoted = [meet(fitted(rows_of(learners=120, seed=seed)), champion, later).promoted for seed in range(20)]
    assert sum(promoted) <= 2


def test_a_model_that_ranks_better_but_is_calibrated_worse_does_not_win() -> None:
    rows = rows_of()
    _, later = split(rows)
    good = fitted(rows_of(seed=2))
    poor = replace(good, estimator=replace(good.estimator, coefficient=good.estimator.coefficient * [0.6, 1, 1]))
    table = good.calibration
    flat = replace(
        table, p=0.5 + (table.p - 0.5) / 2, low=0.5 + (table.low - 0.5) / 2, high=0.5 + (table.high - 0.5) / 2
    )
    found = meet(replace(good, calibration=flat), poor, later)
    assert found.ahead["auc"][1][0] > 0 and not found.promoted and "calibration" in found.reason


def test_a_challenger_is_fitted_on_earlier_days_and_reads_no_season() -> None:
    rows = rows_of()
    rows.dropped[rows.day > 141] = (
        np.random.default_rng(3).random(int((rows.day > 141).sum())) < 0.3
    )  # all is different
    champion = fitted(rows_of(seed=2))
    challenger, verdict = challenge.challenge(rows, champion, ["linear"])
    assert challenger.signals == SIGNALS[:3]
    assert challenger.version == fitted(split(rows)[0]).version
    assert not verdict.promoted and abs(verdict.champion["auc"] - 0.5) < 0.05


def test_a_registry_keeps_models_by_version_and_the_newest_promotion_counts(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    one, two = fitted(rows_of(seed=1)), fitted(rows_of(seed=2))
    assert (registry.versions(), registry.champion(), registry.history()) == ([], None, [])
    assert registry.champion_or(one) is one
    for each in (one, two):
        assert registry.add(each) == each.version
        registry.promote(each.version, NOW_MS, {"by": "me"})
    assert set(registry.versions()) == {one.version, two.version}
    assert registry.champion() == two.version == registry.champion_or(one).version
    registry.note(NOW_MS, {"kept": two.version})
    assert registry.champion() == two.version
    registry.promote(one.version, NOW_MS, {"by": "again"})
    assert Registry(tmp_path / "models").champion() == one.version
    assert [each.get("promoted") for each in registry.history()] == [one.version, two.version, None, one.version]
    assert registry.history()[0] == {"at": "2026-09-21T14:13:20+00:00", "promoted": one.version, "by": "me"}


def test_what_is_not_kept_or_no_longer_what_it_was_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    kept = fitted(rows_of())
    registry.add(kept)
    with pytest.raises(InputError, match=f"'0'.*keeps: {kept.version}"):
        registry.promote("0", NOW_MS, {})
    file = tmp_path / f"{kept.version}.json"
    body = json.loads(file.read_text())
    body["estimator"]["intercept"] += 1
    file.write_text(json.dumps(body))
    with pytest.raises(InputError, match=r"changed by hand"):
        registry.model(kept.version)
    other = fitted(rows_of(seed=2))
    other.save(file)
    with pytest.raises(
        InputError, match=f"numbers of version {other.version}; expected those of version {kept.version}"
    ):
        registry.model(kept.version)
    assert registry.champion() is None


def test_for_a_champion_whose_file_is_unfit_the_packaged_model_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "REPLICATES", 10)
    registry = Registry(tmp_path)
    gone, packaged = fitted(rows_of(seed=2)), fitted(rows_of(seed=3))
    registry.add(gone)
    assert '"tree": [0,' in DEFAULT_FILE.read_text()
    registry.promote(gone.version, NOW_MS, {})
    for damaged in ("[" * 100_000, DEFAULT_FILE.read_text().replace('"tree": [0,', f'"tree": [{2**70},'), "{}"):
        (tmp_path / f"{gone.version}.json").write_text(damaged)
        assert registry.champion_or(packaged) is packaged
    challenge.contest(rows_of(), registry, packaged, NOW_MS, trained_on=[], kinds=["linear"])
    told = registry.history()[-1]
    assert (told["champion"]["version"], told["stood_in_for"]) == (packaged.version, gone.version)
    registry.promote(packaged.version, NOW_MS, {})
    (tmp_path / f"{packaged.version}.json").unlink()
    assert registry.champion_or(packaged) is packaged, "it is there without its file"


def test_a_model_outlasts_a_power_cut_before_the_history_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    registry, kept = Registry(tmp_path / "models"), fitted(rows_of())
    registry.add(kept)
    file = registry.directory / f"{kept.version}.json"
    assert synced == [each.stat().st_ino for each in (tmp_path, file, registry.directory)]
    registry.promote(kept.version, NOW_MS, {})
    assert synced[3:] == [each.stat().st_ino for each in (registry.directory / "history.ndjson", registry.directory)]


def test_what_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("no directory")
    registry = Registry(tmp_path / "models")
    for write in (lambda: registry.add(fitted(rows_of())), lambda: registry.note(NOW_MS, {})):
        with pytest.raises(EngageError, match=r"models in .*models; got .*; expected a directory that can be written"):
            write()


def test_a_line_torn_by_a_crash_takes_nothing_else_with_it(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    kept = fitted(rows_of())
    registry.add(kept)
    registry.promote(kept.version, NOW_MS, {})
    with (tmp_path / "history.ndjson").open("a") as file:
        file.write('5\n{"at": "2026-09-21", "promo')
    assert registry.champion() == kept.version
    registry.note(NOW_MS, {"kept": "it"})
    assert [set(each) for each in registry.history()] == [{"at", "promoted"}, {"at", "kept"}]
