"""What every journal keeps to when several processes want one log, and when a process or a connection dies."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from actors.ports import JournalError
from actors.storage.database import Database, open_database
from tests.conftest import ROOT
from tests.databases import Postgres
from tests.journals import OPENERS, Log, entry, journals

TAKERS = """
import sys
from actors.ports import FencedError
from tests.journals import OPENERS, entry
kind, url, name, rounds, appends = sys.argv[1:]
opener = {cls.__name__: opener for cls, opener in OPENERS.items()}[kind]
for _ in range(int(rounds)):
    journal = opener(url, 1)  # a new holder: an old one never takes the log back
    newest = journal.take()
    try:
        for sequence in range(newest + 1, newest + 1 + int(appends)):
            journal.append(entry(sequence, name.encode()))
            print(sequence, flush=True)
    except FencedError:
        print("fenced", flush=True)
    journal.close()
"""
ENDLESS = 10**9
KINDS = pytest.mark.parametrize("kind", journals(), ids=lambda cls: cls.__name__)


def url_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


@contextlib.contextmanager
def taker(kind: type, url: str, name: str, rounds: int, appends: int) -> Iterator[subprocess.Popen[str]]:
    """Run a process that takes the log and appends, and prints each number that was acknowledged."""
    command = [sys.executable, "-c", TAKERS, kind.__name__, url, name, str(rounds), str(appends)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def acknowledged(process: subprocess.Popen[str], most: int = ENDLESS) -> list[int]:
    """Read what a process prints until it ends, is fenced, or has appended so many."""
    numbers: list[int] = []
    assert process.stdout is not None
    for line in process.stdout:
        if line == "fenced\n":
            break
        numbers.append(int(line))
        if len(numbers) == most:
            break
    return numbers


def written(kind: type, url: str) -> list[bytes]:
    """Read the log; return who wrote each entry, having seen that each is whole."""
    with contextlib.closing(OPENERS[kind](url, 1)) as journal:
        entries = list(journal.read(0))
    writers = [found.message.frame for found in entries]
    assert entries == [entry(number, writer) for number, writer in enumerate(writers, start=1)]
    return writers


@KINDS
def test_a_successor_fences_a_process_in_full_run_and_a_killed_one_loses_nothing(
    kind: type, database: Database
) -> None:
    url = url_of(database)
    with taker(kind, url, "first", 1, ENDLESS) as first:
        told_first = acknowledged(first, 30)
        with taker(kind, url, "second", 1, ENDLESS) as second:
            told_second = acknowledged(second, 30)
            told_first += acknowledged(first)
            assert first.wait(timeout=60) == 0, "it was fenced, and ended"
            second.send_signal(signal.SIGKILL)
            told_second += acknowledged(second)
    writers = written(kind, url)
    assert {writers[number - 1] for number in told_first} == {b"first"}
    assert {writers[number - 1] for number in told_second} == {b"second"}
    assert writers == sorted(writers), "two blocks, never mixed"
    unknown = len(writers) - len(told_first) - len(told_second)
    assert 0 <= unknown <= 1, "the entry that the kill met"


@KINDS
def test_processes_that_fight_for_a_log_never_write_over_each_other(kind: type, database: Database) -> None:
    url = url_of(database)
    with contextlib.ExitStack() as stack:
        fighters = [stack.enter_context(taker(kind, url, name, 40, 5)) for name in ("one", "two", "three")]
        outputs = [fighter.communicate(timeout=120)[0].split() for fighter in fighters]
        assert [fighter.returncode for fighter in fighters] == [0, 0, 0]
    numbers = [int(word) for words in outputs for word in words if word != "fenced"]
    writers = written(kind, url)
    assert sorted(numbers) == list(range(1, len(writers) + 1)), "each acknowledged entry stands once, and no other"


class Appender:
    """A thread that appends without end, and sends each entry again until it is acknowledged."""

    def __init__(self, journal: Log) -> None:
        self.acknowledged, self.troubles = 0, 0
        self._journal, self._ended = journal, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._journal.append(entry(self.acknowledged + 1))
            except JournalError:
                self.troubles += 1
            else:
                self.acknowledged += 1

    def go_on(self, count: int) -> None:
        """Wait until so many more entries are acknowledged."""
        goal, deadline = self.acknowledged + count, time.monotonic() + 60
        while self.acknowledged < goal:
            assert self._thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.001)

    def __enter__(self) -> Appender:
        self._journal.take()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@KINDS
def test_a_server_that_is_killed_loses_nothing_acknowledged(kind: type, postgres: Postgres) -> None:
    url = postgres.fresh()
    with contextlib.closing(OPENERS[kind](url, 1)) as journal:
        with open_database(url) as database:
            database.migrate()
        with Appender(journal) as appender:
            for _ in range(2):
                appender.go_on(50)
                postgres.kill()
                postgres.start()
            appender.go_on(50)
        assert list(journal.read(0)) == [entry(number + 1) for number in range(appender.acknowledged)]
        assert appender.troubles == 0, "the server was back within the time that is waited"
        assert journal.take() == appender.acknowledged
    postgres.drop(url)


@KINDS
def test_connections_that_break_lose_and_double_nothing(kind: type, postgres: Postgres) -> None:
    url = postgres.fresh()
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()"
    )
    with open_database(url) as database, contextlib.closing(OPENERS[kind](url, 1)) as journal:
        database.migrate()
        with Appender(journal) as appender:
            for _ in range(40):
                with database.writing() as connection:
                    connection.execute(cut)
                appender.go_on(2)
        assert list(journal.read(0)) == [entry(number + 1) for number in range(appender.acknowledged)]
        assert appender.troubles == 0
    postgres.drop(url)
