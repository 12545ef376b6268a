"""Placing as a rule: whatever campaigns ask for, over every day that real zones have had."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.calendar import MS_PER_DAY, local, to_utc_ms, zone
from engine.notifications.best_hour import hour_scores
from engine.notifications.catalogue import EVENING_MINUTE, catalogue
from engine.notifications.placing import Attention, Candidate, Placed, place
from engine.notifications.quiet_hours import MINUTES, quiet_minutes

TYPES = catalogue().names
EVENING_TYPES = {name for name, entry in catalogue().types.items() if entry.evening}
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia",
    "Pacific/Kiritimati", "Pacific/Kwajalein", "America/Sao_Paulo", "Africa/Casablanca", "Africa/Cairo",
    "Asia/Kathmandu", "Asia/Gaza", "Africa/Monrovia", "Antarctica/Troll", "Antarctica/Casey",
]  # fmt: skip


@st.composite
def days(draw: st.DrawFn) -> tuple[str, int]:
    """Draw a zone and a local day: any, or one about which its clocks are changed."""
    name = draw(st.sampled_from(ZONES))
    starts = zone(name).starts_ms[1:]
    if not len(starts) or draw(st.booleans()):
        return name, draw(st.integers(1, 47_480))  # 1970 to 2099
    changed, _ = local(np.array([draw(st.sampled_from(starts.tolist()))]), zone(name))
    return name, int(changed[0]) + draw(st.integers(-1, 1))


@st.composite
def wishes(draw: st.DrawFn) -> list[Candidate]:
    made = []
    for place_in_list in range(draw(st.integers(0, 6))):
        first, last = sorted(draw(st.tuples(*[st.integers(0, MINUTES - 1)] * 2)))
        if draw(st.integers(0, 2)):
            first, last = 0, MINUTES - 1
        kind, priority = draw(st.sampled_from(TYPES)), draw(st.integers(0, 3))
        made.append(Candidate(f"c{place_in_list}", kind, priority, draw(st.sampled_from([1, 2, 15])), first, last))
    return draw(st.permutations(made))


@st.composite
def learners(draw: st.DrawFn) -> Attention:
    times = draw(st.tuples(*[st.integers(0, MINUTES - 1)] * 2))
    begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in times)
    counts = draw(st.lists(st.integers(0, 200), min_size=24, max_size=24))
    return Attention(
        hour_scores(np.array([counts], np.uint16))[0],
        quiet_minutes(draw(st.sampled_from([None, {"from": "22:00", "to": "07:00"}, {"from": begin, "to": end}]))),
        draw(st.sampled_from([15, 15, 15, 14, 0])),
        np.array(draw(st.lists(st.sampled_from([255, 255, 255, 2]), min_size=16, max_size=16)), np.uint8),
        draw(st.sampled_from([1, 2, 3, 4, 0])),
        draw(st.sampled_from([3, 2, 1, 0])),
    )


HOURS_IN = st.integers(-16, 30)
"""From the UTC midnight of the day's number to now."""


def now_of(day: int, hours: int) -> int:
    return day * MS_PER_DAY + hours * 3_600_000


def open_moments(wanted: Candidate, to: Attention, day: int, name: str, now: int) -> list[tuple[int, int]]:
    """Return the minutes and first instants that a candidate could be sent at, each looked up by itself."""
    minutes = np.arange(MINUTES)
    instants = to_utc_ms(np.full(MINUTES, day), minutes, zone(name))
    shown_day, shown = local(instants, zone(name))
    good = (shown_day == day) & (shown == minutes) & ~to.quiet & (instants >= now)
    good &= (minutes >= wanted.earliest_minute) & (minutes <= wanted.latest_minute)
    if wanted.type in EVENING_TYPES:
        good &= minutes >= EVENING_MINUTE
    return [(int(minute), int(instants[minute])) for minute in np.flatnonzero(good)]


