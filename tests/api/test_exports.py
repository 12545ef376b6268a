"""Exports: what analysts read is what the journals hold, and a replay of it comes to the same learners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from actors import daily
from actors.answers import Answer
from actors.ports import Entry, Message
from actors.storage.schema import LOGS
from api import exports, history
from api.clock import wall_clock
from api.export_tables import TableName
from engine import calendar, signals
from engine.arrival import VERDICTS
from engine.errors import InputError
from engine.risk.dropoff import standing_names
from simulation.adapters import event_log
from tests.api.engage import engage_here
from tests.api.live import RULES, Live, living, replayed_digest
from tests.api.test_history import synthetic

ZONE = "Europe/Berlin"
NOONS = [f"2026-03-{day:02}T12:00" for day in range(2, 13)]


class Told:
    """A journal to read that says what a test lets it say."""

    def __init__(self, entries: list[Entry], fails_at: int = -1) -> None:
        self.entries, self.fails_at = entries, fails_at

    def read(self, after: int) -> Iterator[Entry]:
        for entry in self.entries[after:]:
            if entry.sequence == self.fails_at:
                raise OSError("the disk is gone")
            yield entry


def export(live: Live, table: TableName, out: Path) -> pl.DataFrame:
    journals = [live.journal(log) for log in range(live.place.actors)]
    rows = exports.export(table, journals, ZONE, RULES, out, lambda _done, _all: None)
    frame = pl.read_parquet(out)
    assert len(frame) == rows
    return frame


def told(entries: list[Entry], table: TableName, out: Path) -> pl.DataFrame:
    exports.export(table, [Told(entries)], ZONE, RULES, out, lambda _done, _all: None)  # type: ignore[list-item]  # it is only read
    return pl.read_parquet(out)


def spend_days(live: Live) -> None:
    """Let learners of several zones spend eleven days; at noon UTC it is the same date for all of them."""
    live.profile("kim", timezone="Asia/Kolkata")
    for day, noon in enumerate(NOONS):
        live.until(noon)
        today = noon[:10]
        live.track("ana", at=f"{today}T10:00:00", eventId=f"a-{day}", courseId="maths", timezone="America/New_York")
        live.track("ben", "quiz_complete", at=f"{today}T11:30:00", value=0.1 * (day % 10))
        if day != 4:
            live.track("kim", "video_watch", at=f"{today}T11:00:00", value=12.5)
        if day == 5:
            live.profile("kim", timezone="Europe/Lisbon")
        if day > 6:
            night = f"{NOONS[day - 1][:10]}T23:30:00"  # yesterday in Lisbon and today in Berlin
            live.track("kim", at=night, eventId=f"k-{day}")
            live.track("ben", at=night, eventId=f"b-{day}")
    live.service.settle()


@pytest.mark.parametrize("actors", [1, 3])
def test_exported_events_replay_to_the_same_learners(tmp_path: Path, actors: int) -> None:
    with living(tmp_path / "data", NOONS[0], actors=actors, zone=ZONE) as live:
        spend_days(live)
        frame = export(live, "events", tmp_path / "events.parquet")
        assert set(frame["verdict"]) == {"full"}
        assert set(frame["timezone"]) == {"America/New_York", "Asia/Kolkata", "Europe/Lisbon", ZONE}
        log = event_log.resolve(event_log.read(tmp_path / "events.parquet"), RULES)
        assert calendar.date_of(int(log.events["day"].max())) == date(2026, 3, 12)
        assert [calendar.date_of(day) for day in log.events["day"].tolist()] == frame["local_day"].to_list()
        assert live.digest() == replayed_digest(log)
        for lane in live.service.lanes:
            columns = lane.ask("columns", ["view.xp"], live.clock())
            for learner, xp in zip(lane.ids(len(columns["view.xp"])), columns["view.xp"].tolist(), strict=True):
                assert frame.filter(learner_id=learner)["xp_awarded"].sum() == xp


def test_events_are_told_as_they_were_sent(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0]) as live:
        quiz = {"at": "2026-03-02T09:00:00", "eventId": "q", "value": 0.5, "courseId": "c", "timezone": ZONE}
        awarded = live.track("ana", "quiz_complete", **quiz).xp_awarded
        live.track("ana", "quiz_complete", **quiz)
        live.track("ben", at="2026-02-10T09:00:00")
        frame = export(live, "events", tmp_path / "events.parquet")
    assert frame.columns == [*event_log.SCHEMA, "local_day", "verdict", "xp_awarded"]
    first, again, late = frame.rows(named=True)
    noon, nine = datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert first == {
        "learner_id": "ana", "occurred_at": nine, "action": "quiz_complete", "event_id": "q", "value": 0.5,
        "timezone": ZONE, "course_id": "c", "arrived_at": noon, "local_day": nine.date(), "verdict": "full",
        "xp_awarded": awarded,
    }  # fmt: skip
    assert (again["verdict"], again["xp_awarded"], again["timezone"]) == ("duplicate", 0, ZONE)
    assert (late["verdict"], late["xp_awarded"], late["value"]) == ("late", 0, None)
    assert late["event_id"].startswith("engage-")
    assert set(frame["verdict"]) <= set(VERDICTS)


def test_imported_events_are_exported_as_they_were(tmp_path: Path) -> None:
    """History without a zone is of UTC, whatever the service's own is."""
    frame = synthetic(1_000)
    with living(tmp_path / "data", "1970-01-01T00:00", zone="UTC") as live:
        history.bring_in(frame, RULES, live.service, lambda _done, _all: None, wall_clock())
    with living(tmp_path / "data", "2026-03-29T12:00", zone=ZONE) as live:
        exported = export(live, "events", tmp_path / "events.parquet")
    assert exported.select("learner_id", "occurred_at", "action", "course_id").equals(
        frame.select("learner_id", "occurred_at", "action", "course_id")
    )
    assert exported["timezone"].equals(frame["timezone"].fill_null("UTC"))
    assert exported["value"].equals(frame["value"].cast(pl.Float32))
    log = event_log.resolve(event_log.read(tmp_path / "events.parquet"), RULES)
    assert replayed_digest(log) == replayed_digest(event_log.resolve(frame, RULES))


