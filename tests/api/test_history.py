"""History: brought in once, whatever happens meanwhile, it leaves learners as a replay does."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from actors.intake import MOST_EVENTS
from actors.ports import FencedError
from actors.storage.journal import SqlJournal
from actors.storage.services import Services
from api import history
from api.cli import history as command
from api.clock import wall_clock
from api.place import open_place
from engine.calendar import MS_PER_MINUTE
from engine.errors import InputError
from simulation import adapters
from simulation.adapters import event_log
from tests.api.engage import engage_here, python
from tests.api.live import RULES, Live, living, replayed_digest

EVENTS = 2 * MOST_EVENTS + 1_000
FIRST = datetime(2026, 3, 2, 8, tzinfo=UTC)
LAST_NOON = "2026-03-29T12:00"
ACTIONS = ("lesson_complete", "video_watch", "daily_login", "quiz_complete")
DIES = """
import os, signal, sys
from actors.storage.journal import SqlJournal
from api.cli.main import main
moment, *arguments = sys.argv[1:]
append = SqlJournal.append
def dies(self, entry):
    last = entry.message.body["part"] == 1
    if last and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    append(self, entry)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)
SqlJournal.append = dies
sys.argv = ["engage", *arguments]
main()
"""


def synthetic(events: int = EVENTS, learners: int = 150) -> pl.DataFrame:
    """Return a log of four weeks that ends on 29 March, some of it without ids, zones and values."""
    chance = np.random.default_rng(7)
    minutes = np.sort(chance.integers(0, 27 * 24 * 60, events))
    minutes[-1] = 27 * 24 * 60
    scores = chance.random(events).round(2)
    actions = [ACTIONS[code] for code in chance.integers(0, len(ACTIONS), events)]
    some = chance.random(events) < 0.5
    rows = {
        "learner_id": [f"u-{number}" for number in chance.integers(0, learners, events)],
        "occurred_at": [FIRST + timedelta(minutes=int(minute)) for minute in minutes],
        "action": actions,
        "event_id": [f"e-{number}" if named else None for number, named in enumerate(some)],
        "value": [score if action == "quiz_complete" else None for score, action in zip(scores, actions, strict=True)],
        "timezone": ["Europe/Berlin" if named else None for named in some],
        "course_id": [f"c-{number % 3}" for number in range(events)],
    }
    return event_log.canonical(pl.DataFrame(rows))


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "log.parquet"
    event_log.write(synthetic(), file)
    return file


def bring_in(live: Live, frame: pl.DataFrame) -> int:
    return history.bring_in(frame, RULES, live.service, lambda _done, _all: None, wall_clock())


def counted(out: str) -> tuple[int, int]:
    found = re.search(r"([\d,]+) of ([\d,]+) events counted", out)
    assert found is not None
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


@pytest.mark.parametrize("actors", [1, 3])
def test_learners_of_a_real_log_end_as_in_its_replay(data_dir: Path, tmp_path: Path, actors: int) -> None:
    frame = adapters.adapter("platform365").convert(data_dir / "platform365")
    file = tmp_path / "log.parquet"
    event_log.write(frame, file)
    command.import_(file, tmp_path / "data", None, actors)
    last = frame["occurred_at"].max()
    assert isinstance(last, datetime)
    with living(tmp_path / "data", f"{last:%Y-%m-%d}T12:00") as live:
        live.service.settle()
        assert live.digest() == replayed_digest(event_log.resolve(frame, RULES))
        assert sum(int(lane.ask("columns", ["totals"], 0)["totals"].sum()) for lane in live.service.lanes) == len(frame)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_and_run_again_each_event_counts_once(
    database_url: str, tmp_path: Path, log_file: Path, moment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    importing = ("import", str(log_file), "--data", str(tmp_path / "data"), "--database-url", database_url)
    assert python(DIES, moment, *importing).returncode == -signal.SIGKILL
    with living(tmp_path / "data", "1970-01-01T00:00", url=database_url) as live:  # before any day ends
        kept = [entry.message.body["part"] for entry in live.entries() if entry.message.kind == "import"]
    assert kept == ([0] if moment == "before" else [0, 1])
    command.import_(log_file, tmp_path / "data", database_url)
    assert counted(capsys.readouterr().out) == (EVENTS - len(kept) * MOST_EVENTS, EVENTS)
    with living(tmp_path / "data", LAST_NOON, url=database_url) as live:
        live.service.settle()
        assert live.digest() == replayed_digest(event_log.resolve(synthetic(), RULES))


def test_the_same_history_again_counts_nothing(tmp_path: Path, log_file: Path) -> None:
    first, again = (engage_here("import", log_file, "--data", tmp_path) for _ in range(2))
    assert counted(first.out) == (EVENTS, EVENTS)
    assert counted(again.out) == (0, EVENTS)
    assert (first.code, again.code) == (0, 0)


def test_another_history_of_the_same_learners_is_refused(tmp_path: Path) -> None:
    frame = synthetic(100)
    with living(tmp_path, "1970-01-01T00:00") as live:
        assert bring_in(live, frame) == 100
        with pytest.raises(InputError, match="events already"):
            bring_in(live, frame[:99])
        stranger = frame[:50].with_columns(learner_id=pl.lit("new-") + pl.col("learner_id"))
        assert bring_in(live, stranger) == 50


def test_no_day_is_closed_while_history_comes_in(
    tmp_path: Path, log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def slow(_what: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda _done, _all: time.sleep(0.1)  # an idle lane looks at the clock meanwhile

    rushing = iter(range(wall_clock(), 1 << 62, MS_PER_MINUTE))
    monkeypatch.setattr(command, "wall_clock", lambda: next(rushing))
    monkeypatch.setattr(command, "progress", slow)
    command.import_(log_file, tmp_path)
    with living(tmp_path, "1970-01-01T00:00") as live:
        assert Counter(entry.message.kind for entry in live.entries()) == {"import": -(-EVENTS // MOST_EVENTS)}


@pytest.mark.parametrize("actors", [1, 3])
def test_one_learner_with_live_events_and_nothing_is_taken_in(tmp_path: Path, actors: int) -> None:
    frame = synthetic(500)
    with living(tmp_path, LAST_NOON, actors=actors) as live:
        live.track("u-3")
        live.profile("u-4", displayName="Di")  # has no event, and may have a history
        live.service.settle()
        before = live.entries()
        with pytest.raises(InputError, match="learner 'u-3'; got events already"):
            bring_in(live, frame)
        assert live.entries() == before
        assert bring_in(live, frame.filter(pl.col("learner_id") != "u-3")) > 0


def test_one_wrong_row_and_nothing_is_taken_in(tmp_path: Path) -> None:
    frame = synthetic(500)
    wrong = frame.with_columns(action=pl.when(pl.int_range(pl.len()) == 499).then(pl.lit("leson")).otherwise("action"))
    with living(tmp_path, LAST_NOON) as live:
        with pytest.raises(InputError, match=r"row 500: action; got 'leson'"):
            bring_in(live, wrong)
        assert live.entries() == []


def test_a_running_service_is_not_disturbed(tmp_path: Path, log_file: Path) -> None:
    place = open_place(tmp_path, None, None)
    with place.database:
        services = Services(place.database)
        services.beat("db-7, process 11", wall_clock())
        with pytest.raises(InputError, match="the service db-7, process 11 running on it") as refused:
            command.import_(log_file, tmp_path)
        assert "Stop it first" in refused.value.remedy
        assert list(SqlJournal(place.url, 0).read(0)) == []
        services.beat("db-7, process 11", wall_clock() - command.ALIVE_MS - 1_000)
        command.import_(log_file, tmp_path)
        assert list(SqlJournal(place.url, 0).read(0)) != []


def test_live_events_go_on_from_history(tmp_path: Path) -> None:
    days = [f"2026-03-{day:02}T09:00:00Z" for day in range(2, 9)]
    history_rows = {"learner_id": "ana", "action": "lesson_complete", "occurred_at": days}
    frame = event_log.canonical(
        pl.DataFrame({**history_rows, "event_id": [f"e-{day}" for day in range(7)]}).with_columns(
            pl.col("occurred_at").str.to_datetime(time_zone="UTC")
        )
    )
    with living(tmp_path, "1970-01-01T00:00") as live:
        assert bring_in(live, frame) == 7
    with living(tmp_path, "2026-03-09T08:00") as live:
        live.service.settle()
        before = live.service.learner("ana").record["view"][0]
        again = live.track("ana", at="2026-03-08T09:00:00", eventId="e-6")
        assert (again.verdict, again.xp) == ("duplicate", before["xp"])
        receipt = live.track("ana", eventId="e-7")
        assert (receipt.verdict, receipt.streak, receipt.xp) == ("full", 8, before["xp"] + 50)
        assert receipt.freezes == before["freezes"] == 1  # of the milestone on the seventh day
        with pytest.raises(InputError, match="events already"):
            bring_in(live, frame[:3])


def test_an_event_without_an_id_is_the_same_live(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("learner_id,occurred_at,action,value,course_id\nana,2026-03-02T09:00:00Z,quiz_complete,0.9,maths\n")
    with living(tmp_path, "1970-01-01T00:00") as live:
        bring_in(live, event_log.read(file))
        live.clock.set(live.clock() + 1_772_500_000_000)
        quiz = {"at": "2026-03-02T09:00:00", "value": 0.9}
        assert live.track("ana", "quiz_complete", **quiz, courseId="maths").verdict == "duplicate"
        assert live.track("ana", "quiz_complete", **quiz, courseId="physics").verdict == "full"


def test_an_import_that_is_overtaken_ends(tmp_path: Path) -> None:
    with living(tmp_path, "1970-01-01T00:00") as live, pytest.raises(FencedError):
        history.bring_in(synthetic(), RULES, live.service, lambda _done, _all: live.journal().take(), wall_clock())


def test_history_lies_in_the_past(tmp_path: Path) -> None:
    ahead = synthetic(9).with_columns(learner_id=pl.lit("zed"))
    with living(tmp_path, "2026-03-20T12:00") as live:
        with pytest.raises(InputError, match=r"learner 'zed'.*2026-03-2.*in the past"):
            history.bring_in(ahead, RULES, live.service, lambda _done, _all: None, live.clock())
        assert live.entries() == []
