"""The journal in SQL: one row an entry, appended on the condition that nobody has taken the log since."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from actors.ports import Entry, FencedError, JournalError
from actors.storage.database import open_database
from actors.storage.entries import damaged, decoded, encoded
from actors.storage.kept import KeptConnection
from actors.storage.rows import Row
from actors.storage.schema import JOURNAL, LOGS
from actors.storage.trouble import persist

_PAGE_BYTES = 8 << 20  # of memory for a page of entries, roughly
_MOST_ROWS = 64

_log, _sequence = bindparam("of_log", type_=BigInteger), bindparam("at", type_=BigInteger)
_new = {column.name: bindparam(column.name, type_=column.type) for column in JOURNAL.c}
_before = JOURNAL.alias("before")
_APPEND = (
    insert(JOURNAL)
    .from_select(
        list(_new),
        select(*_new.values())
        .where(
            LOGS.c.log == _new["log"],
            LOGS.c.epoch == _new["epoch"],
            or_(
                _new["sequence"] == 1,
                exists().where(_before.c.log == _new["log"], _before.c.sequence == _new["sequence"] - 1),
            ),
        )
        .with_for_update(of=LOGS),
    )
    .execution_options(preserve_rowcount=True)
)
"""Append if the log is still ours and the entry before is there: one statement is one transaction, one way and back.

