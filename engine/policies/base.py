"""What a policy sees and returns, and the catalogue that finds policies by name."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import pkgutil
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from engine.errors import InputError, did_you_mean

NO_MESSAGE = -1
"""The decision not to send."""


@dataclass(frozen=True)
class Context:
    """All that a policy may look at: one row a learner, as of local midnight.

    Args:
        day: local day that begins, days since 1970-01-01.
        learners: number of each learner in the whole population, the key of chance.
        risk: 0-100; NaN = not scored.
        standing: band by place in the rules, or a code beyond them (`engine.risk.dropoff.STANDINGS`).
        eligible: types that may be sent, bit k = code k.
        stream: of chance, from `engine.chance.stream`.
    """

    day: int
    learners: NDArray[np.int64]
    risk: NDArray[np.float64]
    standing: NDArray[np.uint8]
    eligible: NDArray[np.uint8]
    stream: int


@dataclass(frozen=True)
class Decision:
    """What each learner is sent.

    Args:
        kinds: int8 codes of the catalogue; `NO_MESSAGE` = none.
        propensity: probability in (0, 1] with which the policy chose just this, sending nothing included.
    """

    kinds: NDArray[np.int8]
    propensity: NDArray[np.float64]


class Policy(Protocol):
    """Decides for all learners of a partition at once; equal when asked one learner at a time."""

    name: ClassVar[str]

    def decide(self, context: Context) -> Decision:
        """Return one decision a learner; only eligible types are chosen."""
        ...


@functools.cache
def _classes() -> dict[str, type[Any]]:
    package = importlib.import_module("engine.policies")
    found: dict[str, type[Any]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"engine.policies.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            name = getattr(cls, "name", None)
            if cls.__module__ == module.__name__ and isinstance(name, str):
                found[name] = cls
    return found


@functools.cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_classes()[name])


def names() -> tuple[str, ...]:
    """Return the names of all policies."""
    return tuple(sorted(_classes()))


def make(name: str, params: dict[str, Any] | None = None) -> Policy:
    """Return the policy of that name with its parameters.

    Raises:
        InputError: unknown name or parameter, or a value that the policy refuses.
    """
    if name not in _classes():
        raise InputError("policy", repr(name), "a known policy", did_you_mean(name, names()))
    cls = _classes()[name]
    known = [field.name for field in fields(cls)]
    for key in params or {}:
        if key not in known:
            raise InputError(f"policy {name!r}", f"parameter {key!r}", "a parameter of it", did_you_mean(key, known))
    try:
        # Strict, so that "5" and true are no numbers; as JSON, where even so a list may stand for a tuple.
        policy: Policy = _adapter(name).validate_json(json.dumps(params or {}, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"policy {name!r}: {key}", repr(first["input"]), first["msg"]) from None
    return policy
