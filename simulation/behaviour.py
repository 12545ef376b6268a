"""Behaviour: whether and when a synthetic learner is active, and how messages and streaks change it.

    logit P(active) = mu + sigma z + b1 y1 + b2 m + weekend + opening + deadline + streak + broken streak
                      + messages exp(-kappa F) - eta F

The luck of a day is one Philox call. It is compared with P in the morning and, if an evening message came, once more:
the message acts through the same luck.
"""

from __future__ import annotations

import math
from typing import Any

from engine.calendar import weekday
from engine.chance import PURPOSE_DAY, PURPOSE_DELIVERY, uniforms
from engine.compiled import compiled
from engine.notifications.catalogue import EVENING_MINUTE
from engine.record import NOTIFICATION_TYPES
from simulation.latent import ALIVE, FINISHED, LAPSED, NOT_ACTIVE, PAYS, REPAIRED, WAITING

_LN2 = math.log(2.0)
_IMPOSSIBLE = -60.0  # log-odds of a day that cannot be active
_NORM = 32.0 / (3.0 * math.pi) * 4.0  # 1 / B(2.5, 2.5): the mean of the intermediate profile is 1
_SEEN_LIMIT = 65_535


@compiled
def expit(logit: float) -> float:
    """Return the probability of log-odds."""
    return 1.0 / (1.0 + math.exp(-logit))


@compiled
def _logit(chance: float) -> float:
    """Return the log-odds of a probability, 0 and 1 included."""
    if chance <= 0.0:
        return _IMPOSSIBLE
    return -_IMPOSSIBLE if chance >= 1.0 else math.log(chance / (1.0 - chance))


@compiled
def _bits(word: int) -> int:
    """Return the number of set bits of a small word."""
    count = 0
    while word:
        word &= word - 1
        count += 1
    return count


@compiled
def _gain(r: Any, kind: int, response: Any) -> float:
    """Return the log-odds that a fresh message of a type adds for this learner.

    The intermediate profile is the density of Beta(2.5, 2.5) over the rank: mean 1, and the middle half of the learners
    carries three quarters of the gain (Athey et al. 2023).
    """
    rank = float(r["rank"])
    profile = int(response["profile"][kind])
    delta = float(response["delta"][kind])
    if profile == 0:
        spread = max(0.0, rank * (1.0 - rank))
        return delta * _NORM * spread * math.sqrt(spread)
    if profile == 1:
        return delta * 2.0 * rank
    mean = float(response["bottom_third"][kind]) if rank < 1.0 / 3.0 else delta
    return mean + float(response["person_sd"][kind]) * float(r["peer"])


@compiled
def messages(r: Any, today: int, response: Any) -> tuple[float, float, float]:
    """Return what the messages seen so far do today: log-odds, drop-out hazard multiplier, volume multiplier.

    Types share attention: their log-odds combine as a root of squares, signs kept; two at once are less than their sum.
    """
    squares = 0.0
    risk = 1.0
    volume = 1.0
    if today >= int(r["until"]):
        return 0.0, risk, volume
    for kind in range(NOTIFICATION_TYPES):
        ago = today + 1 - int(r["seen"][kind])
        if ago > today:
            continue  # never seen
        if ago < float(response["hazard_days"][kind]):
            risk *= float(response["hazard"][kind])
        if ago < float(response["window_days"][kind]):
            strength = float(r["strength"][kind])
            if float(response["half_life_days"][kind]) > 0.0:
                strength *= math.exp(-_LN2 * ago / float(response["half_life_days"][kind]))
            gain = _gain(r, kind, response) * strength
            squares += gain * abs(gain)
            if int(response["payers_only"][kind]) == 0 or int(r["flags"]) & PAYS:
                volume *= 1.0 + float(response["volume"][kind]) * strength
    logit = math.copysign(math.sqrt(abs(squares)), squares)
    return logit * math.exp(-float(response["kappa"]) * float(r["fatigue"])), risk, volume


