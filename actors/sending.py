"""Sending: what was decided leaves at its moment, after a last look at whether it still may, or is told to be withheld.

A moment that was missed, because the service was away or quiet hours were set meanwhile, is looked for anew on the same
local day; what has none is withheld. Nothing is sent late.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.agenda import Agenda, Send
from actors.deciding import Desk, Wish
from actors.loop import Loop
from actors.ports import Message
from actors.register import Register
from engine import bitmaps
from engine.calendar import MS_PER_MINUTE
from engine.notifications import catalogue as notifications
from engine.notifications.catalogue import catalogue, channel_names
from engine.notifications.placing import Dropped
from engine.notifications.quiet_hours import MINUTES, is_quiet

MOST_ROWS = 1_024
"""Sends of one message, as long as one of decisions."""

LISTS = ("sends", "moved", "withheld")
"""Of a message; each row begins with row, local day, type and treatment."""

OPERATOR = "operator"
"""The channel of what a person does."""

_LATE_MS = 15 * MS_PER_MINUTE
"""By which a moment may have been missed: a lane looks at the clock every minute, and may have much to do."""
_STAYS_AWAY = "active today"  # reason beside those of placing: what calls back or warns has nothing to say any more
_ENDED = "campaign ended"
_NOT_ELIGIBLE = "not eligible any more"


def due(agenda: Agenda, now_ms: int) -> NDArray[np.int64]:
    """Return the places of the sends whose moment has come."""
    return np.flatnonzero(agenda.placed["at_ms"] <= now_ms)[:MOST_ROWS]


def resolve(desk: Desk, now_ms: int) -> Message:
    """Return what becomes of the sends whose moment has come: they leave, move on, or are withheld.

    After what begins each row of its lists follow in ``sends`` channels, the day's end and facts, in ``moved`` another
    instant, in ``withheld`` the reason.
    """
    body: dict[str, Any] = {"now_ms": now_ms, "treatments": [], **{name: [] for name in LISTS}}
    register, agenda = desk.register, desk.agenda
    mine = agenda.placed[due(agenda, now_ms)]
    mine = mine[np.argsort(mine["row"], kind="stable")]
    today, minutes = register.now(now_ms)
    reasons = _held_back(desk, mine)
    held_back = np.array([reason is not None for reason in reasons], np.bool_)
    anew = _anew(desk, mine, np.flatnonzero(_missed(register, mine, today, minutes, now_ms) & ~held_back), now_ms)
    for place, (row, day, at_ms, code, kind) in enumerate(mine.tolist()):
        name = agenda.name(code)
        body["treatments"] += [name] if name not in body["treatments"] else []
        begins = [row, day, catalogue().names[kind], body["treatments"].index(name)]
        found = reasons[place] or anew.get(place, at_ms)
        if isinstance(found, str):
            body["withheld"].append([*begins, found])
        elif found > now_ms:
            body["moved"].append([*begins, found])
        else:
            expires_ms = now_ms + (MINUTES - int(minutes[row])) * MS_PER_MINUTE  # the local day's end
            body["sends"].append([*begins, desk.channels(row), expires_ms, _facts(agenda, row, day, code)])
    return Message("send", body)


def _facts(agenda: Agenda, row: int, day: int, treatment: int) -> dict[str, Any]:
    """Return what a message may say that is not in the learner's profile or record."""
    campaign = agenda.campaign(treatment)
    offered = campaign.facts if campaign else {}
    news = agenda.news[row]
    if news["day"] < day - 1:  # of which the learner has heard already, or will not any more
        return dict(offered)
    names = ("achievement", "milestone_days", "level")
    return {**offered, **{name: int(news[name]) for name in names if news[name] >= 0}}


