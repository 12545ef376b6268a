"""What an active day holds: sessions, lessons, quizzes and the rest, at their instants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.calendar import MS_PER_DAY, ZoneTable
from engine.chance import PURPOSE_EVENTS, PURPOSE_SESSIONS, normal, uniforms
from engine.compiled import compiled
from simulation.behaviour import evening_learner, messages
from simulation.latent import ENROLLED, FINISHED, NOT_ACTIVE
from simulation.population import MIX_SIZE

CLOCK = np.dtype([("before_ms", "<i8"), ("after_ms", "<i8"), ("gap_start_s", "<f8"), ("gap_end_s", "<f8")])
"""One zone on one local day: offsets before and after the day's clock change, and the local seconds it leaves out."""

_LAST_SECOND = 86_399.0
_NEVER_S = 1e9
_MOST_SESSIONS = 8


def clocks(day: int, tables: tuple[ZoneTable, ...]) -> Any:
    """Return the zones' clocks on a local day, rows of `CLOCK`.

    A time shown twice is taken as its first showing, one never shown as the end of the gap.
    """
    out = np.zeros(len(tables), CLOCK)
    start = day * MS_PER_DAY
    for row, table in zip(out, tables, strict=True):
        stops = table.starts_ms[1:] + table.offsets_ms[:-1]  # local time at which each offset stops
        at = int(np.searchsorted(stops, start, side="left"))
        row["before_ms"] = row["after_ms"] = table.offsets_ms[at]
        row["gap_start_s"] = row["gap_end_s"] = _NEVER_S
        if at < len(stops) and stops[at] < start + MS_PER_DAY:
            row["after_ms"] = table.offsets_ms[at + 1]
            row["gap_start_s"] = (stops[at] - start) / 1000.0
            resumes = table.starts_ms[at + 1] + table.offsets_ms[at + 1] - start
            row["gap_end_s"] = max(float(row["gap_start_s"]), resumes / 1000.0)
    return out


@compiled
def poisson(mean: float, luck: float) -> int:
    """Return the Poisson quantile of a uniform number, by adding up; for small means."""
    count = 0
    chance = math.exp(-mean)
    below = chance
    while luck > below and count < 100:
        count += 1
        chance *= mean / count
        below += chance
    return count


@compiled
def _put(
    out: Any,
    used: int,
    first: int,
    row: int,
    learner: int,
    day: int,
    second: float,
    action: int,
    value: float,
    clock: Any,
) -> int:
    """Write one event; return the rows in use.

    The id is (learner, day, ordinal) packed, not hashed: it cannot collide before the year 4840.
    """
    e = out[used]
    ms = int(second * 1000.0)
    offset = int(clock["before_ms"]) if second < float(clock["gap_start_s"]) else int(clock["after_ms"])
    e["event_id"] = (learner << 32) | (day << 12) | (used - first)
    e["occurred_ms"] = day * MS_PER_DAY + ms - offset
    e["arrived_ms"] = day * MS_PER_DAY + ms - offset
    e["learner"] = row
    e["day"] = day
    e["value"] = value
    e["minute"] = ms // 60_000
    e["action"] = action
    return used + 1


@compiled
def _finish_unit(
    r: Any, out: Any, used: int, first: int, row: int, learner: int, day: int, second: float, p: Any, clock: Any
) -> int:
    """Count a unit as done, and the module and the course with it when it was their last; return the rows in use."""
    r["units"] = int(r["units"]) + 1
    units = int(r["units"])
    done = units >= float(p["units"])
    if done or units % int(p["module_units"]) == 0:
        used = _put(out, used, first, row, learner, day, second, int(p["module_complete"]), math.nan, clock)
    if done:
        used = _put(out, used, first, row, learner, day, second, int(p["course_complete"]), math.nan, clock)
        r["units"] = 0
        r["courses"] = int(r["courses"]) + 1
        if int(r["courses"]) >= float(p["courses"]):
            r["standing"] = FINISHED
        else:
            used = _put(out, used, first, row, learner, day, second, int(p["course_enrol"]), math.nan, clock)
    return used


@compiled
def _released(r: Any, today: int, p: Any) -> int:
    """Return how many units could be done now: modules come out one by one unless the course is self-paced."""
    if float(p["release_days"]) <= 0.0:
        return int(p["units"])
    modules = 1 + int(today / float(p["release_days"]))
    return max(0, modules * int(p["module_units"]) - int(r["units"]))


