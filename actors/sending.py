"""Sending: what was decided leaves at its moment, after a last look at whether it still may, or is told to be withheld.

A moment that was missed, because the service was away or quiet hours were set meanwhile, is looked for anew on the same
local day; what has none is withheld. Nothing is sent late.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.agenda import Agenda
from actors.deciding import Desk, Wish
from actors.loop import Loop
from actors.ports import Message
from actors.register import Register
from engine import bitmaps
from engine.calendar import MS_PER_MINUTE
from engine.experiments.campaigns import Campaign
from engine.notifications import catalogue as notifications
from engine.notifications.catalogue import catalogue, channel_names
from engine.notifications.placing import Dropped
from engine.notifications.quiet_hours import MINUTES, is_quiet

MOST_ROWS = 4_096
"""Sends of one message."""

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
    rows = mine["row"].astype(np.int64)
    today, minutes = register.now(now_ms)
    for place in np.argsort(rows, kind="stable").tolist():
        row, day, at_ms, code, kind = mine[place].tolist()
        name = agenda.name(code)
        body["treatments"] += [name] if name not in body["treatments"] else []
        treatment, type_name = body["treatments"].index(name), catalogue().names[kind]
        minute = int(minutes[row])
        campaign = next((each for each in agenda.campaigns if name.startswith(f"{each.id}/")), None)
        found: str | int = _ENDED if campaign is None else _held_back(desk, row, day, kind) or at_ms
        quiet = is_quiet(register.profiles.get(row, {}).get("quietHours"), minute)
        if campaign is not None and found == at_ms and (today[row] != day or now_ms - at_ms > _LATE_MS or quiet):
            found = _anew(desk, row, day, campaign, kind, now_ms)
        if isinstance(found, str):
            body["withheld"].append([row, day, type_name, treatment, found])
        elif found > now_ms:
            body["moved"].append([row, day, type_name, treatment, found])
        else:
            expires_ms = now_ms + (MINUTES - minute) * MS_PER_MINUTE  # the local day's end
            facts = _facts(agenda, row, day, name.partition("/")[0])
            body["sends"].append([row, day, type_name, treatment, desk.channels(row), expires_ms, facts])
    return Message("send", body)


def _facts(agenda: Agenda, row: int, day: int, campaign: str) -> dict[str, Any]:
    """Return what a message may say that is not in the learner's profile or record."""
    offered = next((each.facts for each in agenda.campaigns if each.id == campaign), {})
    news = agenda.news[row]
    if news["day"] < day - 1:  # of which the learner has heard already, or will not any more
        return dict(offered)
    names = ("achievement", "milestone_days", "level")
    return {**offered, **{name: int(news[name]) for name in names if news[name] >= 0}}


def _held_back(desk: Desk, row: int, day: int, kind: int) -> str | None:
    """Return why a send has to be withheld at whatever time of the day."""
    entry = catalogue().types[catalogue().names[kind]]
    record = desk.loop.records[row]
    if (entry.evening or entry.from_silent_days) and bitmaps.has_day(record["active_bits"], day):
        return _STAYS_AWAY
    if not desk.channels(row):
        return "no channel consent"
    allowed = int(desk.loop.eligible(day, np.array([row]), triggered=True)[0])
    return None if allowed >> kind & 1 else _NOT_ELIGIBLE


def _anew(desk: Desk, row: int, day: int, campaign: Campaign, kind: int, now_ms: int) -> str | int:
    """Return another moment for a send, or why there is none."""
    minute_ms = now_ms - now_ms % MS_PER_MINUTE
    (fate,) = desk.fates(row, day, [Wish(campaign, 0, kind)], minute_ms)
    return fate.reason if isinstance(fate, Dropped) else fate.at_ms


def apply(agenda: Agenda, loop: Loop, register: Register, message: Message) -> list[dict[str, Any]]:
    """Enter what became of sends; return those that are to be delivered."""
    body, sends = message.body, []
    codes = [agenda.code_of(name) for name in body["treatments"]]
    for row, day, kind, treatment, bits, expires_ms, facts in body["sends"]:
        learner_id = register.ids[row] if row < len(register) else None
        code = catalogue().code(kind)
        _take(agenda, row, day, codes[treatment], code)
        if learner_id is None:
            continue
        notifications.mark_sent(loop.records[row : row + 1], day, np.array([code], np.int8))
        agenda.mark_sent(row, day, codes[treatment], code)
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
        agenda.placed["at_ms"][_is(agenda, row, day, codes[treatment], catalogue().code(kind))] = at_ms
    for row, day, kind, treatment, _ in body["withheld"]:
        _take(agenda, row, day, codes[treatment], catalogue().code(kind))
    return sends


def _is(agenda: Agenda, *key: int) -> NDArray[np.bool_]:
    """Return which sends are of this row, local day, treatment and type."""
    columns = zip(("row", "day", "treatment", "type"), key, strict=True)
    found: NDArray[np.bool_] = np.all([agenda.placed[name] == value for name, value in columns], axis=0)
    return found


def _take(agenda: Agenda, *key: int) -> None:
    agenda.placed = agenda.placed[~_is(agenda, *key)]
