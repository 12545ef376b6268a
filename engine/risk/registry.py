"""The registry: every model that has been in use or might be, which of them is, and why.

A directory: each model's file under its version, which is a hash of all that decides a score and so never changes its
meaning, and a history with a line for each decision. The newest line tells the champion; a promotion is undone by the
next one.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import InputError, did_you_mean
from engine.risk.model import RiskModel, load

_HISTORY = "history.ndjson"


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
            InputError: none of that version is kept, or its file does not hold what it did.
        """
        if version not in self.versions():
            known = ", ".join(self.versions()) or "none yet"
            expected = f"a version that {self.directory} keeps: {known}"
            raise InputError("model version", repr(version), expected, did_you_mean(version, self.versions()))
        file = self.directory / f"{version}.json"
        model = load(file)
        if model.version != version:
            raise InputError(str(file), f"numbers of version {model.version}", f"those of version {version}")
        return model

    def add(self, model: RiskModel) -> str:
        """Keep a model; return its version."""
        self.directory.mkdir(parents=True, exist_ok=True)
        model.save(self.directory / f"{model.version}.json")
        return model.version

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
        """Add a line to the history."""
        self.directory.mkdir(parents=True, exist_ok=True)
        at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds")
        line = json.dumps({"at": at, **decision}, allow_nan=False)
        with (self.directory / _HISTORY).open("a") as file:
            file.write(f"\n{line}\n")  # the first line's end: what a crash tore before stays a line of its own
            file.flush()
            os.fsync(file.fileno())

    def history(self) -> list[dict[str, Any]]:
        """Return all decisions, oldest first; a line that was torn by a crash was never made."""
        try:
            lines = (self.directory / _HISTORY).read_text().splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def champion(self) -> str | None:
        """Return the version in use, None = none was promoted yet."""
        promoted = [each["promoted"] for each in self.history() if "promoted" in each]
        return promoted[-1] if promoted else None

    def champion_or(self, packaged: RiskModel) -> RiskModel:
        """Return the model in use, or the packaged one where none was promoted yet."""
        version = self.champion()
        return packaged if version is None else self.model(version)
