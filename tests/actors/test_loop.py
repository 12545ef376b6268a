"""The loop and the simulated day: who is sent what, when, and how often."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from actors import simulated_day
from actors.loop import Loop
from actors.ports import Inbox
from actors.scoring import ScoringActor
from actors.storage.snapshots import SnapshotFiles
from engine.notifications.catalogue import EVENING_MINUTE, catalogue
from engine.outcomes import ACHIEVEMENT, LEVEL, MILESTONE, OUTCOME
from engine.policies import make
from engine.policies.base import NO_MESSAGE
from engine.record import NOTIFICATION_TYPES, OPEN_DAYS, check
from engine.risk import model as risk_model
from tests.simulation.worlds import MONDAY, RULES, make_world

LEARNERS, DAYS = 300, 40
TYPES = catalogue()
SCORER = ScoringActor(risk_model.load())
POLICIES = {
    "at_risk": make("at_risk", {"from_risk": 30.0, "critical_from": 60.0}),
    "blast": make("blast", {"kinds": ["personalised_content"]}),
    "evening": make("blast", {"kinds": ["streak_warning"]}),
    "random": make("random", {"rate": 0.7}),
}
EVENING = TYPES.code("streak_warning")


class Watching:
    """A world that remembers what it was told and what it said."""

    def __init__(self, count: int) -> None:
        self.world = make_world("app", count, mode="centre")
        self.first_minute = np.zeros(0)
        self.morning = self.evening = Inbox(np.zeros(0, np.int8), np.zeros(0, np.uint8))

    def plan(self, day: int, records: Any, inbox: Inbox) -> Any:
        self.morning = inbox
        planned = self.world.plan(day, records, inbox)
        self.first_minute = planned.copy()
        return planned

    def events(self, day: int, records: Any, evening: Inbox) -> Any:
        self.evening = evening
        return self.world.events(day, records, evening)

    def consents(self) -> Any:
        return self.world.consents()


@dataclass
class Day:
    """What was seen of a day."""

    number: int
    first_minute: NDArray[Any]
    morning: Inbox
    evening: Inbox
    result: simulated_day.DayResult
    before: NDArray[Any]  # records at local midnight
    eligible: NDArray[Any]
    after: NDArray[Any]
    facts: list[set[int]]  # kinds of the outcomes of the day before, by learner


def rescore(loop: Loop, day: int) -> NDArray[Any]:
    found = loop.close(day)
    rows, matrix = loop.signals()
    loop.apply_scores(rows, SCORER.score(matrix))
    return found


@cache
def days(policy: str) -> tuple[Day, ...]:
    """Live through some weeks with a policy."""
    loop, world = Loop(RULES, POLICIES[policy], LEARNERS, MONDAY, stream=5), Watching(LEARNERS)
    seen, facts = [], np.zeros(0, OUTCOME)
    for day in range(MONDAY, MONDAY + DAYS):
        facts = np.concatenate([facts, rescore(loop, day)])
        before, eligible = loop.records.copy(), loop.eligible(day)
        kinds = [set(facts["kind"][facts["learner"] == learner].tolist()) for learner in range(LEARNERS)]
        result = simulated_day.run(loop, world, loop.context(day, {}))  # type: ignore[arg-type]  # state is not asked for
        check(loop.records)
        seen.append(
            Day(
                day,
                world.first_minute,
                world.morning,
                world.evening,
                result,
                before,
                eligible,
                loop.records.copy(),
                kinds,
            )
        )
        facts = result.outcomes
    return tuple(seen)


@dataclass
class History:
    """What a learner was sent and did, kept beside the records."""

    sent: dict[int, int] = field(default_factory=dict)  # day: type
    active: set[int] = field(default_factory=set)


def by_the_rules(life: History, row: Any, day: int, facts: set[int]) -> set[str]:
    """Return the types that may be sent, straight from the catalogue's words."""
    week = [sent for sent in life.sent if day - 7 < sent <= day]
    if day in life.sent or len(week) >= TYPES.limits.per_week or row["consent"] == 0:
        return set()
    silent = day - 1 - max(life.active, default=-(10**6))
    found = set()
    for name, entry in TYPES.types.items():
        wanted = {None: True, "achievement": ACHIEVEMENT in facts, "milestone": bool({MILESTONE, LEVEL} & facts)}
        last = max((sent for sent, kind in life.sent.items() if TYPES.names[kind] == name), default=-(10**6))
        if (
            silent >= entry.from_silent_days
            and row["view"]["streak"] >= entry.from_streak
            and wanted[entry.trigger]
            and day - last >= entry.cool_down_days
        ):
            found.add(name)
    return found


