"""The shape of everything on the wire: camelCase names, and nothing that a request should not hold."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """Base of what the API takes and gives."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True, extra="forbid", allow_inf_nan=False
    )
