"""Readable stories and random histories as batches of events, and a learner's life driven as an actor drives it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from engine import arrival, batch, calendar, events, outcomes, record, rules
from engine.events import Events
from engine.record import NEVER
from tests import oracle
from tests.oracle import DAY_MS, MINUTE_MS

RULES = rules.load()
MONDAY = 19_723  # 2024-01-01
GRACE_MS, HORIZON_MS, FUTURE_MS = 7 * DAY_MS, 30 * DAY_MS, 5 * MINUTE_MS
_ids = itertools.count(1)


class Act(NamedTuple):
    """One event of a story."""

    day: int  # local
    minute: int  # local
    at_ms: int  # UTC
    age_ms: int  # arrived - occurred
    action: str
    value: float | None
    event_id: int
    zone: str
    learner: int = 0

    @property
    def arrived_ms(self) -> int:
        return self.at_ms + self.age_ms


def act(
    day: int,
    action: str = "goal_set",
    value: float | None = None,
    *,
    hour: float = 12.0,
    zone: str = "UTC",
    age_ms: float = 0,
    learner: int = 0,
    event_id: int | None = None,
) -> Act:
    """Return what happened at a local hour of a local day (absolute, or a story's own: 0 = Monday 2024-01-01)."""
    number = day if day > 10_000 else MONDAY + day
    minute = round(hour * 60)
    at_ms = int(calendar.to_utc_ms(np.array([number]), np.array([minute]), calendar.zone(zone))[0])
    known = next(_ids) if event_id is None else event_id
    return Act(number, minute, at_ms, round(age_ms), action, value, known, zone, learner)


def at(utc_ms: int, zone: str, action: str = "goal_set", **other: Any) -> Act:
    """Return what happened at an instant, its local day resolved from the zone, as the rim does."""
    day, minute = calendar.local(np.array([utc_ms]), calendar.zone(zone))
    return act(int(day[0]), action, zone=zone, **other)._replace(at_ms=utc_ms, minute=int(minute[0]))


def daily(*days: int, action: str = "goal_set", **other: Any) -> list[Act]:
    """Return one act a day; goal_set qualifies and gives 10 XP, once a day."""
    return [act(day, action, **other) for day in days]


def rows_of(acts: Iterable[Act]) -> Events:
    """Return the acts as a batch, in the order of the fold."""
    told = list(acts)
    rows = events.empty(len(told))
    for row, one in zip(rows, told, strict=True):
        row["event_id"], row["occurred_ms"], row["arrived_ms"] = one.event_id, one.at_ms, one.arrived_ms
        row["learner"], row["day"], row["minute"] = one.learner, one.day, one.minute
        row["action"] = RULES.code(one.action)
        row["value"] = np.nan if one.value is None else one.value
    return events.sort_for_fold(rows)


def judged(acts: Iterable[Act], as_of: int) -> dict[int, dict[str, Any]]:
    """Return the oracle's judgement of each learner."""
    told = [
        oracle.Event(str(a.learner), a.at_ms, a.arrived_ms, a.action, a.value, a.event_id, a.day)
        for a in sorted(acts, key=lambda one: one.arrived_ms)
    ]
    return {int(learner): life for learner, life in oracle.judge(told, as_of).items()}


class Life:
    """Learners who live through batches and days; every step is followed by `record.check`.

    Args:
        count: number of learners.
        first_day: of registration; `NEVER` = that of the first event.
        with_rules: other rules than the default.
        rows: size of the buffer for outcomes.
    """

    def __init__(
        self,
        count: int = 1,
        first_day: int = NEVER,
        with_rules: rules.Rules = RULES,
        rows: int = outcomes.MARGIN + 512,
    ) -> None:
        self.rules = with_rules
        self.records = record.new_records(count, first_day)
        self.seen = arrival.SeenIds()
        self.outcomes = np.zeros(0, outcomes.OUTCOME)
        self._before = outcomes.scratch()
        self._buffer = np.zeros(rows, outcomes.OUTCOME)

    def fold(self, *acts: Act, known: bool = False) -> list[str]:
        """Fold one batch; return the verdict of each act in the order of the fold.

        Args:
            acts: the batch, in order of arrival.
            known: the source never repeats itself and is never late.
        """
        rows = rows_of(acts)
        seen = np.zeros(0, arrival.SEEN)
        if not known and len(rows):
            self.seen.reserve(len(rows), int(rows["arrived_ms"].min()) - HORIZON_MS)
            seen = self.seen.table
        verdicts = np.zeros(len(rows), np.uint8)
        self._run(
            lambda start: batch.fold_batch(
                self.records, rows, start, self.rules.record, seen, verdicts, self._before, self._buffer, 0
            ),
            len(rows),
        )
        return [arrival.VERDICTS[code] for code in verdicts]

    def close(self, day: int) -> list[str]:
        """Move today on to ``day``; return the names of the outcomes."""
        days = np.full(len(self.records), day if day > 10_000 else MONDAY + day, np.int32)
        old = len(self.outcomes)
        self._run(
            lambda start: batch.close_day(self.records, days, start, self.rules.record, self._before, self._buffer, 0),
            len(self.records),
        )
        return self.told(old)

    def told(self, since: int = 0) -> list[str]:
        """Return the names of the outcomes so far, XP aside."""
        names = [outcomes.KINDS[kind] for kind in self.outcomes["kind"][since:]]
        return [name for name in names if not name.startswith("xp")]

    def now(self, name: str, learner: int = 0) -> int:
        """Return a number of the view, or else of the record."""
        r = self.records[learner]
        return int(r["view"][name] if name in record.WALK.names else r[name])

    def has(self, **expected: int) -> None:
        """Assert numbers of the first learner."""
        found = {name: self.now(name) for name in expected}
        assert found == expected, f"{found} is not {expected}"

    def is_same_as(self, other: Life) -> None:
        """Assert that the records are equal to the byte, naming the fields that are not."""
        pairs = [(n, record.column(self.records, n), record.column(other.records, n)) for n in record.DIGEST_FIELDS]
        unequal = {n: (a, b) for n, a, b in pairs if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f")}
        assert not unequal, unequal
        assert record.canonical_bytes(self.records) == record.canonical_bytes(other.records)

    def _run(self, step: Callable[[int], tuple[int, int]], total: int) -> None:
        done = 0
        while done < total:
            done, used = step(done)
            self.outcomes = np.concatenate([self.outcomes, self._buffer[:used]])
        record.check(self.records)


def lived(acts: Iterable[Act], as_of: int, count: int = 1) -> Life:
    """Return learners after one batch and the close of a day."""
    life = Life(count)
    life.fold(*acts)
    life.close(as_of)
    return life


# --- random histories -------------------------------------------------------------------------------------------------

ACTIONS = [name for name, action in RULES.actions.items() if not action.derived]
VALUES: dict[str, list[float | None]] = {
    **{name: [None, 0.0, 0.5, 0.99, 1.0] for name in rules.SCORED},
    **{name: [None, 0.0, 0.28, 45.0, 9_999.0] for name in rules.TIMED},
}
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Australia/Lord_Howe"]
STARTS = [19_700, 19_723, 19_770, 19_780, 20_020, 20_080, 20_120, 15_320]
"""Shortly before New Year 2024, a Monday, leap day, DST of spring and autumn, New Year 2025, Apia's lost day."""


class Habit(NamedTuple):
    """A stretch of days lived alike."""

    days: int
    every: int  # active on each k-th day; 0 = silent
    acts: int  # most acts a day
    zone: str
    luck: int


def habits(zones: list[str]) -> st.SearchStrategy[list[Habit]]:
    """Return stretches of days, long enough together for milestones, levels and freezes."""
    habit = st.builds(
        Habit,
        days=st.sampled_from([1, 2, 3, 5, 7, 8, 14, 31]),
        every=st.sampled_from([1, 1, 1, 2, 3, 0]),
        acts=st.sampled_from([1, 2, 4, 14]),
        zone=st.sampled_from(zones),
        luck=st.integers(0, 999),
    )
    return st.lists(habit, min_size=1, max_size=6)


def happened(start: int, stretches: list[Habit], learner: int = 0) -> list[Act]:
    """Return the acts of the stretches, one after the other, sent at once."""
    acts: list[Act] = []
    day = start
    for stretch in stretches:
        luck = random.Random(stretch.luck)
        favourites = luck.sample(ACTIONS, 3)
        for number in range(day, day + stretch.days):
            if stretch.every == 0 or (number - day) % stretch.every:
                continue
            for _ in range(luck.randint(1, stretch.acts)):
                action = luck.choice(favourites) if luck.random() < 0.8 else luck.choice(ACTIONS)
                value = luck.choice(VALUES.get(action, [None]))
                hour = luck.choice([0.0, 23 + 59 / 60, luck.randrange(1440) / 60])
                acts.append(act(number, action, value, hour=hour, zone=stretch.zone, learner=learner))
        day += stretch.days
    # A traveller to the east skips hours, to the west has them twice; an act's day is the one its own zone shows.
    return [at(a.at_ms, a.zone, a.action)._replace(value=a.value, event_id=a.event_id, learner=learner) for a in acts]


def delayed(acts: list[Act], luck: random.Random, most_ms: int) -> list[Act]:
    """Return the acts with other ages: most in time by up to ``most_ms``; the few that are late stay late."""
    return [a if a.age_ms > GRACE_MS or a.age_ms < 0 else a._replace(age_ms=luck.randint(0, most_ms)) for a in acts]


def repeated(acts: list[Act], luck: random.Random, share: float) -> list[Act]:
    """Return the acts with a share of those that were not refused sent once more, later."""
    again = [a for a in acts if -FUTURE_MS <= a.age_ms <= HORIZON_MS and luck.random() < share]
    return acts + [a._replace(age_ms=luck.randint(max(a.age_ms, 0), HORIZON_MS)) for a in again]


def batches(acts: list[Act], luck: random.Random) -> Iterator[list[Act]]:
    """Yield the acts in order of arrival, cut at random."""
    waiting = sorted(acts, key=lambda a: a.arrived_ms)
    place = 0
    while place < len(waiting):
        size = luck.choice([1, 1, 2, 5, 20, 100])
        yield waiting[place : place + size]
        place += size


def arrive(life: Life, acts: list[Act], luck: random.Random, until: int, close: float = 0.5) -> None:
    """Let the acts arrive in random batches, with today moving on at random moments between them, at last to a day."""
    for part in batches(acts, luck):
        life.fold(*part)
        if luck.random() < close:
            now_ms = part[-1].arrived_ms
            newest = max((a for a in acts if a.at_ms <= now_ms), key=lambda a: a.at_ms, default=None)
            if newest is not None:
                today, _ = calendar.local(np.array([now_ms]), calendar.zone(newest.zone))
                life.close(min(int(today[0]), until))
    life.close(until)
