"""Deciding: once a learner and local day every campaign says what it would send, and the sends get their moments.

All campaigns are asked about the same learners at the same time, so that they compete for one budget of attention. What
was decided, by whom, on what and with which propensity is journalled as it was drawn; a replay draws nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.agenda import LOGGED, PLACED, Agenda, arm_codes, arm_names, list_day, name_of
from actors.loop import Loop
from actors.ports import Message
from actors.register import Register
from actors.rescoring import Rescoring
from engine import chance
from engine.experiments.assignment import exposed
from engine.experiments.campaigns import Campaign
from engine.notifications.best_hour import hour_scores
from engine.notifications.catalogue import catalogue, sends_of_week
from engine.notifications.placing import REASONS, Attention, Candidate, Dropped, Placed, place
from engine.notifications.quiet_hours import quiet_minutes
from engine.policies import NO_MESSAGE, make
from engine.policies.base import State, drawn
from engine.policies.decisions import DECISION, described, rested_days, reward
from engine.policies.seen import seen
from engine.record import NEVER

MOST_ROWS = 1_024
"""Learners of one message: a tenth of a second, in which no event can be taken in."""

DONE = np.dtype([("row", "<u4"), ("day", "<i4")])
"""A learner who has been decided about."""

DROPPED = np.dtype([("row", "<u4"), ("day", "<i4"), ("treatment", "<u2"), ("type", "|i1"), ("reason", "|u1")])
"""A send that was wanted and has no moment; the reason is a place in `engine.notifications.placing.REASONS`."""


class Tables(NamedTuple):
    """What a message of decisions holds: tables in this order, whose treatments are places in its list of names."""

    done: NDArray[Any]
    placed: NDArray[Any]
    dropped: NDArray[Any]
    logged: NDArray[Any]
    matured: NDArray[Any]


_DTYPES = Tables(DONE, PLACED, DROPPED, LOGGED, LOGGED)  # type: ignore[arg-type]  # of each table


def to_message(tables: Tables, body: dict[str, Any]) -> Message:
    """Return tables as a message of decisions; its body says when they were made, and the names of treatments."""
    counts = [len(table) for table in tables]
    return Message("decide", {**body, "counts": counts}, b"".join(table.tobytes() for table in tables))


def tables_of(message: Message) -> Tables:
    """Return the tables of a message of decisions."""
    found, at = [], 0
    for kind, count in zip(_DTYPES, message.body["counts"], strict=True):
        found.append(np.frombuffer(message.frame, kind, count, at))
        at += found[-1].nbytes
    return Tables(*found)


class Wish(NamedTuple):
    """What a campaign would send a learner."""

    campaign: Campaign
    treatment: int
    type: int


class Desk:
    """Where decisions are made: all that they are made from.

    Args:
        loop: of the learners.
        register: of the same.
        agenda: of the same.
        log: number of the actor.
        actors: how many there are: a learner's number, the key of chance, is unique over all of them.
    """

    def __init__(self, loop: Loop, register: Register, agenda: Agenda, log: int, actors: int) -> None:
        self.loop, self.register, self.agenda = loop, register, agenda
        self._log, self._actors = log, actors
        self._channels = catalogue().channel_bits(loop.rules)

    def numbers(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of learners in the whole population."""
        return rows * self._actors + self._log

    def unscored(self, now_ms: int, rescoring: Rescoring) -> NDArray[np.int64]:
        """Return who has begun a local day, has a fresh risk, and no daily scoring of that day."""
        today, _ = self.register.now(now_ms)
        records = self.loop.records
        begun = ~np.isnan(records["risk"]) & (records["as_of"] >= today)
        rows = np.flatnonzero(begun & (self.agenda.scored_day < today))
        return rows[rescoring.fresh(rows)]

    def undecided(self, now_ms: int, rescoring: Rescoring) -> NDArray[np.int64]:
        """Return who has begun a local day, is known as of its beginning, and has not been decided about."""
        if not self.agenda.campaigns:
            return np.zeros(0, np.int64)
        today, _ = self.register.now(now_ms)
        records = self.loop.records
        known = np.isnan(records["risk"]) | (self.agenda.scored_day >= today)
        begun = (records["as_of"] != NEVER) & (records["as_of"] >= today)
        rows = np.flatnonzero(begun & known & (self.agenda.decided_day < today))
        return rows[rescoring.fresh(rows)]

    def treatments(self) -> list[str]:
        """Return the names of all treatments that there are at present."""
        return [name_of(each.id, arm) for each in self.agenda.campaigns for arm in arm_names(each)]

    def decide(self, rows: NDArray[np.int64], now_ms: int) -> Message:
        """Return the decisions about learners whose today has begun and whose risk is fresh."""
        days = self.loop.records["as_of"][rows]
        names = self.treatments()
        parts = [self._day(rows[days == day], day, names, now_ms) for day in np.unique(days).tolist()]
        joined = (np.concatenate(tables) for tables in zip(*parts, strict=True)) if parts else map(_none, _DTYPES)
        return to_message(Tables(*joined), {"now_ms": now_ms, "treatments": names})

    def _day(self, rows: NDArray[np.int64], day: int, names: list[str], now_ms: int) -> Tables:
        eligible = self._eligible(day, rows)
        wishes: dict[int, list[Wish]] = {}
        logs = []
        for campaign in self.agenda.campaigns:
            log, wanted = self._campaign(campaign, rows, day, eligible, names, now_ms)
            logs.append(log)
            for row, wish in wanted:
                wishes.setdefault(row, []).append(wish)
        placed, dropped = self._places(wishes, day, now_ms)
        matured = self.agenda.matured(rows, day).copy()
        reward(matured, self.loop.records, matured["row"].astype(np.int64), day - 1)
        matured["treatment"] = [names_at(names, self.agenda.name(code)) for code in matured["treatment"].tolist()]
        done = np.zeros(len(rows), DONE)
        done["row"], done["day"] = rows, day
        return Tables(done, placed, dropped, np.concatenate(logs), matured)

    def _eligible(self, day: int, rows: NDArray[np.int64]) -> NDArray[np.uint16]:
        """Return the types for which learners are eligible; what happened before yesterday is no news."""
        eligible = self.loop.eligible(day, rows)
        eligible[self.agenda.news["day"][rows] < day - 1] &= ~np.uint16(catalogue().triggered_bits)
        return eligible

    def _campaign(
        self,
        campaign: Campaign,
        rows: NDArray[np.int64],
        day: int,
        eligible: NDArray[np.uint16],
        names: list[str],
        now_ms: int,
    ) -> tuple[NDArray[Any], list[tuple[int, Wish]]]:
        """Ask every arm about everybody, and draw for each learner from the chances of the learner's own."""
        arms = arm_names(campaign)
        own = arm_codes(campaign, [self.register.ids[row] or "" for row in rows.tolist()])
        treatments = np.array([names.index(name_of(campaign.id, arm)) for arm in arms])
        began = day >= campaign.first_day
        policies = [self.agenda.policies[name_of(campaign.id, arm)] if began else make("none") for arm in arms]
        records, numbers = self.loop.records[rows], self.numbers(rows)
        contexts = [
            seen(policy, records, day, eligible, numbers, stream_of(campaign),
                 self.agenda.known(name_of(campaign.id, arm), day, now_ms))
            for policy, arm in zip(policies, arms, strict=True)
        ]  # fmt: skip  # one line an argument would hide the two that matter
        chances = np.stack([policy.chances(context) for policy, context in zip(policies, contexts, strict=True)])
        decision = drawn(chances[own, np.arange(len(rows))], contexts[0])
        differ = exposed(list(chances))
        draws = np.array([policy.draws for policy in policies])[own]
        chosen = np.flatnonzero((eligible != 0) & (draws | differ | (decision.kinds != NO_MESSAGE)))
        log = np.zeros(len(chosen), LOGGED)
        made = described(records, chosen, contexts[0], decision)
        for name in DECISION.names or ():
            log[name] = made[name]
        log["row"], log["treatment"], log["exposed"] = rows[chosen], treatments[own[chosen]], differ[chosen]
        wants = np.flatnonzero(decision.kinds != NO_MESSAGE)
        wished = zip(rows[wants].tolist(), treatments[own[wants]].tolist(), decision.kinds[wants].tolist(), strict=True)
        return log, [(row, Wish(campaign, treatment, kind)) for row, treatment, kind in wished]

    def _places(self, wishes: dict[int, list[Wish]], day: int, now_ms: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Solve best hour, quiet hours and caps of each learner."""
        placed, dropped = [], []
        for row, fates in self.fates(wishes, day, now_ms):
            by_id = {wish.campaign.id: wish for wish in wishes[row]}
            for fate in fates:
                wish = by_id[fate.candidate.id]
                if isinstance(fate, Placed):
                    placed.append((row, day, fate.at_ms, wish.treatment, wish.type))
                else:
                    dropped.append((row, day, wish.treatment, wish.type, REASONS.index(fate.reason)))
        return np.array(placed, PLACED), np.array(dropped, DROPPED)

    def gathered(self, treatment: str, now_ms: int) -> State:
        """Return what these learners add to what the policy of a treatment knows.

        That is all that has matured for one that learns; for one that chooses among all, how those in its arm stand.
        """
        policy = self.agenda.policies[treatment]
        if policy.learns:
            return self.agenda.learned(treatment)
        campaign = next(each for each in self.agenda.campaigns if treatment.startswith(f"{each.id}/"))
        known = np.flatnonzero(self.loop.records["as_of"] != NEVER)
        arm = arm_names(campaign).index(treatment.partition("/")[2])
        rows = known[arm_codes(campaign, [self.register.ids[row] or "" for row in known.tolist()]) == arm]
        day = list_day(now_ms)
        eligible = self._eligible(day, rows)
        context = seen(policy, self.loop.records[rows], day, eligible, self.numbers(rows), stream_of(campaign))
        return policy.gather(context, np.zeros(0, DECISION))

    def fates(
        self, wishes: Mapping[int, Sequence[Wish]], day: int, now_ms: int
    ) -> Iterator[tuple[int, list[Placed | Dropped]]]:
        """Yield the row of each learner with what becomes of what campaigns would send that learner today."""
        names, limits, profiles = catalogue().names, catalogue().limits, self.register.profiles
        rows = np.fromiter(wishes, np.int64, len(wishes))
        hours = hour_scores(self.loop.records["hours"][rows])
        rested = rested_days(self.loop.records, rows, day)
        for place_of, (row, wanted) in enumerate(wishes.items()):
            record, channels = self.loop.records[row], self.channels(row)
            candidates = [
                Candidate(wish.campaign.id, names[wish.type], wish.campaign.priority, channels, *wish.campaign.window)
                for wish in wanted
            ]
            attention = Attention(
                hours=hours[place_of],
                quiet=quiet_minutes(profiles.get(row, {}).get("quietHours")),
                consent=int(record["consent"]),
                rested_days=rested[place_of],
                left_today=int(record["sent_day"] < day) * limits.per_day,
                left_this_week=max(0, limits.per_week - sends_of_week(record, day)),
            )
            yield row, place(candidates, attention, day, self.register.zone_of(row), now_ms)

    def channels(self, row: int) -> int:
        """Return the channels that a learner's standing uses and the learner allows, as bits."""
        record, at = self.loop.records[row], slice(row, row + 1)
        kinds, rules = catalogue(), self.loop.rules
        bits = int(self._channels[record["standing"]])
        if kinds.is_emergency(rules, self.loop.records["standing"][at], self.agenda.risen[at])[0]:
            said = self.register.profiles.get(row, {}).get("consents", {})
            bits |= sum(bit for name, bit in kinds.emergency_bits.items() if said.get(name) is True)
        return bits & int(record["consent"])


def stream_of(campaign: Campaign) -> int:
    """Return the stream of chance of a campaign: two campaigns are not lucky with the same learners."""
    number = int.from_bytes(hashlib.blake2b(campaign.id.encode(), digest_size=4).digest(), "big")
    return chance.stream(number, 0)


def names_at(names: list[str], name: str) -> int:
    """Return the place of a name in a message's list; one that is not there is put at its end."""
    if name not in names:
        names.append(name)
    return names.index(name)


def _none(kind: Any) -> NDArray[Any]:
    return np.zeros(0, kind)


def apply(agenda: Agenda, loop: Loop, message: Message) -> None:
    """Enter decisions: what is to be sent, what is to be learned from later, and what can be learned from now."""
    tables = tables_of(message)
    codes = np.array([agenda.code_of(name) for name in message.body["treatments"]], np.int64)
    done = tables.done[tables.done["row"] < len(loop.records)]
    rows = done["row"].astype(np.int64)
    loop.use_up_triggers(rows)
    for day in np.unique(done["day"]).tolist():
        agenda.drop_matured(rows[done["day"] == day], day)
    agenda.decided_day[rows] = done["day"]
    placed, logged, matured = (_coded(table, codes) for table in (tables.placed, tables.logged, tables.matured))
    agenda.add(placed, logged)
    agenda.take_in(matured)


def _coded(table: NDArray[Any], codes: NDArray[np.int64]) -> NDArray[Any]:
    """Return a table whose treatments are places in the agenda."""
    table = table.copy()
    table["treatment"] = codes[table["treatment"]] if len(table) else 0
    return table
