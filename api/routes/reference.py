"""The API's reference: the OpenAPI document for programs, and a page made of it for people."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse

router = APIRouter(tags=["operations"])

_HERE = Path(__file__).parent
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_DEEPEST = 6  # of an example: no model of ours is deeper, and one that holds itself would not end


@router.get("/openapi.json", summary="The OpenAPI document", response_class=JSONResponse)
async def openapi_document(request: Request) -> Response:
    """Return the description of this API for programs."""
    return Response(_document(request.app), media_type="application/json")


@router.get("/docs", summary="The reference for people", response_class=HTMLResponse)
async def reference(request: Request) -> Response:
    """Return the description of this API as one page, without scripts, and nothing of it from elsewhere."""
    return HTMLResponse(_page(request.app), headers={"Content-Security-Policy": _POLICY})


@functools.lru_cache(maxsize=1)  # anybody may ask, so it must cost nothing
def _document(app: Any) -> bytes:
    return json.dumps(app.openapi(), separators=(",", ":")).encode()


@functools.lru_cache(maxsize=1)
def _page(app: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    document = app.openapi()
    environment.filters["example"] = lambda schema: example(schema, document["components"]["schemas"])
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            told = {"method": method.upper(), "path": path, **operation}
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(told)
    return environment.get_template("reference.html.j2").render(info=document["info"], groups=groups)


def example(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """Return a value of a JSON schema as an example: its own where it has one, else one put together.

    Args:
        schema: of the value.
        schemas: that it may refer to, by name.
        depth: in a larger example.
    """
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    own = [*schema.get("examples", []), schema.get("const"), schema.get("default"), *schema.get("enum", [])]
    if any(value is not None for value in own):
        return next(value for value in own if value is not None)
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if choices:
        return example(choices[0], schemas, depth)
    if depth >= _DEEPEST:
        return None
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        return {name: example(each, schemas, depth + 1) for name, each in properties.items()}
    if schema.get("type") == "array":
        return [example(schema["items"], schemas, depth + 1)] if "items" in schema else []
    plain = {"string": "...", "integer": 1, "number": 0.5, "boolean": True, "date-time": "2026-11-22T18:30:00Z"}
    return plain.get(schema.get("format", ""), plain.get(schema.get("type", "")))
