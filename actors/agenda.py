"""The agenda: what is due for live learners by the day, and what campaigns have decided until it has shown effect.

Campaigns and arms may change between two starts of a service, and a journal outlives both: so a treatment (a campaign's
arm) has its name in every message, and here its place in a list that only grows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.ports import State
from engine.calendar import MS_PER_DAY, MS_PER_MINUTE
from engine.experiments.assignment import HOLDOUT
from engine.experiments.campaigns import Campaign
from engine.outcomes import ACHIEVEMENT, LEVEL, MILESTONE
from engine.policies import Context, Policy
from engine.policies.base import State as Knowledge
from engine.policies.decisions import DECISION, MATURE_DAYS

LOGGED = np.dtype(
    [
        ("row", "<u4"),  # of the learner in its actor
        ("treatment", "<u2"),  # place in the message's list of names
        ("exposed", "|u1"),  # whether the arms might have treated the learner differently
        *((name, *DECISION.fields[name][:1]) for name in DECISION.names or ()),  # type: ignore[index]  # it has fields
    ]
)
"""A decision, and who made it. Rows of these tables have no padding, so that equal rows are equal bytes."""


class Send(NamedTuple):
    """What tells one send from all others of an actor."""

    row: int
    day: int  # local
    treatment: int  # place in the agenda
    type: int


PLACED = np.dtype([("row", "<u4"), ("day", "<i4"), ("at_ms", "<i8"), ("treatment", "<u2"), ("type", "|i1")])
"""A send that has its moment."""

NEWS = np.dtype([("day", "<i4"), ("achievement", "<i2"), ("milestone_days", "<i4"), ("level", "<i2")])
"""What may be celebrated of the newest local day that brought anything of the kind; -1 = none."""

_BEFORE_MIDNIGHT_MS = 40 * MS_PER_MINUTE
_NOTHING_NEW = np.array([(0, -1, -1, -1)], NEWS)


def name_of(campaign: str, arm: str) -> str:
    """Return the name of a treatment."""
    return f"{campaign}/{arm}"


def list_day(now_ms: int) -> int:
    """Return the number of the day for which a list of learners is made at an instant.

    Such a day begins at 23:20 UTC, when it is midnight in no zone: everybody's local day begins under one list.
    """
    return (now_ms + _BEFORE_MIDNIGHT_MS) // MS_PER_DAY


def policies_of(campaigns: Sequence[Campaign]) -> dict[str, Policy]:
    """Return the policy of each treatment by its name."""
    return {name_of(each.id, arm): policy for each in campaigns for arm, policy in each.policies().items()}


class Agenda:
    """What is decided and not over yet, of all learners of an actor.

    Args:
        campaigns: of the service.
        begin_with: what the policy of a treatment knows before it has learned anything here, by name.
    """

    def __init__(self, campaigns: Sequence[Campaign], begin_with: dict[str, Knowledge]) -> None:
        self.campaigns = tuple(campaigns)
        self.policies = policies_of(campaigns)
        self.scored_day = np.zeros(0, np.int32)  # of each learner's newest daily scoring
        self.decided_day = np.zeros(0, np.int32)
        self.risen = np.zeros(0, np.float64)  # points of risk since the day before; NaN = not known
        self.news = np.zeros(0, NEWS)
        self.placed = np.zeros(0, PLACED)
        self._daily_risk = np.zeros(0, np.float64)
        self._logged: dict[int, list[NDArray[Any]]] = {}  # by local day
        self._names: list[str] = []
        self._learned: dict[str, Knowledge] = {}
        self._knowledge: dict[str, tuple[int, Knowledge]] = {}  # and when it was put together, UTC ms
        for name, known in begin_with.items():
            self._knowledge[self._key(name)] = 0, known

    def grow(self, count: int) -> None:
        """Take in learners who are new, up to ``count`` in all."""
        more = count - len(self.decided_day)
        self.scored_day = np.concatenate([self.scored_day, np.zeros(more, np.int32)])
        self.decided_day = np.concatenate([self.decided_day, np.zeros(more, np.int32)])
        self.risen = np.concatenate([self.risen, np.full(more, np.nan)])
        self._daily_risk = np.concatenate([self._daily_risk, np.full(more, np.nan)])
        self.news = np.concatenate([self.news, np.repeat(_NOTHING_NEW, more)])

    def forget(self, row: int) -> None:
        """Forget a learner."""
        self.scored_day[row] = self.decided_day[row] = 0
        self.risen[row] = self._daily_risk[row] = np.nan
        self.news[row] = _NOTHING_NEW[0]
        self.placed = self.placed[self.placed["row"] != row]
        for day, tables in self._logged.items():
            self._logged[day] = [table[table["row"] != row] for table in tables]

    # What happens to learners.

    def note_outcomes(self, outcomes: NDArray[Any]) -> None:
        """Remember what may be celebrated."""
        found = outcomes[np.isin(outcomes["kind"], (ACHIEVEMENT, MILESTONE, LEVEL))]
        newer = found["learner"][self.news["day"][found["learner"]] < found["day"]]
        self.news[newer] = _NOTHING_NEW[0]
        self.news["day"][found["learner"]] = found["day"]
        for kind, name in ((ACHIEVEMENT, "achievement"), (MILESTONE, "milestone_days"), (LEVEL, "level")):
            mine = found[found["kind"] == kind]
            self.news[name][mine["learner"]] = mine["threshold"]

    def note_scores(self, rows: NDArray[np.int64], days: NDArray[np.int32], risk: NDArray[np.float64]) -> None:
        """Remember a daily scoring, and how risks have moved since the one before."""
        self.scored_day[rows] = days
        self.risen[rows] = risk - self._daily_risk[rows]
        self._daily_risk[rows] = risk

    # What is decided about them.

    def code_of(self, name: str) -> int:
        """Return the place of a treatment; one that is new gets one."""
        if name not in self._names:
            self._names.append(name)
        return self._names.index(name)

    def name(self, code: int) -> str:
        """Return the name of a treatment."""
        return self._names[code]

    def campaign(self, code: int) -> Campaign | None:
        """Return the campaign of a treatment, None = the service has it no more."""
        campaign_id = self.name(code).partition("/")[0]
        return next((each for each in self.campaigns if each.id == campaign_id), None)

    def known(self, name: str, day: int, now_ms: int) -> Knowledge:
        """Return what the policy of a treatment knows for a local day's decisions.

        A list of learners serves the local day that each of them begins within the 24 hours that it is for.
        """
        made_ms, state = self._knowledge.get(self._key(name), (0, {}))
        if "day" not in state:
            return state
        return {**state, "day": np.array(day)} if list_day(made_ms) == list_day(now_ms) else {}

    def known_since_ms(self, name: str) -> int:
        """Return when what the policy of a treatment knows was put together, UTC ms; 0 = it never was."""
        return self._knowledge.get(self._key(name), (0, {}))[0]

    def learn(self, name: str, of: str, made_ms: int, state: Knowledge) -> None:
        """Take over what policies of a treatment know from now on whose state has the name ``of``."""
        self._knowledge[f"{name}/{of}"] = made_ms, state

    def learned(self, name: str) -> Knowledge:
        """Return the sums over all decisions of a treatment that have matured here."""
        return self._learned.get(self._key(name), {})

    def _key(self, name: str) -> str:
        """Return the name of a treatment with that of its policy's state: what one has learned is not another's."""
        return f"{name}/{self.policies[name].state_name}" if name in self.policies else name

    def add(self, placed: NDArray[Any], logged: NDArray[Any]) -> None:
        """Keep sends and decisions, whose treatments are places in this agenda."""
        self.placed = np.concatenate([self.placed, placed])
        for day in np.unique(logged["day"]).tolist():
            self._logged.setdefault(day, []).append(logged[logged["day"] == day])

    def matured(self, rows: NDArray[np.int64], day: int) -> NDArray[Any]:
        """Return the decisions about some learners whose rewards are known at the beginning of a local day."""
        old = [table for at, tables in sorted(self._logged.items()) if at <= day - MATURE_DAYS for table in tables]
        tables = [table[np.isin(table["row"], rows)] for table in old]
        return np.concatenate(tables) if tables else np.zeros(0, LOGGED)

    def drop_matured(self, rows: NDArray[np.int64], day: int) -> None:
        """Keep what `matured` returns no longer."""
        for at in [at for at in self._logged if at <= day - MATURE_DAYS]:
            left = [table[~np.isin(table["row"], rows)] for table in self._logged.pop(at)]
            if left := [table for table in left if len(table)]:
                self._logged[at] = left

    def take_in(self, matured: NDArray[Any]) -> None:
        """Let the policies learn from decisions whose rewards are known."""
        for code in np.unique(matured["treatment"]).tolist():
            name = self.name(code)
            policy = self.policies.get(name)
            if policy is not None and policy.learns:
                found = policy.gather(_nobody(), matured[matured["treatment"] == code])
                self._learned[self._key(name)] = policy.merge(self.learned(name), [found])

    def move(self, moments: dict[Send, int | None]) -> None:
        """Give sends another moment, in UTC ms, or take them out: None. One that is not there any more is no matter."""
        mine = np.flatnonzero(np.isin(self.placed["row"], [send.row for send in moments]))
        kept = np.ones(len(self.placed), bool)
        for place, send in zip(mine.tolist(), self.placed[list(Send._fields)][mine].tolist(), strict=True):
            if send in moments:
                at_ms = moments[Send(*send)]
                kept[place] = at_ms is not None
                self.placed["at_ms"][place] = at_ms or 0
        self.placed = self.placed[kept]

    def mark_sent(self, sends: Collection[Send]) -> None:
        """Note which decisions have been carried out."""
        kinds = {send[:3]: send.type for send in sends}
        rows = [send.row for send in sends]
        for day in {send.day for send in sends}:
            for table in self._logged.get(day, ()):
                mine = np.flatnonzero(np.isin(table["row"], rows))
                decisions = table[list(Send._fields[:3])][mine].tolist()
                table["sent"][mine] = list(map(kinds.get, decisions, table["sent"][mine].tolist()))

    # What a snapshot holds.

    def state(self) -> State:
        """Return all of it as named arrays."""
        tables = [table for _, tables in sorted(self._logged.items()) for table in tables]
        known = {"names": self._names, "learned": _encoded(self._learned)}
        known["knowledge"] = {name: [made, encoded(state)] for name, (made, state) in self._knowledge.items()}
        text = json.dumps(known, sort_keys=True).encode()
        return {
            "scored_day": self.scored_day,
            "decided_day": self.decided_day,
            "risen": self.risen,
            "daily_risk": self._daily_risk,
            "news": self.news,
            "placed": self.placed,
            "logged": np.concatenate(tables) if tables else np.zeros(0, LOGGED),
            "agenda": np.frombuffer(text, np.uint8),
        }

    def restore(self, state: State) -> None:
        """Take the state back."""
        self.scored_day, self.decided_day = state["scored_day"].copy(), state["decided_day"].copy()
        self.risen, self._daily_risk = state["risen"].copy(), state["daily_risk"].copy()
        self.news = state["news"].copy()
        told = json.loads(state["agenda"].tobytes())
        self._names = told["names"]
        self._learned = {name: decoded(each) for name, each in told["learned"].items()}
        self._knowledge |= {name: (made, decoded(each)) for name, (made, each) in told["knowledge"].items()}
        self.placed, self._logged = np.zeros(0, PLACED), {}
        self.add(state["placed"].copy(), state["logged"].copy())


def _nobody() -> Context:
    """Return a context without learners: what is learned depends on the decisions alone."""
    return Context(0, np.zeros(0, "i8"), np.zeros(0), np.zeros(0, "u1"), np.zeros(0, "u2"), stream=0)


def encoded(state: Knowledge) -> dict[str, Any]:
    """Return what a policy knows as JSON can say it."""
    return {name: [array.dtype.str, list(array.shape), array.ravel().tolist()] for name, array in state.items()}


def decoded(told: dict[str, Any]) -> Knowledge:
    """Return what `encoded` told."""
    return {name: np.array(values, kind).reshape(shape) for name, (kind, shape, values) in told.items()}


def _encoded(states: dict[str, Knowledge]) -> dict[str, Any]:
    return {name: encoded(state) for name, state in states.items()}


def arm_codes(campaign: Campaign, learner_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each learner's arm in `arm_names`."""
    names = arm_names(campaign)
    if len(names) == 1:
        return np.zeros(len(learner_ids), np.int64)
    return np.array([names.index(campaign.arm_of(each)) for each in learner_ids], np.int64)


def arm_names(campaign: Campaign) -> list[str]:
    """Return the arms of a campaign, the holdout last if it has one."""
    return [arm.id for arm in campaign.arms] + ([HOLDOUT] if campaign.holdout else [])