@compiled
def take_in(r: Any, kind: int, today: int, response: Any) -> bool:
    """Let a message that reaches the learner work, if it means anything to him; return whether it does."""
    if int(r["streak"]) < int(response["from_streak"][kind]):
        return False
    strength = 1.0
    if int(r["seen"][kind]) > 0:
        rest_days = today + 1 - int(r["seen"][kind])
        forgotten = math.exp(-_LN2 * rest_days / float(response["recovery_half_life_days"]))
        strength -= float(response["recovery_gamma"]) * forgotten
    r["strength"][kind] = strength
    r["seen"][kind] = min(today + 1, _SEEN_LIMIT)
    works_days = max(float(response["window_days"][kind]), float(response["hazard_days"][kind]))
    r["until"] = min(max(int(r["until"]), today + math.ceil(works_days)), _SEEN_LIMIT)
    return True


@compiled
def receive(
    r: Any, kind: int, channels: int, learner: int, today: int, evening: int, stream: int, response: Any
) -> None:
    """Take in one message: fatigue, opt-out and, if it reaches the learner and means anything to him, its effect."""
    used = channels & int(r["consent"])
    if used == 0:
        return
    luck = uniforms(stream, learner, today, PURPOSE_DELIVERY, evening)
    weekly = _bits(int(r["sends"]))
    r["sends"] = int(r["sends"]) | (2 if int(r["sends"]) & 1 else 1)
    r["fatigue"] = float(r["fatigue"]) + 1.0
    reach = float(response["reach"][kind])
    # The part of the luck below `reach` is uniform again, so it can decide a second time.
    if luck[0] < reach and take_in(r, kind, today, response) and luck[0] < reach * float(response["conversion"][kind]):
        r["flags"] = int(r["flags"]) | PAYS
    leaves = float(response["opt_out"]) * math.exp(
        float(response["opt_out_slope"]) * (weekly + 1.0 - float(response["opt_out_free_sends"]))
    )
    gone = 1 if luck[1] < leaves else 0
    gone |= 2 if luck[2] < leaves else 0
    gone |= 8 if luck[3] < leaves else 0  # in-app messages (4) cannot be turned off
    r["consent"] = int(r["consent"]) & ~(gone & used)


@compiled
def _streak_effect(r: Any, view: Any, today: int, response: Any) -> float:
    """Return what the streak, as the learner's own record shows it, adds to the log-odds; note a streak that broke."""
    streak = int(view["streak"])
    ended = int(view["streaks_ended"])
    if ended > int(r["ended"]) and int(r["streak"]) >= float(response["broken_from_days"]):
        r["broken"] = min(today + 1, _SEEN_LIMIT)
        r["flags"] = int(r["flags"]) & ~REPAIRED
    elif ended < int(r["ended"]):
        r["flags"] = int(r["flags"]) | REPAIRED
    r["streak"] = streak
    r["ended"] = ended
    effect = float(response["streak"]) * min(streak / float(response["streak_full_days"]), 1.0)
    ago = today + 1 - int(r["broken"])
    if int(r["broken"]) > 0 and ago < float(response["broken_days"]):
        broken = float(response["broken"]) * (1.0 - ago / float(response["broken_days"]))
        effect += broken * (float(response["broken_repaired"]) if int(r["flags"]) & REPAIRED else 1.0)
    return effect


@compiled
def habit(r: Any, day: int, today: int, population: Any) -> float:
    """Return the log-odds of activity of a learner in the course, without streaks and messages."""
    recent = int(r["recent"])
    logit = float(population["mu"]) + float(population["sigma"]) * float(r["z"])
    logit += float(population["b1"]) * (recent & 1) + float(population["b2"]) * _bits((recent >> 1) & 63) / 6.0
    if weekday(day) >= 5:
        logit += float(population["weekend"])
    if float(population["opening"]) != 0.0:
        days = today - int(r["start"])
        logit += float(population["opening"]) * math.exp(-_LN2 * days / float(population["opening_half_life_days"]))
    every = int(population["deadline_every_days"])
    if every > 0 and today % every >= every - int(population["deadline_span_days"]):
        logit += float(population["deadline"])
    return logit


@compiled
def hazard(r: Any, today: int, population: Any) -> float:
    """Return the chance that a learner in the course drops out today, without messages."""
    logit = float(population["c0"]) + float(population["c1"]) * float(r["z"])
    return expit(logit + float(population["c2"]) * math.log(1.0 + today - int(r["start"])))


