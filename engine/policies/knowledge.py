"""What a policy has learned, as a file: taken from the laboratory or the service, and given to either to begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.notifications.catalogue import catalogue
from engine.policies.base import Policy, State
from engine.policies.features import NAMES

_KEYS = ("policy", "types", "features", "state")
_MOST_BYTES = 64 * 2**20


def write(path: Path, policy: Policy, state: State) -> None:
    """Write what a policy knows, whole.

    Args:
        path: of the file.
        policy: that knows it.
        state: arrays of whole numbers.
    """
    arrays = {name: {"shape": list(array.shape), "values": array.ravel().tolist()} for name, array in state.items()}
    content = {"policy": policy.state_name, "types": list(catalogue().names), "features": list(NAMES), "state": arrays}
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(content, sort_keys=True) + "\n")
    draft.replace(path)


def read(path: Path, policy: Policy) -> State:
    """Return what a policy knew when the file was written.

    Args:
        path: of a file that `write` made.
        policy: that is to know it.

    Raises:
        InputError: no such file, or it is of another policy or reward, other types or features, or is damaged.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"knowledge {path}", f"{path.stat().st_size} bytes", f"{_MOST_BYTES} at most")
        content: Any = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"knowledge {path}", str(error), "a file that engage simulate wrote") from None
    if not isinstance(content, dict) or set(content) != set(_KEYS):
        raise InputError(f"knowledge {path}", "other content", f"an object of {', '.join(_KEYS)}")
    wanted = {"policy": policy.state_name, "types": list(catalogue().names), "features": list(NAMES)}
    for key, value in wanted.items():
        if content[key] != value:
            raise InputError(f"knowledge {path}: {key}", str(content[key]), str(value), "Learn anew.")
    try:
        return {name: _array(entry) for name, entry in content["state"].items()}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"knowledge {path}: state", str(error), "arrays of whole numbers") from None


def _array(entry: dict[str, Any]) -> Any:
    if not all(type(value) is int for value in (*entry["values"], *entry["shape"])):
        raise ValueError("not all of them whole numbers")
    return np.array(entry["values"], np.int64).reshape(entry["shape"])
