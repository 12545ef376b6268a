"""Kept scorings: rows as they were known on the day, labels as they turned out."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.errors import InputError
from simulation import samples
from simulation.kept import rows_of

FIRST = date(2026, 1, 1)
NUMBER = (FIRST - date(1970, 1, 1)).days


def tables(folder: Path, lives: dict[str, list[int]], days: int) -> tuple[Path, Path]:
    """Write what a service would export of learners with their active days: a scoring as each of the days begins."""
    events = [
        {"learner_id": who, "local_day": FIRST + timedelta(day), "verdict": "full"}
        for who, on in lives.items()
        for day in on
    ]
    scored = [
        {
            "learner_id": who,
            "day": FIRST + timedelta(day),
            "signals_day": FIRST + timedelta(day - 1),
            "silent_days": float(day),
        }
        for day in range(1, days)
        for who, on in lives.items()
        if on and on[0] < day
    ]
    signals = pl.DataFrame(scored)
    paths = folder / "signals.parquet", folder / "events.parquet"
    signals.write_parquet(paths[0])
    pl.DataFrame(events).write_parquet(paths[1])
    return paths


def test_a_scoring_is_labelled_by_what_came_and_left_out_while_that_is_open(tmp_path: Path) -> None:
    lives = {"stays": list(range(60)), "goes": list(range(20))}
    rows = rows_of(*tables(tmp_path, lives, 60))
    assert rows.signals == ("silent_days",)
    assert rows.day.max() == NUMBER + 58 - 1 - 20 + 0  # the newest whole day is 57; its label looks 20 days ahead
    goes = rows.learner == 0
    assert rows.day[goes].max() == NUMBER + 32  # later it has dropped off: not scored
    told = dict(zip((rows.day[goes] - NUMBER).tolist(), rows.dropped[goes].tolist(), strict=True))
    assert [day for day, dropped in told.items() if dropped] == list(range(13, 33))
    assert not rows.dropped[~goes].any() and not rows.source.any()
    np.testing.assert_array_equal(rows.matrix[:, 0], rows.day - NUMBER + 1)


def test_events_that_did_not_count_are_no_activity(tmp_path: Path) -> None:
    signals, events = tables(tmp_path, {"ann": list(range(20)), "bob": list(range(60))}, 60)
    more = [
        {"learner_id": "ann", "local_day": FIRST + timedelta(day), "verdict": word}
        for day in range(20, 60)
        for word in ("late", "duplicate")
    ]
    pl.concat([pl.read_parquet(events), pl.DataFrame(more)]).write_parquet(events)
    rows = rows_of(signals, events)
    assert rows.dropped[rows.learner == 0].any()


def test_of_two_scorings_at_one_days_end_the_later_counts(tmp_path: Path) -> None:
    signals, events = tables(tmp_path, {"ann": list(range(60))}, 60)
    table = pl.read_parquet(signals)
    early = table.head(1).with_columns(pl.lit(99.0).alias("silent_days"))
    pl.concat([early, table]).write_parquet(signals)
    rows = rows_of(signals, events)
    assert 99.0 not in rows.matrix and len(np.unique(rows.day)) == len(rows)


@pytest.mark.parametrize(
    ("told_from", "signals"), [(1, "silent_days level"), (25, "silent_days level"), (99, "silent_days")]
)
def test_a_signal_is_learnt_from_once_nearly_all_recent_scorings_tell_it(
    tmp_path: Path, told_from: int, signals: str
) -> None:
    """Of 130 days, those up to the 108th are labelled, and the last 77 of them are recent."""
    written, events = tables(tmp_path, {"ann": list(range(130)), "bob": list(range(130))}, 130)
    table, newer = pl.read_parquet(written), pl.col("signals_day") >= FIRST + timedelta(told_from)
    table = table.with_columns(pl.when(newer).then(1.0).alias("level"), pl.lit(2.0).alias("unheard_of"))
    table.write_parquet(written)
    rows = rows_of(written, events)
    assert set(rows.signals) == set(signals.split()) and np.isfinite(rows.matrix).all()
    assert rows.day.min() == NUMBER + (told_from if "level" in signals else 0)
    np.testing.assert_array_equal(rows.matrix[:, rows.signals.index("silent_days")], rows.day - NUMBER + 1)


def test_scorings_that_lack_a_signal_of_the_others_are_left_out(tmp_path: Path) -> None:
    """As on a day when the service ran without somebody's own signals."""
    written, events = tables(tmp_path, {"ann": list(range(130))}, 130)
    lacks = pl.col("signals_day") == FIRST + timedelta(100)
    pl.read_parquet(written).with_columns(pl.when(~lacks).then(1.0).alias("level")).write_parquet(written)
    rows = rows_of(written, events)
    assert "level" in rows.signals and NUMBER + 100 not in rows.day and {NUMBER + 99, NUMBER + 101} <= set(rows.day)


def test_scorings_that_tell_nothing_known_are_refused(tmp_path: Path) -> None:
    written, events = tables(tmp_path, {"ann": list(range(60))}, 60)
    pl.read_parquet(written).rename({"silent_days": "unheard_of"}).write_parquet(written)
    with pytest.raises(InputError, match="no signal that nearly all recent"):
        rows_of(written, events)


def test_many_scorings_are_thinned_by_learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = tables(tmp_path, {f"u{number}": list(range(80)) for number in range(40)}, 80)
    whole = rows_of(*paths)
    monkeypatch.setattr(samples, "MOST_ROWS", len(whole) // 4)
    thin = rows_of(*paths)
    assert len(whole) / 6 < len(thin) < len(whole) / 3 and set(thin.learner) == set(whole.learner)
    pairs = {(who, day) for who, day in zip(thin.learner.tolist(), thin.day.tolist(), strict=True)}
    assert len(pairs) == len(thin) and len({day % 7 for _, day in pairs}) == 7


def test_scorings_of_which_nothing_is_known_yet_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"daily scorings over .*21 days old or more"):
        rows_of(*tables(tmp_path, {"ann": list(range(15))}, 15))
