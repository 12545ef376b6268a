"""Live learners: what a learner actor does in the service, message by message, each journalled before it is answered.

A message is *resolved* once, against the moment: ids become rows, instants local days. What comes out is journalled and
*folded*; a replay folds the very same, so it needs neither clock nor zones nor scores.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from actors import daily, deciding, sending
from actors.agenda import Agenda, decoded
from actors.answers import Answer
from actors.erasure import Erasure
from actors.imports import Imports
from actors.intake import Intake
from actors.loop import Loop
from actors.ports import Message, Scorer, State
from actors.register import Profile, Register
from actors.rescoring import Rescoring, RiskChange
from actors.views import Views
from engine import calendar, events, receipts
from engine.errors import InputError
from engine.notifications.catalogue import CHANNELS
from engine.policies import make
from engine.record import NEVER

if TYPE_CHECKING:
    from actors.spec import ActorSpec


class LiveLearners(Views):
    """The learners of one actor in the service.

    Args:
        spec: what the actor is made from.
        scorer: turns signals into risk.
    """

    def __init__(self, spec: ActorSpec, scorer: Scorer) -> None:
        self.loop = Loop(spec.rules, make("none"), 0)  # its campaigns decide
        self.register = Register(spec.zone)
        self.agenda = Agenda(spec.campaigns, spec.knowledge)
        self._desk = deciding.Desk(self.loop, self.register, self.agenda, spec.number, spec.actors)
        self._rescoring = Rescoring(self.loop, scorer, spec.model)
        self.imports = Imports()
        self._erased: dict[str, list[Erasure]] = {}  # by hash of the learner

    # Resolving: what a message means at this moment. No learner changes here.

    def resolve(self, method: str, *args: Any) -> Message:
        """Return a message in the form in which it is journalled and folded.

        Raises:
            InputError: it cannot be applied; nothing has changed.
        """
        found: Message = getattr(self, f"resolve_{method}")(*args)
        return found

    def resolve_events(self, intake: Intake) -> Message:
        """Give events their rows and local days."""
        rows, new = self.register.place(intake.learners)
        resolved = intake.events.copy()
        resolved["learner"] = rows[intake.events["learner"]]
        resolved["day"], resolved["minute"] = self.register.local(
            rows[intake.events["learner"]], resolved["occurred_ms"], intake.zones
        )
        body: dict[str, Any] = {"new": new}
        if intake.details:
            body["details"] = intake.details
        return Message("events", body, events.to_frame(resolved))

    def resolve_import(self, source: str, part: int, intake: Intake) -> Message:
        """Take in history from before going live, part by part.

        Args:
            source: names the history, the same for all its parts.
            part: from 0, one after another.
            intake: the events of this part; they arrived as they occurred.
        """
        self.must_fit(source, intake.learners)
        if part != self.parts_of(source):
            raise InputError(f"history {source}", f"part {part}", f"part {self.parts_of(source)}")
        found = self.resolve_events(intake)
        return Message("import", {**found.body, "source": source, "part": part}, found.frame)

    def resolve_profile(self, learner_id: str, changes: Profile, now_ms: int) -> Message:
        """Change entries of a profile, of a learner who may be new."""
        if changes.get("timezone") is not None:
            calendar.zone(changes["timezone"])  # refuses an unknown one
        rows, new = self.register.place([learner_id])
        return Message("profile", {"new": new, "row": int(rows[0]), "changes": changes, "now_ms": now_ms})

    def resolve_close(self, now_ms: int) -> Message:
        """Close every local day that has ended."""
        return Message("close", {"now_ms": now_ms, "days": self.register.days_at(now_ms)})

    def resolve_daily(self, now_ms: int) -> Message:
        """Keep the signals and scores of learners whose local day has begun."""
        rows = self._desk.unscored(now_ms, self._rescoring)[: daily.MOST_ROWS]
        return daily.resolve(self.loop, rows, self._rescoring.version, now_ms)

    def resolve_decide(self, now_ms: int) -> Message:
        """Let every campaign decide about learners whose local day has begun."""
        return self._desk.decide(self._desk.undecided(now_ms, self._rescoring)[: deciding.MOST_ROWS], now_ms)

    def resolve_send(self, now_ms: int) -> Message:
        """Send what was decided and whose moment has come."""
        return sending.resolve(self._desk, now_ms)

    def resolve_knowledge(self, treatment: str, state: dict[str, Any], now_ms: int) -> Message:
        """Let the policy of a treatment know something from now on, as `actors.agenda.encoded` tells it."""
        of = self.agenda.policies[treatment].state_name
        return Message("knowledge", {"treatment": treatment, "of": of, "state": state, "now_ms": now_ms})

    def resolve_erase(self, learner_id: str, learner_hash: str, now_ms: int) -> Message:
        """Erase a learner, of whom a hash remains, by which the erasure can be proved."""
        body = {"row": self.register.row(learner_id), "learner": learner_id, "hash": learner_hash, "now_ms": now_ms}
        return Message("erase", body)

    # Folding: how a journalled message changes the learners, now and in every replay.

    def fold(self, sequence: int, message: Message) -> Message:
        """Apply a message; return its answer, an encoded `Answer`."""
        found: Answer = getattr(self, f"_{message.kind}")(sequence, message)
        return found.to_message()

    def _events(self, sequence: int, message: Message) -> Answer:
        self._take_in(message.body["new"])
        batch = events.from_frame(message.frame)
        rows = np.unique(batch["learner"])
        rows = rows[rows != receipts.NOBODY].astype(np.int64)
        if message.kind == "import":
            self.imports.take(message.body["source"], message.body["part"], rows)
        else:
            self.imports.go_live(rows)
        got, outcomes = self.loop.receive(batch, sequence << receipts.PLACE_BITS)
        self.agenda.note_outcomes(outcomes)
        self._rescoring.touch(rows, int(batch["arrived_ms"].min()))
        return Answer(got, outcomes)

    _import = _events

    def _profile(self, _sequence: int, message: Message) -> Answer:
        body = message.body
        self._take_in(body["new"])
        if body["row"] >= 0:  # else it was erased
            self.register.set_profile(body["row"], body["changes"], body["now_ms"])
            allowed = self.register.profiles[body["row"]].get("consents", {})
            given = (1 << place for place, name in enumerate(CHANNELS) if allowed.get(name, True))
            self.loop.records["consent"][body["row"]] = sum(given)
            self._rescoring.touch(np.array([body["row"]]), body["now_ms"])  # consent is a signal
        return Answer()

    def _close(self, _sequence: int, message: Message) -> Answer:
        days = self.register.days(message.body["days"])
        behind = np.flatnonzero(self._behind(days))
        found = self.loop.close(days)
        self.agenda.note_outcomes(found)
        self._rescoring.touch(behind, message.body["now_ms"])
        return Answer(outcomes=found)

    def _daily(self, _sequence: int, message: Message) -> Answer:
        rows, days = daily.apply(self.loop, message)
        self.agenda.note_scores(rows, days, self.loop.records["risk"][rows])
        return Answer()

    def _decide(self, _sequence: int, message: Message) -> Answer:
        deciding.apply(self.agenda, self.loop, message)
        return Answer()

    def _send(self, _sequence: int, message: Message) -> Answer:
        sends = sending.apply(self.agenda, self.loop, self.register, message)
        rows = np.array([self.register.row(send["learner"]) for send in sends], np.int64)
        self._rescoring.touch(rows, message.body["now_ms"])  # what was sent is a signal
        return Answer(sends=sends)

    def _knowledge(self, _sequence: int, message: Message) -> Answer:
        body = message.body
        self.agenda.learn(body["treatment"], body["of"], body["now_ms"], decoded(body["state"]))
        return Answer()

    def _erase(self, sequence: int, message: Message) -> Answer:
        row = message.body["row"]
        self._erased.setdefault(message.body["hash"], []).append(Erasure(sequence, row, message.body["now_ms"]))
        self.register.remove(row)
        self.loop.forget(row)
        self.agenda.forget(row)
        self._rescoring.forget(row)
        self.imports.forget(row)
        return Answer()

    def _take_in(self, new: list[str]) -> None:
        if new:
            self.register.add(new)
            count = len(self.register)
            self.loop.grow(count)
            self.agenda.grow(count)
            self.imports.grow(count)

    # Questions: nothing that a message depends on changes.

    def due(self, now_ms: int) -> list[str]:
        """Return the kinds of message that the clock asks for: ``close``, then ``daily``, ``decide`` and ``send``."""
        today, _ = self.register.now(now_ms)
        if self._behind(today).any():
            return ["close"]  # the others look at days that are closed
        if len(self._desk.unscored(now_ms, self._rescoring)):
            return ["daily"]
        found = ["decide"] if len(self._desk.undecided(now_ms, self._rescoring)) else []
        return [*found, "send"] if len(sending.due(self.agenda, now_ms)) else found

    def _behind(self, today: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return who has begun and whose today is past."""
        as_of = self.loop.records["as_of"]
        behind: NDArray[np.bool_] = (as_of != NEVER) & (as_of < today)
        return behind

    def must_fit(self, source: str, learner_ids: list[str]) -> None:
        """Raise `InputError` where a learner has events from elsewhere than this history."""
        self.imports.must_fit(source, self.register.known(learner_ids))

    def parts_of(self, source: str) -> int:
        """Return how many parts of a history are in."""
        return self.imports.parts_of(source)

    def erasures(self, learner_hash: str) -> list[Erasure]:
        """Return the erasures of a learner, oldest first."""
        return self._erased.get(learner_hash, [])

    def signals(self, rows: list[int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return which of these rows are scored, and the signals of those."""
        return self.loop.signals(np.asarray(rows, np.int64))

    def rescore(self, version: str = "") -> tuple[list[RiskChange], int]:
        """Take scores that have come, ask a model for those that are due; return changes, and how many still wait."""
        self._rescoring.use(version, np.arange(len(self.register)))
        return self._rescoring.step(), self._rescoring.waiting()

    def known(self, treatment: str, now_ms: int) -> State:
        """Return what the policy of a treatment knows at an instant."""
        return self.agenda.known(treatment, int(self.register.days_at(now_ms)[""]), now_ms)

    def known_since_ms(self, treatment: str) -> int:
        """Return when what the policy of a treatment knows was put together."""
        return self.agenda.known_since_ms(treatment)

    def gathered(self, treatment: str, now_ms: int) -> State:
        """Return what these learners add to what the policy of a treatment knows."""
        return self._desk.gathered(treatment, now_ms)

    def waiting(self) -> int:
        """Return how many learners wait for a score."""
        return self._rescoring.waiting()

    # What a snapshot holds.

    def state(self) -> State:
        """Return all state as named arrays."""
        erased = np.frombuffer(json.dumps(self._erased).encode(), np.uint8)
        mine: State = {"erased": erased}
        parts = (self.imports, self.register, self.agenda, self.loop)
        return mine | {name: array for part in parts for name, array in part.state().items()}

    def restore(self, state: State) -> None:
        """Take the state back into new learners; all are due for a score."""
        self.loop.restore(state)
        self.register.restore(state)
        self.imports.restore(state)
        self.agenda.restore(state)
        erased = json.loads(state["erased"].tobytes())
        self._erased = {name: [Erasure(*each) for each in rows] for name, rows in erased.items()}
        self._rescoring.touch(np.arange(len(self.register)), 0)
