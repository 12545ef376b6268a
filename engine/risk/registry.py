"""The registry: every model that has been in use or might be, which of them is, and why.

A directory: each model's file under its version, which is a hash of all that decides a score and so never changes its
meaning, and a history with a line for each decision. The newest line tells the champion; a promotion is undone by the
next one.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import EngageError, InputError, did_you_mean
from engine.risk.model import RiskModel, load, sync_directory

_HISTORY = "history.ndjson"
_MOST_BYTES = 1 << 20  # of a line


class Registry:
    """Models by version, in a directory that is made at the first addition.

    Args:
        directory: of the files; services on several machines share it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def versions(self) -> list[str]:
        """Return the versions that are kept."""
        return sorted(path.stem for path in self.directory.glob("*.json"))

    def model(self, version: str) -> RiskModel:
        """Return a model by its version.

        Raises:
            InputError: none of that version is kept, its file does not hold what it did, or nobody can be scored by it.
        """
        if version not in self.versions():
            known = ", ".join(self.versions()) or "none yet"
            expected = f"a version that {self.directory} keeps: {known}"
            remedy = did_you_mean(version, self.versions()) if self.versions() else ""
            raise InputError("model version", repr(version), expected, remedy)
        file = self.directory / f"{version}.json"
        model = load(file)
        if model.version != version:
            raise InputError(str(file), f"numbers of version {model.version}", f"those of version {version}")
        try:
            model.score(np.zeros((1, len(model.signals))))
        except Exception as error:  # whatever it is, such a model must not come into use
            raise InputError(str(file), f"{type(error).__name__}: {error}", "a model that scores") from error
        return model

    def add(self, model: RiskModel) -> str:
        """Keep a model, durably; return its version.

        Raises:
            EngageError: the directory cannot be written.
        """
        with self._writing():
            model.save(self.directory / f"{model.version}.json")
        return model.version

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """See that the directory is there, and tell in words why it cannot be written."""
        try:
            if not self.directory.is_dir():
                self.directory.mkdir(parents=True, exist_ok=True)
                sync_directory(self.directory.parent)
            yield
        except OSError as error:
            raise EngageError(f"models in {self.directory}", str(error), "a directory that can be written") from None

    def promote(self, version: str, now_ms: int, why: dict[str, Any]) -> None:
        """Make a version that is kept the champion, durably.

        Args:
            version: of it.
            now_ms: UTC instant of the decision.
            why: for whoever asks later; anything JSON can say.

        Raises:
            InputError: see `model`.
        """
        self.model(version)
        self.note(now_ms, {"promoted": version, **why})

    def note(self, now_ms: int, decision: dict[str, Any]) -> None:
        """Add a line to the history, durably.

        Raises:
            EngageError: the directory cannot be written.
        """
        at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds")
        line = json.dumps({"at": at, **decision}, allow_nan=False)
        with self._writing(), (self.directory / _HISTORY).open("ab", _MOST_BYTES) as file:
            file.write(f"\n{line}\n".encode())  # the first line's end: what a crash tore before stays its own line
            file.flush()  # in one piece: others may add lines at the same time
            os.fsync(file.fileno())
            sync_directory(self.directory)

    def history(self) -> list[dict[str, Any]]:
        """Return all decisions, oldest first; a line that was torn by a crash was never made."""
        try:
            lines = (self.directory / _HISTORY).read_text().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"models in {self.directory}", str(error), f"a {_HISTORY} that can be read") from None
        found = []
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict):
                found.append(told)
        return found

    def champion(self) -> str | None:
        """Return the version in use, None = none was promoted yet."""
        promoted = [str(each["promoted"]) for each in self.history() if "promoted" in each]
        return promoted[-1] if promoted else None

    def champion_or(self, packaged: RiskModel) -> RiskModel:
        """Return the model in use; the packaged one stands in where none was promoted yet, or its file is unfit."""
        version = self.champion()
        if version is None or version == packaged.version:
            return packaged
        try:
            return self.model(version)
        except InputError:
            return packaged
