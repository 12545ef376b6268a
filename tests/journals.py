"""The journals under test: every one that there is, and entries to write into them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Protocol

import actors
from actors.ports import Entry, Journal, Message
from actors.storage.journal import SqlJournal


class Log(Journal, Protocol):
    """A log that one holder has opened."""

    def close(self) -> None:
        """Close its connections."""
        ...


Open = Callable[[int], Log]
"""Opens a log by its number, for one holder more; it is closed after the test."""

OPENERS: dict[type, Callable[[str, int], Log]] = {SqlJournal: SqlJournal}
"""How each journal is opened, from the URL of an empty database and the number of a log."""

_METHODS = [name for name in vars(Journal) if not name.startswith("_")]


def journals() -> list[type]:
    """Find every journal there is, so that a new one cannot stay outside the contract."""
    names = [module.name for module in pkgutil.walk_packages(actors.__path__, "actors.")]
    modules = [importlib.import_module(name) for name in names if ".migrations." not in name]
    classes = {cls for module in modules for _, cls in inspect.getmembers(module, inspect.isclass)}
    found = {cls for cls in classes if cls is not Journal and all(hasattr(cls, name) for name in _METHODS)}
    return sorted(found, key=lambda cls: cls.__name__)


def entry(sequence: int, content: bytes = b"rows") -> Entry:
    """Return an entry that its number and content tell from others."""
    body = {"number": sequence, "content": content.hex()[:64]}
    return Entry(sequence, Message("events", body, content), Message("receipts", {"of": sequence}, content[::-1]))
