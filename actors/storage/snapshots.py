"""Snapshots on disk: whole files of named arrays without pickle, the newest two generations kept."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from actors.ports import State

_GENERATIONS = 2
_NAMES = "names"  # in every file: the names of its arrays, since a damaged table of contents may leave some out
_DAMAGE = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file may end with; `RuntimeError` where a damaged flag says "encrypted" or "patched"."""


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner may read: a snapshot holds every learner."""
    return os.open(path, flags, 0o600)


class SnapshotFiles:
    """Keeps one actor's snapshots in a directory of their own.

    A snapshot is written under another name, synced and then renamed, so it is whole or not there. Array files carry a
    CRC for each array; a torn or damaged file is passed over in favour of the generation before.

    Args:
        directory: made if it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._drop_drafts()

    def save(self, sequence: int, state: State) -> None:
        """Keep a snapshot durably."""
        final = self._directory / f"{sequence:012d}.npz"
        draft = final.with_suffix(".draft")
        try:
            with open(draft, "wb", opener=_private) as file:
                np.savez(file, allow_pickle=False, **state, **{_NAMES: np.array(sorted(state))})
                file.flush()
                os.fsync(file.fileno())
            draft.replace(final)
        finally:
            draft.unlink(missing_ok=True)  # on a full disk it would take the room that is needed

    def prune(self, answered: int) -> int:
        """Drop what no recovery can need: all but the newest generations up to the last answered message.

        Returns:
            number of the oldest of these generations; 0 while there are fewer.
        """
        settled = [file for file in self._newest_first() if int(file.stem) <= answered]
        for old in settled[_GENERATIONS:]:
            old.unlink()
        return int(settled[_GENERATIONS - 1].stem) if len(settled) >= _GENERATIONS else 0

    def forget(self, after: int) -> None:
        """Drop every snapshot of a message after this one, and what was left half-written."""
        self._drop_drafts()
        for file in self._newest_first():
            if int(file.stem) > after:
                file.unlink()

    def load(self, before: int) -> tuple[int, State] | None:
        """Return the newest whole snapshot of a message before this one with its sequence number, or None."""
        for file in self._newest_first():
            if int(file.stem) >= before:
                continue
            try:
                with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                    found = {name: arrays[name] for name in arrays.files}
                if found.pop(_NAMES).tolist() == sorted(found):
                    return int(file.stem), found
            except _DAMAGE:
                continue  # torn or damaged: the generation before is older, but whole
        return None

    def _drop_drafts(self) -> None:
        for draft in self._directory.glob("*.draft"):
            draft.unlink(missing_ok=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self._directory.glob("*.npz"), reverse=True)
