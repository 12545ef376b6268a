"""The catalogue of policies: each is one file of this folder, found by its class's ``name``."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import pkgutil
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.errors import InputError, did_you_mean
from engine.policies.base import Policy


@functools.cache
def _classes() -> dict[str, type[Policy]]:
    package = importlib.import_module("engine.policies")
    found: dict[str, type[Policy]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"engine.policies.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == module.__name__ and issubclass(cls, Policy) and not inspect.isabstract(cls):
                found[cls.name] = cls
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
