"""The post office: carries sends from the journals into the outbox, each once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from actors.answers import Answer
from actors.delivery.outbox import Item, Outbox
from actors.ports import Entry, Journal

_READER = "post"  # name of its cursors
_MOST_ITEMS = 1_000  # of one transaction, about


class PostOffice:
    """Reads the sends that actors have journalled, and puts one item for each channel into the outbox.

    An item's id follows from the send and the channel, and the cursor moves on in the transaction that puts it: to read
    an entry again puts nothing twice.

    Args:
        outbox: gets the items.
        journal_of: opens the journal of an actor, for reading on one thread.
        newest: returns the number of each journal's newest entry.
        channels: that there are; sends over others are left out.
        woken: called after something was put.
    """

    def __init__(
        self,
        outbox: Outbox,
        journal_of: Callable[[int], Journal],
        newest: Callable[[], list[int]],
        channels: Collection[str],
        woken: Callable[[], None],
    ) -> None:
        self._outbox, self._journal_of, self._newest = outbox, journal_of, newest
        self._channels, self._woken = frozenset(channels), woken
        self._at: dict[int, int] = {}  # how far each log has been looked through

    def step(self, now_ms: int) -> None:
        """Carry what has come since the last step.

        Raises:
            JournalError: the database cannot be read or written; the next step goes on from there.
        """
        for log, newest in enumerate(self._newest()):
            at = self._at[log] if log in self._at else self._outbox.cursor(_READER, log)
            if newest > at:
                self._carry(log, at, newest, now_ms)

    def _carry(self, log: int, at: int, newest: int, now_ms: int) -> None:
        items: list[Item] = []
        for entry in self._journal_of(log).of_kind("send", at):
            items += [item for item in self._items(entry) if item.expires_ms > now_ms]
            at = entry.sequence
            if len(items) >= _MOST_ITEMS:
                self._put(items, log, at, now_ms)
                items = []
        self._put(items, log, max(at, newest), now_ms)

    def _put(self, items: list[Item], log: int, at: int, now_ms: int) -> None:
        if self._outbox.put(items, now_ms, (_READER, log, at)):
            self._woken()
        self._at[log] = at

    def _items(self, entry: Entry) -> Iterator[Item]:
        now_ms = entry.message.body["now_ms"]
        for send in Answer.of(entry.answer).sends:
            for channel in send["channels"]:
                if channel in self._channels:
                    body: dict[str, Any] = {name: send[name] for name in ("type", "day", "campaign", "arm", "facts")}
                    identity = f"{send['id']}/{channel}"
                    yield Item(identity, channel, send["learner"], body, now_ms, send["expires_ms"])
