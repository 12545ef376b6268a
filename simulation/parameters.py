"""Parameters with their evidence: a value, the range it may have, and where both come from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from engine.errors import InputError, did_you_mean

TAGS = {
    "R": "read in the source",
    "C": "computed from the data",
    "S": "quoted by a second source",
    "M": "from memory",
    "A": "an assumption without a source",
}
"""How a parameter is known."""

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """A table of a file in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameter(Strict):
    """A number of a model, with its published range and its evidence."""

    value: float
    low: float
    high: float
    tag: Literal["R", "C", "S", "M", "A"]
    source: str

    @model_validator(mode="after")
    def _check(self) -> Parameter:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"low <= value <= high, not {self.low} <= {self.value} <= {self.high}")
        if not self.source.strip():
            raise ValueError("a source, or for tag A the reason of the assumption")
        return self


def load(path: Path, model: type[Model]) -> Model:
    """Read and validate a TOML file.

    Args:
        path: the file.
        model: what it must hold.

    Raises:
        InputError: unreadable file, or an entry that is unknown, missing or out of range, named with its value.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(str(path), str(error), "a readable TOML file") from None
    return validate(str(path), content, model)


def validate(source: str, content: dict[str, Any], model: type[Model]) -> Model:
    """Return content as a model.

    Args:
        source: where the content comes from, for the error.
        content: tables and values as TOML gives them.
        model: what it must hold.

    Raises:
        InputError: an entry that is unknown, missing or out of range, named with its value.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _explain(source, model, error) from None


def _explain(source: str, model: type[BaseModel], error: ValidationError) -> InputError:
    found = error.errors()
    first = next(
        (entry for entry in found if entry["type"] == "extra_forbidden"), found[0]
    )  # it explains what is missing
    where = f"{source}: {'.'.join(str(part) for part in first['loc'])}"
    if first["type"] == "extra_forbidden":
        known = _model_at(model, first["loc"][:-1]).model_fields
        return InputError(where, "an unknown key", "a key of this table", did_you_mean(str(first["loc"][-1]), known))
    if first["type"] == "missing":
        return InputError(where, "nothing", "this entry", "Compare with the files that come with the package.")
    return InputError(
        where, repr(first["input"]), first["msg"], "See the comments of the files that come with the package."
    )


def _model_at(model: type[BaseModel], place: tuple[Any, ...]) -> type[BaseModel]:
    """Return the model of the table at a place of the file: the names of its keys are in it."""
    for part in place:
        field = model.model_fields.get(str(part))
        if field is not None:
            models = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
            inner = [kind for outer in get_args(field.annotation) for kind in get_args(outer) if _is_model(kind)]
            model = (models or inner or [model])[0]
    return model


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