@compiled
def _amounts(r: Any, learner: int, day: int, today: int, volume: float, stream: int, p: Any) -> tuple[int, int, int]:
    """Return how many events, lessons and sessions the day has; every lesson has a start and a completion."""
    luck = uniforms(stream, learner, day, PURPOSE_SESSIONS, 0)
    wanted = math.exp(float(p["log_events_median"]) + float(p["events_log_sd"]) * normal(luck[0], luck[1])) * volume
    events = max(1, int(min(wanted, float(p["events_cap"])) + 0.5))
    units = poisson(float(p["units_a_day"]) * volume, luck[2])
    lessons = min(units, (events - 1) // 2, _released(r, today, p))
    sessions = min(1 + poisson(float(p["extra_sessions"]), luck[3]), events, _MOST_SESSIONS)
    return events, lessons, sessions


@compiled
def _shown(second: float, clock: Any) -> float:
    """Return the local second, or the end of the gap if the clocks leave it out."""
    gap_end = float(clock["gap_end_s"])
    return gap_end if float(clock["gap_start_s"]) <= second < gap_end else second


@compiled
def _next_second(second: float, share: float, pause: int, longest_gap: float, clock: Any) -> float:
    """Return when the next event comes; ``pause``: 0 = within the session, else sessions left to fit in the day."""
    room = _LAST_SECOND - second
    most = room / pause if pause > 0 else min(longest_gap, room)
    return _shown(second + share * most, clock)


@compiled
def _free_action(r: Any, action: int, in_quiz: bool, share: float, p: Any) -> tuple[int, float]:
    """Return the action between lessons, and its value: the drawn one, unless a quiz is to be finished."""
    if in_quiz:
        score = float(p["quiz_floor"]) + float(p["quiz_by_propensity"]) * float(r["rank"])
        score += float(p["quiz_by_luck"]) * share
        return int(p["quiz_complete"]), min(1.0, math.floor(10.0 * score + 0.5) / 10.0)  # ten questions
    if action == int(p["video_watch"]):
        return action, 1.0 + math.floor(share * float(p["gap_seconds"]) / 15.0)  # minutes
    return action, math.nan


@compiled
def fill_day(
    r: Any,
    row: int,
    learner: int,
    day: int,
    today: int,
    volume: float,
    stream: int,
    p: Any,
    clock: Any,
    out: Any,
    first: int,
) -> int:
    """Write the events of one learner's active day, in order of time.

    Lessons are spread over the day, each from its start to its completion with other actions between. One Philox call
    serves four events: of each uniform the first byte chooses the action, the rest the time to the next event.

    Args:
        r: row of `LATENT`; units and courses move on here.
        row: the learner's row in the actor.
        learner: number in the population.
        day: local day.
        today: the same as days since registration.
        volume: multiplier of events and units by messages.
        stream: from `engine.chance.stream`.
        p: one row of `POPULATION`.
        clock: row of `CLOCK`.
        out: rows of `EVENT`.
        first: rows of ``out`` in use.

    Returns:
        rows of ``out`` in use.
    """
    events, lessons, sessions = _amounts(r, learner, day, today, volume, stream, p)
    session_length = events // sessions
    lesson_length = (events - 1) // max(1, lessons)
    longest_gap = 2.0 * float(p["gap_seconds"])
    second = _shown(int(r["planned"]) * 60.0, clock)
    used = _put(out, first, first, row, learner, day, second, int(p["daily_login"]), math.nan, clock)
    if int(r["flags"]) & ENROLLED == 0:
        r["flags"] = int(r["flags"]) | ENROLLED
        used = _put(out, used, first, row, learner, day, second, int(p["course_enrol"]), math.nan, clock)
    in_lesson = 0  # place within the lesson
    in_session = 1
    in_quiz = False
    luck = (0.0, 0.0, 0.0, 0.0)
    for event in range(1, events):
        if event & 3 == 1:
            luck = uniforms(stream, learner, day, PURPOSE_EVENTS, event >> 2)
        scaled = luck[(event - 1) & 3] * MIX_SIZE
        choice = int(scaled)
        share = scaled - choice
        pause = 0
        if in_session == session_length and sessions > 1:
            sessions -= 1
            in_session = 0
            pause = sessions
        in_session += 1
        second = _next_second(second, share, pause, longest_gap, clock)

        value = math.nan
        if lessons > 0 and in_lesson == 0:
            action = int(p["lesson_start"])
        elif lessons > 0 and in_lesson == lesson_length - 1:
            action = int(p["lesson_complete"])
        else:
            action, value = _free_action(r, int(p["mix"][choice]), in_quiz, share, p)
            in_quiz = action == int(p["quiz_start"])
        used = _put(out, used, first, row, learner, day, second, action, value, clock)
        in_lesson += 1
        if in_lesson == lesson_length and lessons > 0:
            in_lesson = 0
            lessons -= 1
            used = _finish_unit(r, out, used, first, row, learner, day, second, p, clock)
    return used


@compiled
def fill_block(
    latent: Any, kinds: Any, channels: Any, first_learner: int, day: int, today: int, stream: int, population: Any,
    response: Any, clock_of_zone: Any, out: Any, margin: int, start: int, used: int,
) -> tuple[int, int]:  # fmt: skip
    """Complete the day of a block, learner by learner, until all are done or ``out`` is nearly full.

    Returns:
        next learner's row (all done when it equals their number), rows of ``out`` in use.
    """
    place = start
    while place < len(latent) and len(out) - used >= margin:
        r = latent[place]
        learner = first_learner + place
        if int(kinds[place]) >= 0:
            evening_learner(r, int(kinds[place]), int(channels[place]), learner, day, today, stream, response)
        if int(r["planned"]) < NOT_ACTIVE:
            volume = messages(r, today, response)[2]
            clock = clock_of_zone[int(r["zone"])]
            used = fill_day(r, place, learner, day, today, volume, stream, population, clock, out, used)
        place += 1
    return place, used
