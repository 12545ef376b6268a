"""One learner is one record: a row of the structured dtype `LEARNER`, every field with its unit and meaning here.

A record has four parts. **Lifetime** counts add up in any order. **Open days** (today and the 9 before) hold each day's
counts, so that an event may arrive in any order within the grace. The **sealed** walk is the state of streak, freezes,
XP and level at the end of the last day that can no longer change. The **view** is the same walk carried on over the
open days, as of a day: a pure function of the other three.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngageError
from engine.rules import DAY_COUNT_LIMIT, MAX_ACTIONS, MAX_KINDS, MAX_MILESTONES

OPEN_DAYS = 10
"""Today and the 9 local days before. A grace of 7 x 24 hours needs no fewer: between zones 26 hours apart, over a clock
change, with a client's clock 5 minutes ahead, what arrives in time may lie 9 local days back."""
WORD_DAYS = 56  # days held by one word of a bitmap: eight weeks, and never the sign bit of an int64
WORDS = 7  # 392 days: the last year and a little
HALF_LIVES_DAYS = (1.0, 7.0, 28.0)
NOTIFICATION_TYPES = 16  # capacity of the per-type counters, and bits of a set of types
NEVER = -1_000_000  # "no such day": earlier than any real local day

Field = tuple[str, Any, tuple[int, ...], str, str]

_WALK: list[Field] = [
    ("xp", "<i4", (), "XP", "experience points, streak milestones included"),
    ("streak", "<i2", (), "days", "qualifying days of the run that is alive"),
    ("longest_streak", "<i2", (), "days", "longest run so far"),
    ("freezes", "<i2", (), "freezes", "held now"),
    ("freezes_used", "<i2", (), "freezes", "taken by missed days"),
    ("freezes_awarded", "<i2", (), "freezes", "given by milestones and levels"),
    ("freezes_lost", "<i2", (), "freezes", "awarded beyond the most that can be held"),
    ("streaks_ended", "<i2", (), "runs", "runs that ended"),
    ("level", "<i2", (), "1-based", "level reached"),
    ("milestones", "<i2", (MAX_MILESTONES,), "times", "times a run reached each milestone"),
    ("last_ms", "<i8", (), "UTC ms", "last action on any day walked so far; 0 = none"),
]

WALK = np.dtype([(name, kind, shape) for name, kind, shape, _, _ in _WALK], align=True)
"""What the rules of streak, freezes, XP and level carry from one local day to the next."""

_FIELDS: dict[str, list[Field]] = {
    "identity": [
        ("learner", "<u4", (), "index", "row of the learner in its actor"),
        ("first_day", "<i4", (), "local day", "registration, or the first day seen"),
        ("as_of", "<i4", (), "local day", "the learner's today, the newest open day; NEVER = no day yet"),
    ],
    "lifetime": [
        ("totals", "<u4", (MAX_ACTIONS,), "events", "by action, late events included"),
        ("active_days", "<i4", (), "days", "days with any action in time"),
        ("qualifying_days", "<i4", (), "days", "days with a qualifying action in time"),
        ("late_events", "<u4", (), "events", "arrived after the grace, counted in totals only"),
        ("quiz_count", "<u4", (), "quizzes", "completed with a score"),
        ("quiz_points", "<u8", (), "1e-4", "sum of quiz scores in ten-thousandths: integers add in any order"),
        ("work_count", "<u4", (), "assignments", "assignments and projects handed in, with a score"),
        ("work_points", "<u8", (), "1e-4", "sum of their scores in ten-thousandths"),
        ("watched", "<u8", (), "1e-2 min", "sum of the minutes of videos and live sessions, in hundredths"),
        ("hours", "<u2", (24,), "events", "by local hour of the day, up to 65,535"),
        ("last_kind_s", "<u4", (MAX_KINDS,), "UTC s", "last event by kind"),
    ],
    "bitmaps": [
        ("active_bits", "<i8", (WORDS,), "bits", "ring of days with any action"),
        ("qualifying_bits", "<i8", (WORDS,), "bits", "ring of days with a qualifying action"),
    ],
    "open days": [
        ("open_counts", "|u1", (OPEN_DAYS, MAX_ACTIONS), "events", f"by day and action, up to {DAY_COUNT_LIMIT}"),
        ("open_kinds", "<u2", (OPEN_DAYS, MAX_KINDS), "events", "by day and kind, up to 65,535"),
        ("open_xp", "<i4", (OPEN_DAYS,), "XP", "capped XP of the day's actions"),
        ("open_first", "<i4", (OPEN_DAYS,), "ms", "first action, after UTC midnight of the day's number"),
        ("open_last", "<i4", (OPEN_DAYS,), "ms", "last action, after UTC midnight of the day's number"),
    ],
    "decayed": [
        ("decayed", "<f8", (MAX_KINDS, 3), "events", "by kind and half-life of 1, 7, 28 days, at decayed_day"),
        ("decayed_day", "<i4", (), "local day", "last sealed active day"),
    ],
    "walk": [
        ("sealed", WALK, (), "walk", "state at the end of the last day before the open ones"),
        ("view", WALK, (), "walk", "state as of the day as_of, the open days walked"),
        ("xp_day", "<i4", (), "XP", "earned on the day as_of"),
        ("xp_week", "<i4", (), "XP", "earned in the ISO week of as_of"),
        ("achievements", "<i8", (), "bits", "achievements held, by place in the rules"),
    ],
    "messages": [
        ("sent_bits", "<i8", (), "bits", "days with a notification, bit k = k days before sent_day"),
        ("sent_day", "<i4", (), "local day", "last day with a notification"),
        ("sent_counts", "<u2", (NOTIFICATION_TYPES,), "sends", "by notification type"),
        ("sent_days", "<u2", (NOTIFICATION_TYPES,), "days since 1970", "last send by notification type; 0 = never"),
        ("consent", "|u1", (), "bits", "channels that may be used: 1 e-mail, 2 push, 4 in-app, 8 SMS"),
    ],
    "risk": [
        ("risk", "<f8", (), "0-100", "calibrated chance of drop-off; NaN = not scored"),
        ("confidence", "<f8", (), "0-100", "100 x (1 - width of the 95% interval); NaN = not scored"),
        ("standing", "|u1", (), "code", "band by place in the rules, or one of risk.STANDINGS beyond them"),
    ],
}

