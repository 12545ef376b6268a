"""The post office: carries what is to leave from the journals into the outbox, each once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from actors.answers import Answer
from actors.delivery.outbox import Item, Outbox
from actors.ports import Entry, Journal

_MOST_ITEMS = 1_000  # of one transaction, about


class PostOffice:
    """Reads on in the journals, and puts what comes of their entries into the outbox.

    An item's id follows from what it tells, and the cursor moves on in the transaction that puts it: to read an entry
    again puts nothing twice.

    Args:
        name: of its cursors.
        outbox: gets the items.
        newest: returns the number of each journal's newest entry.
        read: yields the entries of a journal, by number, after one of them; it may leave out what yields no items.
        items: returns those of an entry of a journal.
        woken: called after something was put.
        from_start: whether all that stands in the journals is carried at the first step, or only what comes after it.
    """

    def __init__(
        self,
        name: str,
        outbox: Outbox,
        newest: Callable[[], list[int]],
        read: Callable[[int, int], Iterator[Entry]],
        items: Callable[[int, Entry], Iterable[Item]],
        woken: Callable[[], None],
        *,
        from_start: bool = True,
    ) -> None:
        self._name, self._outbox, self._newest = name, outbox, newest
        self._read, self._items, self._woken = read, items, woken
        self._from_start = from_start
        self._at: dict[int, int] = {}  # how far each log has been looked through

    def step(self, now_ms: int) -> None:
        """Carry what has come since the last step.

        Raises:
            JournalError: the database cannot be read or written; the next step goes on from there.
        """
        for log, newest in enumerate(self._newest()):
            if log not in self._at:
                kept = self._outbox.cursor(self._name, log)
                if kept is None and not self._from_start:
                    self._put([], log, newest, now_ms)
                    continue
                self._at[log] = kept or 0
            if newest > self._at[log]:
                self._carry(log, newest, now_ms)

    def _carry(self, log: int, newest: int, now_ms: int) -> None:
        items: list[Item] = []
        at = self._at[log]
        for entry in self._read(log, at):
            items += [item for item in self._items(log, entry) if item.expires_ms > now_ms]
            at = entry.sequence
            if len(items) >= _MOST_ITEMS:
                self._put(items, log, at, now_ms)
                items = []
        self._put(items, log, max(at, newest), now_ms)

    def _put(self, items: list[Item], log: int, at: int, now_ms: int) -> None:
        if self._outbox.put(items, now_ms, (self._name, log, at)):
            self._woken()
        self._at[log] = at


def sends(
    name: str,
    outbox: Outbox,
    newest: Callable[[], list[int]],
    journal_of: Callable[[int], Journal],
    channels: Collection[str],
    woken: Callable[[], None],
) -> PostOffice:
    """Return what carries the sends that actors have journalled, one item for each channel.

    Args:
        name: of its cursors.
        outbox: gets the items.
        newest: returns the number of each journal's newest entry.
        journal_of: opens the journal of an actor, for reading on one thread.
        channels: that there are; sends over others are left out.
        woken: called after something was put.
    """

    def read(log: int, after: int) -> Iterator[Entry]:
        return journal_of(log).of_kind("send", after)

    def items(_log: int, entry: Entry) -> Iterator[Item]:
        now_ms = entry.message.body["now_ms"]
        for send in Answer.of(entry.answer).sends:
            for channel in send["channels"]:
                if channel in channels:
                    body = {name: send[name] for name in ("type", "day", "campaign", "arm", "facts")}
                    yield Item(f"{send['id']}/{channel}", channel, send["learner"], body, now_ms, send["expires_ms"])

    return PostOffice(name, outbox, newest, read, items, woken)
