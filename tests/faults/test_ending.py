"""The service ends in order, and goes on through a disk that was full: nothing acknowledged is lost by either."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from tests.disks import small_disk
from tests.faults.clients import judge, load, wait_until
from tests.faults.managed import ManagedService

CLIENTS, ACTORS = 8, 1
FULL = "no room left on its disk"


def test_what_was_taken_is_finished_when_the_service_is_told_to_end(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/engage.db"
    service = ManagedService(tmp_path, url, ACTORS)
    with load(service, CLIENTS) as clients:
        time.sleep(1)
        code = service.end()  # in mid-load
    assert code == 0, service.told()[-4000:]
    assert "Traceback" not in service.told()
    assert service.starts == 1
    assert [client.wrong for client in clients] == [[]] * CLIENTS
    judge(url, ACTORS, clients, tmp_path / "judge")


def test_a_full_disk_is_said_and_gone_through(tmp_path: Path) -> None:
    with small_disk(8) as disk:
        (tmp_path / "data").symlink_to(disk)  # snapshots lie there, too
        url = f"sqlite:///{disk}/engage.db"
        service = ManagedService(tmp_path, url, ACTORS)
        try:
            with load(service, CLIENTS) as clients:
                for size in (1_000_000, 100_000, 10_000, 4_096):  # big first: until nothing goes in
                    fill(disk / f"ballast{size}", size)
                wait_until(lambda: FULL in service.told(), service, "a full disk, and nobody says so")
                wait_until(lambda: all(client.troubles for client in clients), service, "nobody was refused")
                full_s = time.monotonic()
                for ballast in disk.glob("ballast*"):
                    ballast.unlink()
                wait_until(lambda: all(client.newest_s > full_s for client in clients), service, "no answer since")
        finally:
            code = service.end()
        assert code == 0, service.told()[-4000:]
        assert service.starts == 1
        assert [client.wrong for client in clients] == [[]] * CLIENTS
        assert {(code, bool(after)) for client in clients for code, after in client.troubles} == {(503, True)}
        judge(url, ACTORS, clients, tmp_path / "judge")


def fill(file: Path, block: int) -> None:
    """Write until there is no room for a block more."""
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(bytes(block))