PARTS: dict[str, tuple[str, ...]] = {part: tuple(name for name, *_ in fields) for part, fields in _FIELDS.items()}
"""Field names by part of the record."""

MEANING: dict[str, tuple[str, str]] = {
    **{name: (unit, text) for fields in _FIELDS.values() for name, _, _, unit, text in fields},
    **{f"{walk}.{name}": (unit, text) for walk in ("sealed", "view") for name, _, _, unit, text in _WALK},
}
"""Unit and meaning of every field."""

LEARNER = np.dtype(
    [(name, kind, shape) for fields in _FIELDS.values() for name, kind, shape, _, _ in fields],
    align=True,
)

Records = NDArray[Any]


def new_records(count: int, first_day: int = NEVER) -> Records:
    """Return records of ``count`` learners who have done nothing.

    Args:
        count: number of learners.
        first_day: the local day on which they registered; `NEVER` = it is the day of their first event.
    """
    records = np.zeros(count, LEARNER)
    records["learner"] = np.arange(count)
    records["first_day"] = records["as_of"] = first_day
    records["decayed_day"] = records["sent_day"] = NEVER
    records["sealed"]["level"] = records["view"]["level"] = 1
    records["consent"] = 15
    records["risk"] = records["confidence"] = np.nan
    return records


def column(records: Records, name: str) -> NDArray[Any]:
    """Return a field by name; ``view.xp`` reaches into a walk."""
    for part in name.split("."):
        records = records[part]
    return records


_OUT_OF_DIGEST = {"learner", "sealed", "view"}  # an index depends on packing; walks are taken field by field
DIGEST_FIELDS = tuple(sorted(set(MEANING) - _OUT_OF_DIGEST))
_CANONICAL = np.dtype(
    [
        (name, _column.dtype.newbyteorder("<"), _column.shape[1:])
        for name in DIGEST_FIELDS
        for _column in [column(np.zeros(0, LEARNER), name)]
    ]
)


def canonical_bytes(records: Records) -> bytes:
    """Return the rows field by field by name, little-endian, without padding, -0.0 as 0.0: what the digest is over."""
    packed = np.empty(len(records), _CANONICAL)
    for name in DIGEST_FIELDS:
        values = column(records, name)
        packed[name] = values + 0.0 if values.dtype.kind == "f" else values
    return packed.tobytes()


def digest(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 over canonical rows, given in order."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part)
    return sha.hexdigest()


def check(records: Records) -> None:
    """Assert every invariant of the records; tests call it after every step.

    Raises:
        EngageError: the first broken invariant, with the learner's row and the value found.
    """

    def need(name: str, good: NDArray[np.bool_], expected: str) -> None:
        bad = np.flatnonzero(~good.reshape(len(records), -1).all(axis=1))
        if len(bad):
            raise EngageError(f"record of learner {bad[0]}: {name}", str(column(records, name)[bad[0]]), expected)

    for walk in ("sealed", "view"):
        w = records[walk]
        need(f"{walk}.streak", (w["streak"] >= 0) & (w["streak"] <= w["longest_streak"]), "0..longest_streak")
        held = w["freezes_awarded"] - w["freezes_used"] - w["freezes_lost"]
        need(f"{walk}.freezes", (w["freezes"] >= 0) & (w["freezes"] == held), "awarded - used - lost, 0 or more")
        need(f"{walk}.level", w["level"] >= 1, "1 or more")
    r = records
    need("first_day", r["first_day"] <= r["as_of"], "not after as_of")
    need("qualifying_days", (r["qualifying_days"] >= 0) & (r["qualifying_days"] <= r["active_days"]), "0..active_days")
    need("qualifying_bits", (r["qualifying_bits"] & ~r["active_bits"]) == 0, "a subset of active_bits")
    need("active_bits", (r["active_bits"] >= 0) & (r["active_bits"] < 1 << WORD_DAYS), f"{WORD_DAYS} bits a word")
    need("quiz_points", r["quiz_points"] <= r["quiz_count"].astype("u8") * 10_000, "at most 10,000 a quiz")
    need("work_points", r["work_points"] <= r["work_count"].astype("u8") * 10_000, "at most 10,000 a piece of work")
    need("open_last", r["open_last"] >= r["open_first"], "not before open_first")
    need("open_xp", r["open_xp"] >= 0, "0 or more")
    need("view.xp", r["view"]["xp"] >= r["sealed"]["xp"], "not below sealed.xp")
    need("xp_day", (r["xp_day"] >= 0) & (r["xp_week"] >= r["xp_day"]), "0..xp_week")
    need("risk", np.isnan(r["risk"]) | ((r["risk"] >= 0) & (r["risk"] <= 100)), "NaN or 0-100")
    need("decayed", r["decayed"] >= 0, "0 or more")
