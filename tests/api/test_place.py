"""Where a service keeps its things: laid out once, found again, and never by mistake somewhere else."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from actors.directory import MOST_ACTORS
from actors.ports import JournalError
from api.place import find_place, note_zone, open_place, zone_of
from engine.errors import InputError
from tests.databases import sqlite_url


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_place_is_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    with open_place(data, None, None).database:
        assert mode(data) == 0o700
        assert mode(data / "engage.db") == 0o600


@pytest.mark.parametrize("name", ["data", "with a space", "a?b=c", "50%41#x", "daß"])
def test_a_place_is_found_again(tmp_path: Path, name: str) -> None:
    data = tmp_path / name
    with open_place(data, None, 3).database as _:
        pass
    first, again, found = open_place(data, None, None), open_place(data, None, 3), find_place(data, None)
    for place in (first, again, found):
        with place.database:
            assert (place.actors, place.identity) == (3, first.identity)
            assert place.snapshots == data / "snapshots" / first.identity
    assert {file.name for file in data.iterdir()} <= {"engage.db", "engage.db-wal", "engage.db-shm"}


def test_one_actor_unless_more_are_asked_for(tmp_path: Path) -> None:
    with open_place(tmp_path, None, None).database:
        assert find_place(tmp_path, None).actors == 1


def test_a_database_is_the_same_from_any_directory(database_url: str, tmp_path: Path) -> None:
    one, other = open_place(tmp_path / "a", database_url, 2), open_place(tmp_path / "b", database_url, None)
    with one.database, other.database:
        assert (one.identity, one.actors) == (other.identity, other.actors)
        assert one.snapshots != other.snapshots
        assert not (tmp_path / "a" / "engage.db").exists()


def test_databases_have_snapshots_of_their_own(tmp_path: Path) -> None:
    places = [open_place(tmp_path, sqlite_url(tmp_path / f"{name}.db"), None) for name in "ab"]
    assert places[0].snapshots != places[1].snapshots
    for place in places:
        place.database.dispose()


def test_another_number_of_actors_is_refused(tmp_path: Path) -> None:
    open_place(tmp_path, None, 2).database.dispose()
    with pytest.raises(InputError, match="--actors; got 3; expected 2, which its journals are laid out for"):
        open_place(tmp_path, None, 3)


@pytest.mark.parametrize("actors", [0, -1, MOST_ACTORS + 1])
def test_a_number_of_actors_that_cannot_be_is_refused(tmp_path: Path, actors: int) -> None:
    with pytest.raises(InputError, match=f"--actors; got {actors}; expected 1-{MOST_ACTORS}"):
        open_place(tmp_path / "data", None, actors)
    assert not (tmp_path / "data").exists()


def test_of_two_at_once_both_lay_out_the_same(database_url: str, tmp_path: Path) -> None:
    found = set()

    def work() -> None:
        place = open_place(tmp_path, database_url, 2)
        found.add((place.identity, place.actors))
        place.database.dispose()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_a_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for data in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(InputError, match=r"--data .*a directory that can be made"):
            open_place(data, None, None)


def test_who_looks_for_a_place_makes_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no engage.db in it; expected the directory of a service"):
        find_place(tmp_path / "data", None)
    with pytest.raises(JournalError, match="no file that can be opened"):
        find_place(tmp_path, sqlite_url(tmp_path / "other.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_no_service_has_used_is_no_place(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    file.touch()
    with pytest.raises(JournalError, match="no tables"):
        find_place(tmp_path, sqlite_url(file))


def test_tables_alone_are_no_place(tmp_path: Path) -> None:
    place = open_place(tmp_path, None, None)
    with place.database, place.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM settings")
    with pytest.raises(InputError, match="a database that no service has used"):
        find_place(tmp_path, None)


def test_the_zone_that_holds_is_noted(tmp_path: Path) -> None:
    place = open_place(tmp_path, None, None)
    with place.database:
        assert zone_of(place) == "UTC"
        note_zone(place, "Europe/Berlin")
        note_zone(place, "Asia/Kolkata")
    with find_place(tmp_path, None).database:
        assert zone_of(find_place(tmp_path, None)) == "Asia/Kolkata"
