"""Notifications: the catalogue, the gates, the cool-downs, the one frequency cap, and what triggers a celebration."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import notifications as package
from engine import record, rules
from engine.errors import InputError
from engine.notifications import catalogue as module
from engine.notifications.catalogue import CHANNELS, TRIGGERS, catalogue, eligible, mark_sent, triggers_of
from engine.record import NOTIFICATION_TYPES, WORD_DAYS
from tests.engine.histories import MONDAY, Life, act, daily, lived

KINDS = catalogue()
WEEK_CAP = KINDS.limits.per_week


def allowed(life: Life, day: int, trigger: int = 0, per_week: int = WEEK_CAP) -> list[set[str]]:
    """Return the names of the types that each learner may be sent on a day."""
    out = np.zeros(len(life.records), np.uint8)
    triggers = np.full(len(life.records), trigger, np.uint8)
    eligible(life.records, MONDAY + day, KINDS.gates, per_week, triggers, out)
    return [{name for code, name in enumerate(KINDS.names) if bits >> code & 1} for bits in out]


def send(life: Life, day: int, *kinds: str | None) -> None:
    codes = [-1 if kind is None else KINDS.code(kind) for kind in kinds]
    mark_sent(life.records, MONDAY + day, np.array(codes, np.int8))


def test_the_eight_types_stand_in_their_order() -> None:
    assert package.__doc__ and KINDS.names == (
        "gentle_reminder", "streak_warning", "achievement_unlocked", "milestone_celebration",
        "personalised_content", "discount_offer", "peer_comparison", "human_outreach",
    )  # fmt: skip
    assert len(KINDS.names) <= NOTIFICATION_TYPES
    assert [name for name, waits in zip(KINDS.names, KINDS.evening, strict=True) if waits] == ["streak_warning"]
    with pytest.raises(InputError, match="Did you mean 'gentle_reminder'"):
        KINDS.code("gentle_remindr")


def test_channels_are_cumulative_by_band() -> None:
    bits = KINDS.channel_bits(rules.load())
    named = [{name for k, name in enumerate(CHANNELS) if value >> k & 1} for value in bits]
    assert named[0] == {"email", "push", "in_app"}
    for louder, quieter in itertools.pairwise(named):
        assert quieter <= louder
    assert len(named) == len(rules.load().bands) + 2  # dropped off and not started: as the lowest band
    assert named[-1] == named[-2] == named[3] == {"in_app"}


def test_gates_look_at_silence_and_streak() -> None:
    life = lived(daily(0, 1, 2), 3)
    assert allowed(life, 3) == [{"streak_warning", "personalised_content", "peer_comparison"}]
    life.close(4)  # day 3 was silent, and ended the streak of three
    assert allowed(life, 4) == [{"gentle_reminder", "personalised_content", "peer_comparison", "human_outreach"}]
    life.close(5)
    assert "discount_offer" not in allowed(life, 5)[0]
    life.close(6)
    assert "discount_offer" in allowed(life, 6)[0]


def test_a_frozen_streak_is_warned_of_too() -> None:
    life = lived(daily(*range(7)), 8)
    life.has(freezes_used=1, streak=7)
    assert "streak_warning" in allowed(life, 8)[0]


@pytest.mark.parametrize(("trigger", "kind"), [("achievement", 2), ("milestone", 3)])
def test_celebrations_answer_an_outcome(trigger: str, kind: int) -> None:
    life = lived(daily(0), 1)
    name = KINDS.names[kind]
    assert name not in allowed(life, 1)[0]
    assert name in allowed(life, 1, TRIGGERS[trigger])[0]
    other = {"achievement_unlocked", "milestone_celebration"} - {name}
    assert not other & allowed(life, 1, TRIGGERS[trigger])[0]


def test_outcomes_trigger_and_corrections_do_not() -> None:
    life = Life(3)
    life.fold(act(0, "lesson_complete"))  # the first lesson is an achievement
    life.fold(*daily(*range(7), action="bookmark", learner=1))  # a milestone
    triggers = triggers_of(life.outcomes, life.records)
    assert triggers.tolist() == [TRIGGERS["achievement"], sum(TRIGGERS.values()), 0]  # the week is a badge as well
    level = lived([act(0, "note") for _ in range(10)] + daily(1, 2, 3, 4, action="feedback"), 4)
    assert not triggers_of(level.outcomes, level.records).any()
    level.fold(*daily(5, action="feedback"))  # 100 XP: a Learner
    assert triggers_of(level.outcomes, level.records).tolist() == [TRIGGERS["milestone"]]
    corrected = level.outcomes.copy()
    corrected["kind"] += 1
    assert not triggers_of(corrected, level.records).any()


def test_one_a_day_and_three_a_week_over_all_types() -> None:
    life = lived(daily(0), 40)
    for day in range(40, 80):
        sends = int(life.records["sent_counts"].sum())
        if allowed(life, day)[0]:
            send(life, day, min(allowed(life, day)[0]))
            assert allowed(life, day) == [set()]  # not twice on a day
            assert life.records["sent_counts"].sum() == sends + 1
        life.close(day + 1)
    assert life.records["sent_counts"].sum() <= 40 / 7 * WEEK_CAP + WEEK_CAP


def test_the_cap_is_over_any_seven_days() -> None:
    life = lived(daily(0), 1)
    for day, kind in ((10, "personalised_content"), (12, "gentle_reminder"), (15, "discount_offer")):
        assert kind in allowed(life, day)[0]
        send(life, day, kind)
    assert allowed(life, 16) == [set()]  # days 10 to 16 hold three
    assert "gentle_reminder" in allowed(life, 17)[0]


def test_a_cap_of_one_holds_for_six_more_days() -> None:
    life = lived(daily(0), 1)
    send(life, 10, "gentle_reminder")
    open_again = [day for day in range(11, 30) if allowed(life, day, per_week=1)[0]]
    assert open_again == list(range(17, 30))


def test_each_type_cools_down_by_itself() -> None:
    life = lived(daily(0), 1)
    for kind, entry in KINDS.types.items():
        fresh = Life()
        fresh.records = life.records.copy()
        fresh.records["view"]["streak"] = fresh.records["view"]["longest_streak"] = 5
        send(fresh, 20, kind)
        trigger = sum(TRIGGERS.values())
        days = range(21, 20 + entry.cool_down_days + 3)
        back = [day for day in days if kind in allowed(fresh, day, trigger)[0]]
        assert back == list(range(20 + entry.cool_down_days, days[-1] + 1))
        others = allowed(fresh, 21, trigger)[0] - {kind}
        assert others == allowed(life, 21, trigger)[0] - {kind} | ({"streak_warning"} - {kind})


def test_who_allows_no_channel_is_sent_nothing() -> None:
    life = lived(daily(0), 5)
    assert allowed(life, 5)[0]
    life.records["consent"] = 0
    assert allowed(life, 5) == [set()]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 70), st.integers(-1, 7)), max_size=30))
def test_sends_are_remembered_as_in_a_plain_list(steps: list[tuple[int, int]]) -> None:
    life = Life(2)
    day, sent = MONDAY, list[tuple[int, int]]()
    for gap, kind in steps:
        day += gap
        mark_sent(life.records, day, np.array([-1, kind], np.int8))
        if kind >= 0:
            sent.append((day, kind))
    r: Any = life.records[1]
    record.check(life.records)
    last = sent[-1][0] if sent else None
    if last is not None:
        assert int(r["sent_day"]) == last
        bits = sum(1 << last - day for day, _ in sent if last - day < WORD_DAYS)
        assert int(r["sent_bits"]) == bits
    for kind in range(8):
        days = [day for day, which in sent if which == kind]
        assert int(r["sent_counts"][kind]) == len(days)
        assert int(r["sent_days"][kind]) == (days[-1] if days else 0)
    assert life.records[0].tobytes() == Life(2).records[0].tobytes()


def test_a_wrong_catalogue_is_refused() -> None:
    data = KINDS.model_dump(exclude_none=True)
    for change in ({"evening": "later"}, {"trigger": "birthday"}, {"cool_down_days": 0}, {"no_such_key": 1}):
        wrong = {**data, "types": {**data["types"], "gentle_reminder": {**data["types"]["gentle_reminder"], **change}}}
        with pytest.raises(ValueError, match=next(iter(change))):
            module.Catalogue.model_validate(wrong)