Whoever takes the log writes its row, so the two wait for each other: SQLite by its one lock, PostgreSQL by the row's.
"""
_STANDING = select(JOURNAL.c.epoch, JOURNAL.c.checksum).where(JOURNAL.c.log == _log, JOURNAL.c.sequence == _sequence)
_EPOCH = select(LOGS.c.epoch).where(LOGS.c.log == _log)
_NEWEST = select(func.coalesce(func.max(JOURNAL.c.sequence), 0)).where(JOURNAL.c.log == _log)
_CLAIM = update(LOGS).where(LOGS.c.log == _log).values(epoch=LOGS.c.epoch + 1, holder=bindparam("me"))
_RETAKE = _CLAIM.where(LOGS.c.holder == bindparam("me"))
_PAGE = (
    select(JOURNAL)
    .where(JOURNAL.c.log == _log, JOURNAL.c.sequence > bindparam("after", type_=BigInteger))
    .order_by(JOURNAL.c.sequence)
    .limit(bindparam("rows"))
)
_PAGE_OF_KIND = _PAGE.where(JOURNAL.c.kind == bindparam("kind"))
_ENTRY = select(JOURNAL).where(JOURNAL.c.log == _log, JOURNAL.c.sequence == _sequence)
_REPLACE = update(JOURNAL).where(JOURNAL.c.log == _log, JOURNAL.c.sequence == _sequence).values(_new)


class SqlJournal:
    """The log of one actor in a database: `actors.ports.Journal`.

    It opens connections of its own at first use, serves one thread at a time, and closes itself when nobody holds it
    any more. It pickles as its URL, log and holder; what arrives has not taken the log.

    Args:
        database_url: as `actors.storage.database.open_database` takes it; the database has been migrated.
        log: number of the log.
        holder: in whose name it takes the log; "" = a new one's, with the first taking.
    """

    def __init__(self, database_url: str, log: int, holder: str = "") -> None:
        self._url, self._number, self._holder = database_url, log, holder
        self._database = open_database(database_url)
        self._kept = KeptConnection(self._database)
        self._epoch = 0  # no log has it
        weakref.finalize(self, self._kept.close)

    def __repr__(self) -> str:
        return f"SqlJournal({self._database.name}, {self._number})"

    def __reduce__(self) -> tuple[type[SqlJournal], tuple[str, int, str]]:
        return SqlJournal, (self._url, self._number, self._holder)

    def close(self) -> None:
        """Close its connections now; a later use opens new ones."""
        self._kept.close()

    def take(self) -> int:
        """Take the log over, fencing every older holder; return the number of the newest entry, 0 = none."""
        me = self._holder or uuid.uuid4().hex

        def work() -> tuple[int, int]:
            with self._database.engine.begin() as connection:
                if not connection.execute(_RETAKE if self._holder else _CLAIM, {**self._key(), "me": me}).rowcount:
                    if self._holder:
                        raise self._fenced()
                    connection.execute(insert(LOGS), {"log": self._number, "epoch": 1, "holder": me})
                epoch = connection.execute(_EPOCH, self._key()).scalar_one()
                return epoch, connection.execute(_NEWEST, self._key()).scalar_one()

        self._epoch, newest = persist(work, self._database.name)
        self._holder = me
        return newest

    def append(self, entry: Entry) -> None:
        """Make an entry durable; the very same entry again succeeds without effect."""
        row = encoded(self._number, entry, self._epoch)

        def work(connection: Connection) -> int:
            try:
                return connection.execute(_APPEND, row).rowcount
            except IntegrityError:  # an entry of this number stands
                connection.rollback()
                return 0

        if not self._kept.run(work):
            self._settle(row)

    def read(self, after: int) -> Iterator[Entry]:
        """Yield the entries after this number, in order, a page of them in memory."""
        rows = 1
        while page := self._page(after, rows):
            for row in page:
                after += 1
                if row["sequence"] != after:
                    raise damaged(self._number, after, f"entry {row['sequence']} in its place", f"entry {after}")
                yield decoded(row)
            largest = max(len(row["frame"]) + len(row["answer"]) + len(row["answer_frame"]) for row in page)
            rows = min(4 * rows, max(1, _PAGE_BYTES // (largest + 1)), _MOST_ROWS)

    def of_kind(self, kind: str, after: int) -> Iterator[Entry]:
        """Yield the entries of a kind after this number, in order, a page of them in memory."""
        while page := self._page(after, _MOST_ROWS, _PAGE_OF_KIND, kind=kind):
            yield from map(decoded, page)
            after = page[-1]["sequence"]

    def entry(self, sequence: int) -> Entry | None:
        """Return one entry, None = there is none of that number."""
        row = self._kept.run(lambda connection: connection.execute(_ENTRY, self._key(sequence)).first())
        return None if row is None else decoded(row._asdict())

    def rewrite(self, change: Callable[[Entry], Entry | None]) -> int:
        """Replace entries, all in one transaction.

        Args:
            change: a pure function: it is asked once to find the entries, so that the database is not locked
                meanwhile, and once more to replace them.

        Raises:
            FencedError: another holder has taken the log since; nothing was replaced.
            JournalError: nothing was replaced.
        """
        chosen = [entry.sequence for entry in self.read(0) if change(entry) is not None]
        with self._database.writing() as connection:
            if connection.execute(_EPOCH.with_for_update(), self._key()).scalar() != self._epoch:
                raise self._fenced()
            replaced = sum(self._replace(connection, sequence, change) for sequence in chosen)
        self._database.scrub()
        return replaced

    def _replace(self, connection: Connection, sequence: int, change: Callable[[Entry], Entry | None]) -> bool:
        old = connection.execute(_ENTRY, self._key(sequence)).one()._asdict()
        new = change(decoded(old))
        if new is None:
            return False
        connection.execute(_REPLACE, {**encoded(self._number, new, old["epoch"]), **self._key(sequence)})
        return True

    def _page(self, after: int, rows: int, query: Select[Any] = _PAGE, **more: str) -> list[Row]:
        wanted = {**self._key(), "after": after, "rows": rows, **more}
        return self._kept.run(lambda connection: [row._asdict() for row in connection.execute(query, wanted)])

    def _settle(self, row: dict[str, Any]) -> None:
        """Tell an entry that stands, its answer having been lost, from one that must not be appended."""
        key = self._key(row["sequence"])
        standing = self._kept.run(lambda connection: connection.execute(_STANDING, key).first())
        if standing is not None and (standing.epoch, standing.checksum) == (row["epoch"], row["checksum"]):
            return
        epoch = self._kept.run(lambda connection: connection.execute(_EPOCH, self._key()).scalar())
        if standing is not None or epoch != self._epoch:
            raise self._fenced()
        newest = self._kept.run(lambda connection: connection.execute(_NEWEST, self._key()).scalar_one())
        raise JournalError(
            f"log {self._number}", f"entry {row['sequence']}", f"entry {newest + 1}", "Recover, then append from there."
        )

    def _fenced(self) -> FencedError:
        got = f"a holder that is not the last to have taken it (epoch {self._epoch})"
        return FencedError(f"log {self._number}", got, "its last holder", "This holder stops; its successor goes on.")

    def _key(self, sequence: int | None = None) -> dict[str, int]:
        return {"of_log": self._number} if sequence is None else {"of_log": self._number, "at": sequence}