def test_signals_are_those_of_each_daily_scoring(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0], zone=ZONE) as live:
        spend_days(live)
        frame = export(live, "signals", tmp_path / "signals.parquet")
        entries = [entry for entry in live.entries() if entry.message.kind == "daily"]
        ids = live.service.lanes[0].ids(3)
    assert frame.columns == ["learner_id", "day", "signals_day", "risk", "confidence", "standing", *signals.names()]
    assert frame.n_unique(["learner_id", "day"]) == len(frame) > 20
    assert frame.null_count().sum_horizontal().item() == 0
    rows = np.concatenate([daily.table_of(entry.message) for entry in entries])
    assert frame["learner_id"].to_list() == [ids[row] for row in rows["learner"]]
    assert frame["day"].to_list() == [calendar.date_of(day) for day in rows["day"]]
    assert frame["standing"].to_list() == [standing_names(RULES)[code] for code in rows["standing"]]
    for name in ("risk", "confidence", *signals.names()):
        np.testing.assert_array_equal(frame[name].to_numpy(), rows[name])


def test_signals_that_came_and_went_are_null_where_there_were_none(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0]) as live:
        live.track("ana")
        live.until(*NOONS[1:3])
        entries = live.entries()
    names = list(signals.names())
    older = next(place for place, entry in enumerate(entries) if entry.message.kind == "daily")
    known = ["forgotten", *names[2:]]
    table = np.zeros(1, daily.dtype(known))
    table["forgotten"] = 7.0
    message = Message("daily", {**entries[older].message.body, "signals": known}, table.tobytes())
    entries[older] = replace(entries[older], message=message)
    frame = told(entries, "signals", tmp_path / "signals.parquet")
    assert set(frame.columns[6:]) == {"forgotten", *names}
    assert frame["forgotten"].to_list() == [7.0, *[None] * (len(frame) - 1)]
    for name in names[:2]:
        assert frame[name].is_null().to_list() == [True, *[False] * (len(frame) - 1)]


def test_outcomes_are_those_of_the_live_stream(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0], zone=ZONE) as live:
        spend_days(live)
        frame = export(live, "outcomes", tmp_path / "outcomes.parquet")
        happened = [each for each in live.service.history(0, 0, 0) if each.kind != "send"]
        arrivals = {entry.sequence: entry.message for entry in live.entries()}
    assert len(frame) == len(happened) > 40
    assert {"xp", "level_up", "milestone_reached", "freeze_awarded", "streak_ended"} <= set(frame["kind"])
    for row, each in zip(frame.rows(named=True), happened, strict=True):
        assert (row["learner_id"], row["kind"], calendar.day_number(row["day"])) == (
            each.learner, each.kind, each.facts["day"],
        )  # fmt: skip
        assert {name: row[name] for name in ("threshold", "ordinal", "amount")}.items() <= each.facts.items()
        if arrivals[each.sequence].kind == "close":
            assert row["at"].timestamp() * 1000 == arrivals[each.sequence].body["now_ms"]
        else:
            assert row["at"].strftime("%H:%M") == "12:00"  # all arrive at noon