@pytest.mark.parametrize("policy", POLICIES)
def test_who_is_eligible_is_what_the_catalogue_says(policy: str) -> None:
    lives: dict[int, History] = defaultdict(History)
    ever: set[str] = set()
    for day in days(policy):
        for learner in range(LEARNERS):
            bits = int(day.eligible[learner])
            got = {name for code, name in enumerate(TYPES.names) if bits >> code & 1}
            life = lives[learner]
            assert got == by_the_rules(life, day.before[learner], day.number, day.facts[learner]), (learner, day.number)
            ever |= got
            if day.result.sent[learner] != NO_MESSAGE:
                life.sent[day.number] = int(day.result.sent[learner])
            if day.first_minute[learner] < 1440:
                life.active.add(day.number)
        # A message of the evening may bring someone whom the plan had left silent: the records know.
        for learner in np.flatnonzero(day.after["view"]["last_ms"] // 86_400_000 >= day.number - 1):
            if (day.after["open_counts"][learner, day.number % OPEN_DAYS] > 0).any():
                lives[int(learner)].active.add(day.number)
    assert ever == set(TYPES.names)


@pytest.mark.parametrize("policy", POLICIES)
def test_only_what_is_eligible_is_chosen_and_only_what_was_chosen_is_sent(policy: str) -> None:
    number = 0
    for day in days(policy):
        log = day.result.decisions
        chosen = log[log["chosen"] != NO_MESSAGE]
        assert (day.eligible[chosen["learner"]] >> chosen["chosen"].astype(np.uint16) & 1 == 1).all()
        assert (log["eligible"] == day.eligible[log["learner"]]).all()
        assert ((log["propensity"] > 0) & (log["propensity"] <= 1)).all()
        np.testing.assert_array_equal(log["risk"], day.before["risk"][log["learner"]])
        sent = np.full(LEARNERS, NO_MESSAGE)
        sent[log["learner"]] = log["sent"]
        np.testing.assert_array_equal(day.result.sent, sent)
        assert ((log["sent"] == log["chosen"]) | (log["sent"] == NO_MESSAGE)).all()
        number += len(chosen)
    assert number > 50


@pytest.mark.parametrize("policy", POLICIES)
def test_never_two_a_day_nor_more_than_the_cap_of_a_week(policy: str) -> None:
    sent = np.array([day.result.sent != NO_MESSAGE for day in days(policy)])
    told = np.array(
        [(day.morning.kinds != NO_MESSAGE).astype(int) + (day.evening.kinds != NO_MESSAGE) for day in days(policy)]
    )
    np.testing.assert_array_equal(told, sent)  # the world got just these, each once
    of_seven_days = np.lib.stride_tricks.sliding_window_view(sent, 7, axis=0).sum(axis=-1)
    assert of_seven_days.max() <= TYPES.limits.per_week
    if policy == "random":
        assert (of_seven_days == TYPES.limits.per_week).mean() > 0.1  # the cap was reached, so it was tried


@pytest.mark.parametrize("policy", ["evening", "random"])
def test_what_waits_for_the_evening_goes_to_those_not_active_by_18(policy: str) -> None:
    late = too_late = 0
    for day in days(policy):
        assert not (day.morning.kinds == EVENING).any()
        assert set(day.evening.kinds.tolist()) <= {EVENING, NO_MESSAGE}
        log = day.result.decisions[day.result.decisions["chosen"] == EVENING]
        waited = day.first_minute[log["learner"]] >= EVENING_MINUTE
        reachable = day.evening.channels[log["learner"]] > 0
        np.testing.assert_array_equal(log["sent"] == EVENING, waited & reachable)
        late, too_late = late + int(waited.sum()), too_late + int((~waited).sum())
    assert late >= 3
    assert too_late >= 3


@pytest.mark.parametrize("policy", POLICIES)
def test_channels_are_those_of_the_band_that_the_learner_allows(policy: str) -> None:
    by_band = {"critical": 1 | 2 | 4, "high": 2 | 4, "medium": 4, "low": 4}
    names = [*(band.name for band in RULES.bands), "low", "low"]
    narrowed = 0
    for day in days(policy):
        bands = np.array([by_band[names[standing]] for standing in day.before["standing"]])
        for inbox in (day.morning, day.evening):
            reached = inbox.kinds != NO_MESSAGE
            np.testing.assert_array_equal(inbox.channels, bands & day.before["consent"])
            assert (inbox.channels[reached] > 0).all()
        narrowed += int((bands & ~day.before["consent"] != 0).sum())
    assert narrowed > 100


@pytest.mark.parametrize("policy", POLICIES)
def test_sends_are_marked_in_the_records(policy: str) -> None:
    counts = np.zeros((LEARNERS, NOTIFICATION_TYPES), int)
    for day in days(policy):
        got = np.flatnonzero(day.result.sent != NO_MESSAGE)
        counts[got, day.result.sent[got]] += 1
        assert (day.after["sent_day"][got] == day.number).all()
        assert (day.after["sent_bits"][got] & 1 == 1).all()
        assert (day.after["sent_days"][got, day.result.sent[got]] == day.number).all()
        np.testing.assert_array_equal(day.after["sent_counts"], counts)
        others = np.flatnonzero(day.result.sent == NO_MESSAGE)
        for name in ("sent_day", "sent_bits", "sent_days"):
            np.testing.assert_array_equal(day.after[name][others], day.before[name][others])


def test_a_trigger_serves_one_morning() -> None:
    """An outcome makes its type eligible on the next morning and, once decided upon, never again."""
    loop = Loop(RULES, make("none"), 1, MONDAY)
    loop.close(MONDAY)
    found = np.zeros(1, OUTCOME)
    found["kind"] = ACHIEVEMENT
    loop.note_triggers(found)
    bit = 1 << TYPES.code("achievement_unlocked")
    assert loop.eligible(MONDAY)[0] & bit
    loop.decide(loop.context(MONDAY, {}))
    assert not loop.eligible(MONDAY)[0] & bit


def test_without_any_consent_nobody_is_decided_upon() -> None:
    loop = Loop(RULES, make("blast"), 2, MONDAY)
    rescore(loop, MONDAY)
    loop.records["consent"] = [0, 4]
    decision = loop.decide(loop.context(MONDAY, {}))
    assert decision.kinds.tolist() == [NO_MESSAGE, TYPES.code("personalised_content")]


def test_records_that_come_back_from_a_file_are_such_as_rules_were_compiled_for(tmp_path: Path) -> None:
    """NumPy finds rows that are aligned and rows that are not equal; the compiler does not, and compiles all anew."""
    first, again = (Loop(RULES, make("none"), 3, MONDAY) for _ in range(2))
    files = SnapshotFiles(tmp_path)
    files.save(1, first.state())
    found = files.load(2)
    assert found is not None
    again.restore(found[1])
    assert again.records.dtype == first.records.dtype
    assert again.records.dtype.isalignedstruct and again.records["view"].dtype.isalignedstruct