@given(days(), wishes(), learners(), HOURS_IN)
def test_a_send_lies_in_its_day_and_window_and_outside_quiet_hours(
    when: tuple[str, int], asked: list[Candidate], to: Attention, hours: int
) -> None:
    name, day = when
    now = now_of(day, hours)
    for fate in place(asked, to, day, zone(name), now):
        if isinstance(fate, Placed):
            shown_day, shown = local(np.array([fate.at_ms]), zone(name))
            assert (shown_day[0], shown[0]) == (day, fate.minute)
            assert not to.quiet[fate.minute] and fate.at_ms >= now
            assert fate.candidate.earliest_minute <= fate.minute <= fate.candidate.latest_minute
            assert fate.candidate.type not in EVENING_TYPES or fate.minute >= EVENING_MINUTE


@given(days(), wishes(), learners(), HOURS_IN)
def test_it_has_the_best_moment_and_none_is_dropped_that_had_one(
    when: tuple[str, int], asked: list[Candidate], to: Attention, hours: int
) -> None:
    name, day = when
    now = now_of(day, hours)
    for fate in place(asked, to, day, zone(name), now):
        moments = open_moments(fate.candidate, to, day, name, now)
        if isinstance(fate, Placed):
            mine = (-to.hours[fate.minute // 60], fate.at_ms)
            assert all(mine <= (-to.hours[minute // 60], at_ms) for minute, at_ms in moments)
        elif fate.reason in {"no such time", "quiet hours", "too late"}:
            assert not moments


@given(days(), wishes(), learners(), HOURS_IN)
def test_every_candidate_has_one_fate_and_no_cap_is_exceeded(
    when: tuple[str, int], asked: list[Candidate], to: Attention, hours: int
) -> None:
    fates = place(asked, to, when[1], zone(when[0]), now_of(when[1], hours))
    assert [fate.candidate for fate in fates] == asked
    sent = [fate.candidate for fate in fates if isinstance(fate, Placed)]
    assert len(sent) <= min(to.left_today, to.left_this_week)
    assert len({each.type for each in sent}) == len(sent)
    for each in sent:
        assert each.channels & to.consent
        assert to.rested_days[catalogue().code(each.type)] >= catalogue().types[each.type].cool_down_days


@given(days(), wishes(), learners(), HOURS_IN)
def test_no_other_choice_has_higher_priorities(
    when: tuple[str, int], asked: list[Candidate], to: Attention, hours: int
) -> None:
    """Against all sets of candidates, each of which could be sent were it alone."""
    name, day = when
    now, unlimited = now_of(day, hours), Attention(to.hours, to.quiet, to.consent, to.rested_days, 9, 9)
    fates = place(asked, to, day, zone(name), now)
    alone = [each for each in asked if isinstance(place([each], unlimited, day, zone(name), now)[0], Placed)]
    most = min(to.left_today, to.left_this_week)
    choices = [
        sorted((each.priority for each in chosen), reverse=True)
        for size in range(most + 1)
        for chosen in itertools.combinations(alone, size)
        if len({each.type for each in chosen}) == size
    ]
    sent = [fate.candidate.priority for fate in fates if isinstance(fate, Placed)]
    assert sorted(sent, reverse=True) == max(choices)
    assert sum(sent) == max(sum(choice) for choice in choices)


@given(days(), wishes(), learners(), HOURS_IN, st.data())
def test_a_candidate_of_lower_priority_changes_nothing_for_the_others(
    when: tuple[str, int], asked: list[Candidate], to: Attention, hours: int, data: st.DataObject
) -> None:
    now = now_of(when[1], hours)
    added = Candidate("z", data.draw(st.sampled_from(TYPES)), -1, 15)
    before = place(asked, to, when[1], zone(when[0]), now)
    assert place([added, *asked], to, when[1], zone(when[0]), now)[1:] == before


@given(days(), wishes(), learners(), HOURS_IN, st.randoms(use_true_random=False))
def test_the_order_in_which_campaigns_ask_does_not_matter(
    when: tuple[str, int], asked: list[Candidate], to: Attention, hours: int, chance: Any
) -> None:
    shuffled = chance.sample(asked, len(asked))
    now = now_of(when[1], hours)
    one, other = (place(order, to, when[1], zone(when[0]), now) for order in (asked, shuffled))
    assert {fate.candidate.id: fate for fate in one} == {fate.candidate.id: fate for fate in other}
