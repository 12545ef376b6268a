"""What has to hold after a run, whatever failed: the checks of Jepsen's kind, and replays without faults."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np

from actors import daily
from actors.answers import Answer, receipts_told
from actors.deciding import tables_of
from actors.erasure import without
from actors.live import LiveLearners
from actors.loop import Loop
from actors.ports import Entry, State
from actors.register import Register
from actors.spec import ActorSpec
from engine import events
from engine.arrival import LATE
from engine.notifications.catalogue import catalogue
from engine.outcomes import ACHIEVEMENT, KINDS, LEVEL, XP
from engine.policies import make
from engine.receipts import NOBODY
from engine.record import DIGEST_FIELDS, NEVER, PARTS, column
from tests.faults.faulty_disk import Luck
from tests.faults.faulty_life import Life, counts
from tests.faults.faulty_service import CAMPAIGNS, RULES, SlowScorer

_OF_EVENTS = {"events", "import"}
FOLDED = [name for name in DIGEST_FIELDS if name not in {*PARTS["messages"], *PARTS["risk"]}]


class Judge:
    """Looks at a run that has healed and settled.

    Args:
        life: the run.
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        self._told = life.disk.first_told
        self._answers = [Answer.of(entry.answer) for entry in self._told]
        self._batches = {
            place: events.from_frame(entry.message.frame)
            for place, entry in enumerate(self._told)
            if entry.message.kind in _OF_EVENTS
        }
        self._ids: list[str] = []  # of every row there ever was
        self._erased: set[int] = set()
        for entry in self._told:
            self._ids += entry.message.body.get("new", [])
            if entry.message.kind == "erase":
                self._erased.add(entry.message.body["row"])

    def check(self) -> None:
        """Assert everything."""
        self.the_journal_is_whole()
        self.each_event_counts_once()
        self.nothing_is_given_twice()
        again = self.replayed(self._told)
        for entry, answer in zip(self._told, again[1], strict=True):
            assert entry.answer == answer, f"entry {entry.sequence} is answered in another way by a replay"
        self.same_learners(again[0])
        if self._erased:
            self.nothing_is_left_of_the_erased()
            self.same_learners(self.replayed(self._life.disk.entries())[0])
        self.same_as_folded_at_once()

    def the_journal_is_whole(self) -> None:
        """No number is missing, no epoch falls, and no message was made of parts of others."""
        rows = self._life.disk.rows
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        epochs = [row["epoch"] for row in rows]
        assert epochs == sorted(epochs), epochs
        tokens = Counter(entry.message.body["token"] for entry in self._told)
        assert all(times == 1 for times in tokens.values()), f"a message stands twice: {tokens}"
        assert not self._life.disk.refused & set(tokens), "a message that was refused stands in the journal"
        sent = {tuple((row.learner, row.key, row.arrived_ms) for row in rows) for rows in self._life.messages}
        for place, batch in self._batches.items():
            columns = (batch[name].tolist() for name in ("learner", "event_id", "arrived_ms"))
            found = [(self._ids[row], key, arrived) for row, key, arrived in zip(*columns, strict=True)]
            assert tuple(found) in sent, f"entry {place + 1} is not what anybody sent"

    def each_event_counts_once(self) -> None:
        """Each acknowledged event counted once, in its life; each other at most once; receipts are the first ones."""
        counted: Counter[tuple[int, int]] = Counter()
        first: dict[tuple[int, int], Any] = {}
        for place, batch in self._batches.items():
            answer = self._answers[place]
            columns = (batch["learner"], batch["event_id"], answer.receipts["verdict"])
            told = zip(*(column.tolist() for column in columns), strict=True)
            for (row, key, verdict), receipt in zip(told, receipts_told(answer), strict=True):
                if verdict <= LATE:
                    counted[row, key] += 1
                    first.setdefault((row, key), receipt)
        twice = [each for each, times in counted.items() if times > 1]
        assert not twice, f"counted twice: (row, key) {twice}"
        lives: dict[str, list[int]] = defaultdict(list)
        for row, learner in enumerate(self._ids):
            lives[learner].append(row)
        for each in self._life.answered:
            if not counts(each):
                continue
            rows = lives[each.sent.learner][each.life :]
            found = [first[row, each.sent.key] for row in rows if (row, each.sent.key) in first]
            assert found, f"acknowledged, but not counted: {each}"
            expected = each.receipt._replace(verdict=found[0].verdict)
            assert expected in found, f"acknowledged as {each.receipt}, counted as {found}"

    def nothing_is_given_twice(self) -> None:
        """Each outcome is the next step of its counter, up or down, and nothing is sent or scored twice."""
        counters: dict[tuple[int, int, int], int] = defaultdict(int)
        for answer in self._answers:
            for row, _day, threshold, ordinal, amount, kind in answer.outcomes.tolist():
                up = kind % 2 == 0
                base = kind - kind % 2
                now = counters[row, base, 0 if base == LEVEL else threshold]
                if base == XP:
                    after = expected = now + (amount if up else -amount)
                    assert ordinal == after, f"{KINDS[kind]} of row {row}: {ordinal}, but {now} and {amount}"
                elif base == LEVEL:
                    now = now or 1
                    after, expected = (now + 1, threshold) if up else (now - 1, threshold - 1)
                elif base == ACHIEVEMENT:
                    after = expected = 1 - now
                    assert up == (now == 0), f"{KINDS[kind]} {threshold} of row {row} twice"
                else:
                    after, expected = (now + 1, ordinal) if up else (now - 1, ordinal - 1)
                assert after == expected, f"{KINDS[kind]} {threshold} of row {row}: {ordinal} after {now}"
                counters[row, base, 0 if base == LEVEL else threshold] = after
        view = self._life_records()["view"]
        for row in range(len(self._ids)):
            if row not in self._erased:
                assert counters[row, XP, 0] == view["xp"][row]
                assert (counters[row, LEVEL, 0] or 1) == view["level"][row]
        sends = Counter(send["id"] for answer in self._answers for send in answer.sends)
        assert all(times == 1 for times in sends.values()), sends
        by_day = Counter((send["learner"], send["day"]) for answer in self._answers for send in answer.sends)
        assert all(times == 1 for times in by_day.values()), "more than one a day, over all campaigns"
        erased = {self._ids[row] for row in self._erased}  # who comes back is somebody new
        for learner, day in by_day:
            week = sum(by_day[learner, day - ago] for ago in range(7))
            assert week <= catalogue().limits.per_week or learner in erased, "more than three a week"
        scored: Counter[tuple[int, int]] = Counter()
        decided: Counter[tuple[int, int]] = Counter()
        for entry in self._told:
            if entry.message.kind == "daily":
                table = daily.table_of(entry.message)
                scored.update(zip(table["learner"].tolist(), table["day"].tolist(), strict=True))
            if entry.message.kind == "decide":
                decided.update(map(tuple, tables_of(entry.message).done.tolist()))
        assert all(times == 1 for times in scored.values()), scored
        assert all(times == 1 for times in decided.values()), decided

    def replayed(self, entries: list[Entry]) -> tuple[LiveLearners, list[Any]]:
        """Return learners to whom just these entries happened, and what was answered."""
        luck = Luck(0)
        luck.armed = False
        learners = LiveLearners(ActorSpec(0, 0, 0, RULES, campaigns=CAMPAIGNS), SlowScorer(luck))
        answers = [learners.fold(entry.sequence, entry.message) for entry in entries]
        while learners.rescore()[1]:
            pass
        return learners, answers

    def same_learners(self, expected: LiveLearners) -> None:
        """The actor ends as one to whom nothing ever happened but what is journalled."""
        actor = self._life.service.runtime.actor.tenant
        assert actor.register.ids == expected.register.ids
        assert actor.register.profiles == expected.register.profiles
        rows = np.arange(len(expected.register))
        if actor.canonical(0, rows) != expected.canonical(0, rows):
            self._differ(actor.loop.records, expected.loop.records, list(DIGEST_FIELDS))
        states = actor.state(), expected.state()
        for name in states[0].keys() - actor.loop.state().keys() - actor.register.state().keys():  # see above for those
            assert self._told_of(name, states[0]) == self._told_of(name, states[1]), name
        assert np.array_equal(actor.loop._triggers, expected.loop._triggers)

    def _told_of(self, name: str, state: State) -> Any:
        """Return what is compared: a replay learns nothing from those whom an erasure took out of the journal."""
        if name != "agenda":
            return state[name].tobytes()
        told = json.loads(state[name].tobytes())
        return {part: value for part, value in told.items() if part != "learned" or not self._erased}

    def same_as_folded_at_once(self) -> None:
        """The records are those of all acknowledged events at once, learner by learner."""
        loop = Loop(RULES, make("none", {}), len(self._ids))
        counted = [
            batch[(answer.receipts["verdict"] <= LATE) & ~np.isin(batch["learner"], list(self._erased))]
            for batch, answer in ((batch, self._answers[place]) for place, batch in self._batches.items())
        ]
        if counted:
            loop.ingest(events.sort_for_fold(np.concatenate(counted)))
        records = self._life_records()
        loop.close(records["as_of"])
        self._differ(records, loop.records, FOLDED)

    def nothing_is_left_of_the_erased(self) -> None:
        """Neither the journal nor a snapshot holds anything of a learner who was erased."""
        disk = self._life.disk
        named = [name for entry in disk.entries() for name in entry.message.body.get("new", [])]
        for row in self._erased:
            assert not named[row], "the journal names an erased learner"
            trace = without(row, "")
            for entry in disk.entries():
                assert trace(entry) is None, f"entry {entry.sequence} tells of an erased learner"
        for entry in disk.entries():
            if "details" in entry.message.body:
                owners = events.from_frame(entry.message.frame)["learner"].tolist()
                for row, detail in zip(owners, entry.message.body["details"], strict=True):
                    assert (row == NOBODY) == (detail is None), f"entry {entry.sequence} keeps what an erased one said"
        for number, state in disk.snapshots.items():
            kept = Register("UTC")
            if state is not None:
                kept.restore(state)
            for row in self._erased & set(range(len(kept))):
                left = kept.ids[row], kept.profiles.get(row), state["records"]["as_of"][row]
                assert left == (None, None, NEVER), f"snapshot {number} holds an erased learner: {left}"

    def _life_records(self) -> Any:
        return self._life.service.runtime.actor.tenant.loop.records

    @staticmethod
    def _differ(found: Any, expected: Any, names: list[str]) -> None:
        for name in names:
            one, other = column(found, name), column(expected, name)
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), f"{name}: {one} is not {other}"
