"""How campaigns do: what they sent, what came of it, and how much of that would have come without.

All is told of decisions whose rewards are known: those of a week ago and before. Days are each learner's own, and are
counted from the beginning of the day of the decision: only so can those who were sent nothing be set beside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.agenda import LOGGED, name_of
from actors.deciding import tables_of
from actors.delivery.responses import Kind, Response
from actors.ports import Entry
from actors.service import Service
from engine.experiments.assignment import HOLDOUT
from engine.experiments.campaigns import Campaign
from engine.experiments.sending_effect import Effect, by_assignment, by_chance
from engine.notifications.catalogue import catalogue
from engine.policies import NO_MESSAGE
from engine.policies.base import NOTHING_BIT
from engine.policies.decisions import REWARD_DAYS, days_of

_COLUMNS = ("day", "chosen", "sent", "propensity", "possible", "exposed", *(f"active_{days}" for days in REWARD_DAYS))
_TABLE = np.dtype(
    [
        ("learner", "<u8"),
        ("treatment", "<u2"),
        ("first", "?"),  # the learner's first that arms of the campaign might have made differently
        *((name, LOGGED.fields[name][0]) for name in _COLUMNS),  # type: ignore[index]  # it has fields
    ]
)
"""What a report is made from: decisions of all actors, learners numbered over all of them."""
_ROW_BITS = 32  # of a learner's number, below those of the actor's


@dataclass
class Sends:
    """Sends of one type by one arm.

    Args:
        type: of the catalogue.
        sent: how many.
        cost: of all of them, in the catalogue's unit.
        returned: after how many the learner was active on any of so many days, by `REWARD_DAYS`.
        responses: how many had each kind of response on any channel.
    """

    type: str
    sent: int
    cost: float
    returned: dict[int, int]
    responses: Counter[Kind] = field(default_factory=Counter)


@dataclass(frozen=True)
class Arm:
    """One arm of a campaign, or its holdout.

    Args:
        campaign: id.
        arm: id.
        learners: about whom it has decided.
        exposed: of them, those whom another arm might have treated otherwise.
        decisions: that it has made.
        sends: by type.
        deciding_days: of the campaign's first metric; None = the campaign is not the service's any more.
        chance: by `REWARD_DAYS`, the effect of its sends as its own draws tell it, or why they cannot.
        assignment: the effect of being in this arm and not in another, the holdout and the first arm, by other arm and
            `REWARD_DAYS`.
    """

    campaign: str
    arm: str
    learners: int
    exposed: int
    decisions: int
    sends: tuple[Sends, ...]
    deciding_days: int | None
    chance: dict[int, Effect | str]
    assignment: dict[tuple[str, int], Effect | str]


class Decided:
    """Decisions of some days whose rewards are known, without those about learners who have been erased since.

    Args:
        campaigns: of the service.
        treatments: names of campaign and arm, as the table's codes have them.
        table: of the decisions.
        ids: of their learners, by number.
    """

    def __init__(
        self, campaigns: Sequence[Campaign], treatments: Sequence[str], table: NDArray[Any], ids: dict[int, str | None]
    ) -> None:
        self._campaigns = {campaign.id: campaign for campaign in campaigns}
        self._codes = {name: code for code, name in enumerate(treatments)}
        self._treatments = sorted(treatments, key=self._order)
        self._table, self._ids = table, ids

    def _order(self, name: str) -> tuple[str, bool, int, str]:
        """Return where a treatment stands: arms as in their file, then those no more in it, then the holdout."""
        campaign, _, arm = name.partition("/")
        arms = [each.id for each in self._campaigns[campaign].arms] if campaign in self._campaigns else []
        return campaign, arm == HOLDOUT, arms.index(arm) if arm in arms else len(arms), arm

    @classmethod
    def read(cls, service: Service, campaigns: Sequence[Campaign], since_day: int, until_day: int) -> Decided:
        """Read them from the journals.

        Args:
            service: whose.
            campaigns: that it has at present; there may have been others.
            since_day: first local day.
            until_day: last one.
        """
        treatments: list[str] = []
        parts: list[NDArray[Any]] = [np.zeros(0, _TABLE)]
        ids: dict[int, str | None] = {}
        for lane in service.lanes:
            for part in _parts(service.entries_of(lane.log, "decide"), treatments, until_day):
                rows, first = np.unique(part["learner"]).tolist(), lane.log << _ROW_BITS
                part["learner"] += np.uint64(first)
                ids |= {first + row: lane.id_of(row) for row in rows}
                parts.append(part)
        table = np.concatenate(parts)
        _mark_first(table, [name.partition("/")[0] for name in treatments])
        return cls(campaigns, treatments, table[table["day"] >= since_day], ids)

    def arms(self, responses: Iterable[Response]) -> Iterator[Arm]:
        """Yield every arm, a campaign's holdout last.

        Args:
            responses: of the same days and later.
        """
        heard: dict[str, set[Kind]] = defaultdict(set)
        for response in responses:
            heard[response.id.rpartition("/")[0]].add(response.kind)
        for name in self._treatments:
            yield self._arm(name, heard)

    def _of(self, name: str) -> NDArray[Any]:
        table: NDArray[Any] = self._table
        mine: NDArray[Any] = table[table["treatment"] == self._codes[name]]
        return mine

    def _others(self, campaign: str, arm: str) -> list[str]:
        """Return the arms with which one is compared: the holdout, and the first, unless it is that itself."""
        arms = [name.partition("/")[2] for name in self._treatments if name.startswith(f"{campaign}/")]
        found = [HOLDOUT] if HOLDOUT in arms else []
        return [each for each in [*found, *arms[:1]] if arm not in {each, HOLDOUT}]

    def _arm(self, name: str, heard: dict[str, set[Kind]]) -> Arm:
        campaign, _, arm = name.partition("/")
        mine, metrics = self._of(name), self._campaigns[campaign].metrics if campaign in self._campaigns else ()
        others = [(each, self._of(name_of(campaign, each))) for each in self._others(campaign, arm)]
        return Arm(
            campaign,
            arm,
            len(np.unique(mine["learner"])),
            len(np.unique(mine["learner"][mine["exposed"] == 1])),
            len(mine),
            tuple(self._sends(mine, heard)),
            days_of(metrics[0]) if metrics else None,
            {days: _by_chance(mine, days) for days in REWARD_DAYS},
            {(each, days): _by_assignment(mine, theirs, days) for each, theirs in others for days in REWARD_DAYS},
        )

    def _sends(self, table: NDArray[Any], heard: dict[str, set[Kind]]) -> Iterator[Sends]:
        for code, kind in enumerate(catalogue().names):
            sent = table[table["sent"] == code]
            if not len(sent):
                continue
            returned = {days: int((sent[f"active_{days}"] > 0).sum()) for days in REWARD_DAYS}
            found = Sends(kind, len(sent), len(sent) * catalogue().types[kind].cost, returned)
            for number, day in zip(sent["learner"].tolist(), sent["day"].tolist(), strict=True):
                found.responses.update(heard.get(f"{self._ids[number]}/{kind}/{day}", ()))
            yield found


def _parts(entries: Iterable[Entry], treatments: list[str], until_day: int) -> Iterator[NDArray[Any]]:
    """Yield decisions of a journal, their treatments as places in a list that grows; learners are rows."""
    for entry in entries:
        matured = tables_of(entry.message).matured
        matured = matured[matured["day"] <= until_day]
        if not len(matured):
            continue
        names = entry.message.body["treatments"]
        treatments += [name for name in names if name not in treatments]
        part = np.zeros(len(matured), _TABLE)
        for column in _COLUMNS:
            part[column] = matured[column]
        part["learner"] = matured["row"]
        part["treatment"] = np.array([treatments.index(name) for name in names])[matured["treatment"]]
        yield part


def _mark_first(table: NDArray[Any], campaigns: Sequence[str]) -> None:
    """Mark each learner's first exposed decision of each campaign."""
    code = np.array([campaigns.index(name) for name in campaigns], np.int64)
    exposed = np.flatnonzero(table["exposed"])
    mine, campaign = table[exposed], code[table["treatment"][exposed]] if len(exposed) else exposed
    order = np.lexsort((mine["day"], mine["learner"], campaign))
    keys = np.stack([campaign[order], mine["learner"][order].astype(np.int64)])
    new = np.ones(len(order), bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    table["first"][exposed[order[new]]] = True


def _returned(table: NDArray[Any], days: int) -> NDArray[np.float64]:
    return (table[f"active_{days}"] > 0).astype(np.float64)


def _by_chance(table: NDArray[Any], days: int) -> Effect | str:
    treated = table["chosen"] != NO_MESSAGE
    fit = ~treated | (table["possible"] >> NOTHING_BIT & 1 == 1)  # who had no chance of nothing has no like
    used = table[fit]
    return by_chance(used["learner"], treated[fit], used["propensity"], _returned(used, days))


def _by_assignment(table: NDArray[Any], others: NDArray[Any], days: int) -> Effect | str:
    return by_assignment(*(_returned(each[each["first"]], days) for each in (table, others)))