@compiled
def _try(r: Any, minute: int, luck: float, today: int, response: Any) -> None:
    """Compare the luck of the day with today's chance; if it is enough the learner is active from that minute on."""
    logit = float(r["base"]) - float(response["eta"]) * float(r["fatigue"]) + messages(r, today, response)[0]
    if luck >= expit(logit):
        return
    r["planned"] = minute
    if int(r["standing"]) != ALIVE:  # the first day of all, or the first day back
        r["standing"] = ALIVE
        r["start"] = today


@compiled
def plan_learner(
    r: Any,
    record: Any,
    kind: int,
    channels: int,
    learner: int,
    day: int,
    today: int,
    stream: int,
    population: Any,
    response: Any,
) -> None:
    """Begin one learner's day: end yesterday, take in the message, draw the luck, plan the first activity.

    Args:
        r: row of `LATENT`.
        record: the learner's row of `LEARNER`; only its view of the streak is read, as the learner sees it.
        kind: notification type, negative = none.
        channels: bits of the channels it comes by.
        learner: number in the population.
        day: local day.
        today: the same as days since registration opened.
        stream: from `engine.chance.stream`.
        population: one row of `POPULATION`.
        response: one row of `RESPONSE`.
    """
    r["recent"] = ((int(r["recent"]) << 1) | (1 if int(r["planned"]) < NOT_ACTIVE else 0)) & 0xFFFF
    r["sends"] = (int(r["sends"]) << 2) & 0x3FFF
    if float(r["fatigue"]) > 0.0:
        r["fatigue"] = float(r["fatigue"]) * math.exp(-_LN2 / float(response["fatigue_half_life_days"]))
    r["planned"] = NOT_ACTIVE
    standing = int(r["standing"])
    streak_effect = 0.0
    if int(r["recent"]) != 0 or int(r["streak"]) > 0:  # otherwise no streak can be alive, and the record is far memory
        streak_effect = _streak_effect(r, record["view"], today, response)
    if kind >= 0:
        receive(r, kind, channels, learner, today, 0, stream, response)
    if standing >= FINISHED:  # or never starts
        return
    luck = uniforms(stream, learner, day, PURPOSE_DAY, 0)
    if standing == ALIVE:
        if luck[2] < hazard(r, today, population) * messages(r, today, response)[1]:
            r["standing"] = LAPSED
            r["base"] = _IMPOSSIBLE
            return
        base = habit(r, day, today, population) + streak_effect
    else:
        rate = float(population["return_rate"])
        if standing == WAITING:
            rate = float(population["starts_first_day"]) if today == 0 else float(population["starts_later_rate"])
        base = _logit(rate)
    r["base"] = base
    spread = float(population["hour_scale_minutes"]) * math.log(luck[1] / (1.0 - luck[1]))
    _try(r, int(int(r["peak"]) + spread) % NOT_ACTIVE, luck[0], today, response)


@compiled
def evening_learner(
    r: Any, kind: int, channels: int, learner: int, day: int, today: int, stream: int, response: Any
) -> None:
    """Take in an evening message; a learner not yet active may become so, by the same luck of the day."""
    receive(r, kind, channels, learner, today, 1, stream, response)
    if int(r["planned"]) < NOT_ACTIVE or int(r["standing"]) >= FINISHED:
        return
    luck = uniforms(stream, learner, day, PURPOSE_DAY, 0)
    _try(r, EVENING_MINUTE + int(luck[1] * (NOT_ACTIVE - EVENING_MINUTE)), luck[0], today, response)


@compiled
def plan_block(
    latent: Any, records: Any, kinds: Any, channels: Any, first_learner: int, day: int, today: int, stream: int,
    population: Any, response: Any, minutes: Any,
) -> None:  # fmt: skip
    """Run `plan_learner` over a block; write each planned minute."""
    for i in range(len(latent)):
        plan_learner(
            latent[i],
            records[i],
            int(kinds[i]),
            int(channels[i]),
            first_learner + i,
            day,
            today,
            stream,
            population,
            response,
        )
        minutes[i] = latent[i]["planned"]
