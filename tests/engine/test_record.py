"""The record: every field explained, every invariant able to fail, and the bytes that a digest is taken over."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from engine import record
from engine.errors import EngageError
from engine.record import DIGEST_FIELDS, LEARNER, MEANING, NEVER, PARTS, WALK, WORD_DAYS
from tests.engine.histories import MONDAY, Life, act, daily, lived


def lives() -> Life:
    """Return two learners with a streak, a freeze used, an end, open days, quizzes and a late event."""
    acts = [*daily(*range(8)), *daily(10, 11, 14, 15), act(15, "quiz_complete", 0.75), act(9, age_ms=8 * 86_400_000)]
    return lived([*acts, *[one._replace(learner=1) for one in acts[:9]]], 16, count=2)


def test_every_field_has_a_unit_and_a_meaning() -> None:
    walked = {f"{walk}.{name}" for walk in ("sealed", "view") for name in WALK.names}
    assert set(MEANING) == set(LEARNER.names) | walked
    assert all(unit and text for unit, text in MEANING.values())
    assert [name for names in PARTS.values() for name in names] == list(LEARNER.names)


def test_who_did_nothing_has_nothing() -> None:
    fresh = record.new_records(3, MONDAY)
    record.check(fresh)
    assert fresh["learner"].tolist() == [0, 1, 2]
    assert (fresh["as_of"] == MONDAY).all() and (record.new_records(1)["as_of"] == NEVER).all()
    assert (fresh["view"]["level"] == 1).all() and not fresh["totals"].any()
    assert np.isnan(fresh["risk"]).all()


def test_columns_reach_into_walks() -> None:
    life = lives()
    assert record.column(life.records, "view.xp").tolist() == life.records["view"]["xp"].tolist()
    record.column(life.records, "view.xp")[0] = 5
    assert life.now("xp") == 5


BROKEN: dict[str, tuple[str, Any]] = {
    "view.streak": ("view.streak", -1),
    "view.streak beyond the longest": ("view.streak", 99),
    "sealed.streak": ("sealed.streak", 99),
    "view.freezes": ("view.freezes", 4),
    "sealed.freezes": ("sealed.freezes", -1),
    "view.level": ("view.level", 0),
    "first_day": ("first_day", MONDAY + 100),
    "qualifying_days": ("qualifying_days", 99),
    "qualifying_bits": ("qualifying_bits", (1 << WORD_DAYS) - 1),
    "active_bits": ("active_bits", 1 << WORD_DAYS),
    "quiz_points": ("quiz_points", 10_001),
    "work_points": ("work_points", 1),
    "open_last": ("open_last", -1),
    "open_xp": ("open_xp", -1),
    "view.xp": ("view.xp", 0),
    "xp_day": ("xp_day", 10_000),
    "risk": ("risk", 100.5),
    "decayed": ("decayed", -0.5),
}


@pytest.mark.parametrize("case", BROKEN)
def test_check_finds_a_broken_record_and_names_learner_and_field(case: str) -> None:
    life = lives()
    record.check(life.records)
    name, value = BROKEN[case]
    record.column(life.records, name)[1] = value
    with pytest.raises(EngageError, match="learner 1") as found:
        record.check(life.records)
    field = found.value.what.rpartition(" ")[2]
    assert field == name or {field, name} == {"active_bits", "qualifying_bits"}
    record.check(life.records[:1])


@pytest.mark.parametrize("name", DIGEST_FIELDS)
def test_canonical_bytes_see_every_field(name: str) -> None:
    life = lives()
    before = record.canonical_bytes(life.records)
    cells = record.column(life.records, name).reshape(2, -1)
    cells[1, -1] = 50.0 if np.isnan(cells[1, -1]) else cells[1, -1] + 1
    assert np.shares_memory(cells, life.records)
    assert record.canonical_bytes(life.records) != before


def test_canonical_bytes_do_not_depend_on_place_padding_or_the_sign_of_zero() -> None:
    life = lives()
    before = record.canonical_bytes(life.records)
    life.records["learner"] += 7
    elsewhere = np.zeros(2, LEARNER)
    elsewhere.view(np.uint8)[:] = 255  # padding of other memory
    for name in LEARNER.names:
        elsewhere[name] = life.records[name]
    elsewhere["decayed"][elsewhere["decayed"] == 0] = -0.0
    assert record.canonical_bytes(elsewhere) == before
    one_by_one = b"".join(record.canonical_bytes(elsewhere[k : k + 1]) for k in range(2))
    assert one_by_one == before
    assert record.digest([before]) == hashlib.sha256(before).hexdigest()
    assert record.digest([before[:100], before[100:]]) == record.digest([before])