def _held_back(desk: Desk, mine: NDArray[Any]) -> list[str | None]:
    """Return why sends have to be withheld at whatever time of the day, None = they need not."""
    rows = mine["row"].astype(np.int64)
    eligible = np.zeros(len(mine), np.uint16)
    for day in np.unique(mine["day"]).tolist():
        eligible[mine["day"] == day] = desk.loop.eligible(day, rows[mine["day"] == day], triggered=True)
    types = list(catalogue().types.values())
    reasons: list[str | None] = []
    for (row, day, _, code, kind), allowed in zip(mine.tolist(), eligible.tolist(), strict=True):
        ends_by_coming = types[kind].evening or types[kind].from_silent_days
        if desk.agenda.campaign(code) is None:
            reasons.append(_ENDED)
        elif ends_by_coming and bitmaps.has_day(desk.loop.records["active_bits"][row], day):
            reasons.append(_STAYS_AWAY)
        elif not desk.channels(row):
            reasons.append("no channel consent")
        else:
            reasons.append(None if allowed >> kind & 1 else _NOT_ELIGIBLE)
    return reasons


def _missed(
    register: Register, mine: NDArray[Any], today: NDArray[np.int32], minutes: NDArray[np.int16], now_ms: int
) -> NDArray[np.bool_]:
    """Return which sends cannot leave now as they were meant to."""
    rows = mine["row"].astype(np.int64)
    hours = (register.profiles.get(row, {}).get("quietHours") for row in rows.tolist())
    quiet = [is_quiet(each, minute) for each, minute in zip(hours, minutes[rows].tolist(), strict=True)]
    missed: NDArray[np.bool_] = (today[rows] != mine["day"]) | (now_ms - mine["at_ms"] > _LATE_MS)
    return missed | np.array(quiet, np.bool_)


def _anew(desk: Desk, mine: NDArray[Any], places: NDArray[np.int64], now_ms: int) -> dict[int, str | int]:
    """Return another moment, in UTC ms, for the sends at some places, or why there is none."""
    found: dict[int, str | int] = {}
    for day in np.unique(mine["day"][places]).tolist():
        wishes: dict[int, dict[int, Wish]] = {}
        for place in places[mine["day"][places] == day].tolist():
            send = mine[place]
            if campaign := desk.agenda.campaign(int(send["treatment"])):
                wishes.setdefault(int(send["row"]), {})[place] = Wish(campaign, 0, int(send["type"]))
        wanted = {row: list(each.values()) for row, each in wishes.items()}
        for row, fates in desk.fates(wanted, day, now_ms - now_ms % MS_PER_MINUTE):
            for place, fate in zip(wishes[row], fates, strict=True):
                found[place] = fate.reason if isinstance(fate, Dropped) else fate.at_ms
    return found


def apply(agenda: Agenda, loop: Loop, register: Register, message: Message) -> list[dict[str, Any]]:
    """Enter what became of sends; return those that are to be delivered."""
    body, sends = message.body, []
    moments: dict[Send, int | None] = {}
    gone: list[Send] = []
    codes = [agenda.code_of(name) for name in body["treatments"]]
    for row, day, kind, treatment, bits, expires_ms, facts in body["sends"]:
        learner_id = register.ids[row] if row < len(register) else None
        send = Send(row, day, codes[treatment], catalogue().code(kind))
        moments[send] = None
        if learner_id is None:
            continue
        gone.append(send)
        notifications.mark_sent(loop.records[row : row + 1], day, np.array([send.type], np.int8))
        campaign, _, arm = body["treatments"][treatment].partition("/")
        channels = [OPERATOR] if catalogue().types[kind].operator else channel_names(bits)
        sends.append(
            {
                "id": f"{learner_id}/{kind}/{day}",
                "learner": learner_id,
                "type": kind,
                "day": day,
                "channels": channels,
                "campaign": campaign,
                "arm": arm,
                "expires_ms": expires_ms,
                "facts": facts,
            }
        )
    for row, day, kind, treatment, at_ms in body["moved"]:
        moments[Send(row, day, codes[treatment], catalogue().code(kind))] = at_ms
    for row, day, kind, treatment, _ in body["withheld"]:
        moments[Send(row, day, codes[treatment], catalogue().code(kind))] = None
    agenda.move(moments)
    agenda.mark_sent(gone)
    return sends
