"""The register: which learners live in an actor, their profiles, and what their clocks show.

The one place behind the rim that knows time zones: it resolves an event's local day before the event is journalled, so
that replaying a journal never depends on a zone table.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.ports import State
from engine import calendar
from engine.calendar import LocalTime, ZoneTable
from engine.errors import InputError
from engine.record import NEVER

Profile = dict[str, Any]
"""What a learner or the platform has set: names as the API spells them."""

_DEFAULT = 0  # code of the service's own zone
_MOST_ZONES = 64  # that are remembered of a learner: whoever moves more often within a month is no traveller
_ZONES = "zones"  # key of a profile: [[from UTC ms, zone name], ...], in order
_CONSENTS = "consents"  # key of a profile: whether each channel may be used


class UnknownLearnerError(InputError):
    """Nobody of that id has ever been heard of, or the learner was erased."""


class Register:
    """Learners by id and by row, in order of their first appearance.

    Args:
        zone: IANA name of the zone of learners whose profile has none.
    """

    def __init__(self, zone: str) -> None:
        self.ids: list[str | None] = []  # None = erased; a row is never given to another learner
        self.rows: dict[str, int] = {}
        self.profiles: dict[int, Profile] = {}
        self._tables: list[ZoneTable] = [calendar.zone(zone)]
        self._codes = {"": _DEFAULT}
        self._zone_of = np.zeros(0, np.int16)  # code of each row's present zone
        self._moved: set[int] = set()  # rows that have lived in more than one zone

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, learner_id: str) -> int:
        """Return a learner's row.

        Raises:
            UnknownLearnerError: nobody of that id has ever been heard of.
        """
        try:
            return self.rows[learner_id]
        except KeyError:
            expected = "a learner with a profile or an event"
            raise UnknownLearnerError("learner", repr(learner_id), expected) from None

    def place(self, learner_ids: list[str]) -> tuple[NDArray[np.int64], list[str]]:
        """Return the row of each learner, and those who are new, whose rows will follow the present ones."""
        rows = []
        new: dict[str, int] = {}
        for learner_id in learner_ids:
            row = self.rows.get(learner_id)
            rows.append(new.setdefault(learner_id, len(self.ids) + len(new)) if row is None else row)
        return np.array(rows, np.int64), list(new)

    def known(self, learner_ids: list[str]) -> dict[str, int]:
        """Return the rows of those who are known, by id."""
        return {learner_id: self.rows[learner_id] for learner_id in learner_ids if learner_id in self.rows}

    def add(self, learner_ids: list[str]) -> None:
        """Take in new learners."""
        for learner_id in learner_ids:
            if learner_id:  # else it was erased
                self.rows[learner_id] = len(self.ids)
            self.ids.append(learner_id or None)
        while len(self.ids) > len(self._zone_of):
            self._zone_of = np.concatenate([self._zone_of, np.zeros(max(64, len(self._zone_of)), np.int16)])

    def remove(self, row: int) -> None:
        """Forget a learner; the row stays empty."""
        self.rows.pop(self.ids[row] or "", None)
        self.ids[row] = None
        self.profiles.pop(row, None)
        self._zone_of[row] = _DEFAULT
        self._moved.discard(row)

    def set_profile(self, row: int, changes: Profile, now_ms: int) -> None:
        """Change entries of a profile; None takes one out. A change of zone takes effect from now on."""
        profile = self.profiles.setdefault(row, {})
        zone = changes.get("timezone", profile.get("timezone"))
        if zone != profile.get("timezone"):
            profile[_ZONES] = [*profile.get(_ZONES, ()), [now_ms, zone or ""]][-_MOST_ZONES:]
        if changes.get(_CONSENTS):  # merged here, so that of two changes at once neither undoes the other
            changes = {**changes, _CONSENTS: {**profile.get(_CONSENTS, {}), **changes[_CONSENTS]}}
        profile.update(changes)
        for name in [name for name, value in profile.items() if value is None]:
            del profile[name]
        self._note_zone(row, profile)

    def _note_zone(self, row: int, profile: Profile) -> None:
        self._zone_of[row] = self._code(profile.get("timezone", ""))
        if len(profile.get(_ZONES, ())) > 1:
            self._moved.add(row)

    def _code(self, zone: str) -> int:
        code = self._codes.get(zone)
        if code is None:
            self._tables.append(calendar.zone(zone))
            code = self._codes[zone] = len(self._tables) - 1
        return code

    def local(self, rows: NDArray[np.int64], occurred_ms: NDArray[np.int64], own: list[str | None]) -> LocalTime:
        """Return local day and minute of events: by their own zone, else by the profile's in force at that instant.

        Args:
            rows: learner of each event, new ones included.
            occurred_ms: UTC instant of each event.
            own: zone that each event names, None = none.
        """
        codes = self._codes_of(rows, occurred_ms, own)
        if not codes.any():
            return calendar.local(occurred_ms, self._tables[_DEFAULT])
        return calendar.local_days(occurred_ms, codes, self._tables)

    def zones(self, rows: NDArray[np.int64], occurred_ms: NDArray[np.int64], own: list[str | None]) -> list[str]:
        """Return the zone that `local` goes by for each event; the service's own has no name."""
        codes = self._codes_of(rows, occurred_ms, own).tolist()
        names = list(self._codes)
        return [names[code] for code in codes]

    def _codes_of(
        self, rows: NDArray[np.int64], occurred_ms: NDArray[np.int64], own: list[str | None]
    ) -> NDArray[np.int64]:
        known = rows < len(self.ids)
        codes = np.zeros(len(rows), np.int64)
        codes[known] = self._zone_of[rows[known]]
        if self._moved:
            for at in np.flatnonzero(np.isin(rows, list(self._moved))).tolist():
                codes[at] = self._code(_zone_at(self.profiles[int(rows[at])][_ZONES], int(occurred_ms[at])))
        for place, zone in enumerate(own):
            if zone is not None:
                codes[place] = self._code(zone)
        return codes

    def zone_of(self, row: int) -> ZoneTable:
        """Return the zone that a learner lives in at present."""
        return self._tables[int(self._zone_of[row])]

    def now(self, now_ms: int) -> LocalTime:
        """Return the local day and minute of every learner at an instant."""
        by_zone = self._zones_at(now_ms)
        codes = self._zone_of[: len(self.ids)]
        days = np.array([day for day, _ in by_zone.values()], np.int32)
        return days[codes], np.array([minute for _, minute in by_zone.values()], np.int16)[codes]

    def days_at(self, now_ms: int) -> dict[str, int]:
        """Return the local day of each zone at an instant; the service's own zone has no name."""
        return {zone: day for zone, (day, _) in self._zones_at(now_ms).items()}

    def days(self, by_zone: dict[str, int]) -> NDArray[np.int32]:
        """Return the local day of every learner, given that of each zone."""
        days = np.array([by_zone.get(zone, NEVER) for zone in self._codes], np.int32)
        return days[self._zone_of[: len(self.ids)]]

    def _zones_at(self, now_ms: int) -> dict[str, tuple[int, int]]:
        local = (calendar.local(np.array([now_ms]), table) for table in self._tables)
        return {zone: (int(day[0]), int(minute[0])) for zone, (day, minute) in zip(self._codes, local, strict=True)}

    def state(self) -> State:
        """Return all of it as named arrays."""
        text = json.dumps({"ids": self.ids, "profiles": list(self.profiles.items())}, separators=(",", ":"))
        return {"register": np.frombuffer(text.encode(), np.uint8)}

    def restore(self, state: State) -> None:
        """Take the state back into an empty register."""
        told = json.loads(state["register"].tobytes())
        self.add([learner_id or "" for learner_id in told["ids"]])
        for row, profile in told["profiles"]:
            self.profiles[row] = profile
            self._note_zone(row, profile)


def _zone_at(zones: list[tuple[int, str]], instant_ms: int) -> str:
    """Return the zone in force at an instant; before the first change that first zone is the better guess."""
    return next((zone for from_ms, zone in reversed(zones) if from_ms <= instant_ms), zones[0][1])
