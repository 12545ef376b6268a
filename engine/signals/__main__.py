"""`python -m engine.signals > docs/signals.md`: the catalogue as a document."""

from __future__ import annotations

import importlib
import sys
from itertools import groupby

from engine.signals.catalogue import Signal, catalogue

_HEAD = """# Signals

{count} signals in {families} families. Each is one function of a learner's record and of the moment, in constant
memory, and equals its definition recomputed from the raw history
([tests/engine/definitions.py](../tests/engine/definitions.py)). [risk.md](risk.md) says when they are taken and what is
made of them, [CONTRIBUTING.md](../CONTRIBUTING.md#a-signal) how to add one.

This page is made by `python -m engine.signals > docs/signals.md`.
"""
_LARGE = 1e6


def document() -> str:
    """Return the catalogue as Markdown: a table for each family."""
    families = [(family, list(entries)) for family, entries in groupby(catalogue(), lambda entry: entry.family)]
    parts = [_HEAD.format(count=len(catalogue()), families=len(families))]
    for family, entries in families:
        meaning = (importlib.import_module(f"engine.signals.{family}").__doc__ or "").strip().splitlines()[0]
        parts += [f"## {family.capitalize()}\n", meaning.partition(": ")[2].capitalize() + "\n"]
        parts += ["| signal | unit | range | meaning |", "|---|---|---|---|"]
        parts += [_line(entry) for entry in entries] + [""]
    return "\n".join(parts)


def _line(entry: Signal) -> str:
    return f"| `{entry.name}` | {entry.unit} | {_number(entry.low)} to {_number(entry.high)} | {entry.meaning} |"


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < _LARGE else f"{value:.0e}"


if __name__ == "__main__":
    sys.stdout.write(document())