@pytest.mark.parametrize("carried_out", [True, False])
def test_an_erased_learner_is_in_no_export(tmp_path: Path, carried_out: bool) -> None:
    with living(tmp_path / "data", NOONS[0]) as live:
        spend_days(live)
        if carried_out:
            live.service.erase("kim", "hash")
            entries = live.entries()
        else:  # ordered, but the actor died before it had rewritten its journal
            body = {"row": live.service.lanes[0].ask("learner", "kim", 0).record["learner"].item(), "learner": "kim"}
            entries = live.entries()
            entries.append(Entry(len(entries) + 1, Message("erase", {**body, "now_ms": 0}), Answer().to_message()))
    for table in ("events", "signals", "outcomes"):
        frame = told(entries, table, tmp_path / f"{table}.parquet")
        assert set(frame["learner_id"]) == {"ana", "ben"}
        assert b"kim" not in (tmp_path / f"{table}.parquet").read_bytes()


def test_a_running_service_goes_on(database_url: str, tmp_path: Path) -> None:
    def epochs(live: Live) -> list[tuple[int, int]]:
        with live.place.database.reading() as connection:
            return [tuple(row) for row in connection.execute(select(LOGS.c.log, LOGS.c.epoch))]

    with living(tmp_path / "data", NOONS[0], url=database_url, actors=2) as live:
        live.track("ana")
        before = epochs(live)
        out = tmp_path / "events.parquet"
        ended = engage_here("export", "events", "--data", tmp_path, "--database-url", database_url, "--out", out)
        assert ended.code == 0, ended.err
        assert "events.parquet: 1 rows" in ended.out
        assert live.track("ben").verdict == "full"
        assert epochs(live) == before
    assert pl.read_parquet(out)["learner_id"].to_list() == ["ana"]


def test_an_export_is_as_of_its_beginning(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0]) as live:
        live.track("ana")
        live.track("ben")

        def meanwhile(_done: int, _all: int) -> None:
            live.track("carl")

        exports.export("events", [live.journal()], ZONE, RULES, tmp_path / "events.parquet", meanwhile)
    assert pl.read_parquet(tmp_path / "events.parquet")["learner_id"].to_list() == ["ana", "ben"]


def test_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "GROUP_ROWS", 10)
    with living(tmp_path / "data", NOONS[0]) as live:
        for _ in range(35):
            live.track("ana")
        frame = export(live, "events", tmp_path / "events.parquet")
    assert len(frame) == 35
    with pq.ParquetFile(tmp_path / "events.parquet") as file:
        assert [file.metadata.row_group(place).num_rows for place in range(file.num_row_groups)] == [10, 10, 10, 5]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0]) as live:
        for _ in range(5):
            live.track("ana")
        entries = live.entries()
    out = tmp_path / "events.parquet"
    out.write_text("the one of yesterday")
    failing = Told(entries)

    def then_fail(_done: int, _all: int) -> None:
        failing.fails_at = 4

    with pytest.raises(OSError, match="the disk is gone"):
        exports.export("events", [failing], ZONE, RULES, out, then_fail)  # type: ignore[list-item]  # it is only read
    assert out.read_text() == "the one of yesterday"
    assert {file.name for file in tmp_path.iterdir()} == {"data", out.name}


def test_an_empty_service_has_empty_tables(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0]) as live:
        for table in ("events", "signals", "outcomes"):
            frame = export(live, table, tmp_path / f"{table}.parquet")
            assert len(frame) == 0
            assert frame.columns[0] == "learner_id"


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with living(tmp_path / "data", NOONS[0]) as live:
        live.track("ana", "goal_reached")
        few = RULES.model_copy(update={"actions": dict(list(RULES.actions.items())[:1])})
        with pytest.raises(InputError, match="rules; got 1 actions") as refused:
            exports.export("events", [live.journal()], ZONE, few, tmp_path / "x.parquet", lambda _done, _all: None)
        assert "--rules" in refused.value.remedy
    cases = {
        ("events", "--data", tmp_path / "data", "--out", tmp_path / "x.csv"): ["--out", ".csv", ".parquet"],
        ("events", "--data", tmp_path / "nowhere", "--out", tmp_path / "x.parquet"): ["nowhere", "engage serve"],
        ("sends", "--data", tmp_path / "data", "--out", tmp_path / "x.parquet"): ["sends", "outcomes"],
    }
    for command, words in cases.items():
        ended = engage_here("export", *command)
        assert ended.code == 2
        assert [word for word in words if word not in ended.err] == []
    assert {file.name for file in tmp_path.iterdir()} == {"data"}
