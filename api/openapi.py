"""The OpenAPI document, completed from what the rim decides: credentials, roles, and the refusals of every route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import compile_path

from api.access import Role, Rule
from api.problems import Problem, responses

TITLE = "Engage"
SUMMARY = "An engagement engine for online-learning platforms."
DESCRIPTION = """
Stream learners' events in; read XP, levels, streaks, achievements, drop-off risk and ranks back.

Every event has an id, yours or one made for you. Sent again under the same id it counts once and is answered as the
first time, so a request that failed or was not answered may be sent again under the same ids. One with neither id nor
instant is a new event each time. Refusals are `application/problem+json`: what was wrong (`item`), what was `got`, what
was `expected`, and a `remedy`.
"""

_SCHEMES = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key of a service or an admin, as `engage keys create` makes it.",
    },
    "learnerToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A learner's short-lived token (`POST /api/engagement/tokens`); it opens own data only.",
    },
}
_ALL = (400, 431, 500)  # what any request may be answered with
_GUARDED = (401, 403, 429, 503)  # ... that needs credentials
_WITH_BODY = (408, 413, 415)
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")  # the shape of its refusals, which nobody here sees


def complete(document: dict[str, Any], access: Mapping[tuple[str, str], Rule]) -> dict[str, Any]:
    """Return FastAPI's document with all that the rim adds to its routes.

    Args:
        document: as FastAPI makes it; it is changed.
        access: the table of who may do what.
    """
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    schemas = components.setdefault("schemas", {})
    for name in _FASTAPIS_OWN:
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {"Problem": problem, **problem.pop("$defs")}
    rules = {(method, compile_path(template)[1]): rule for (method, template), rule in access.items()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete_operation(operation, rules[method.upper(), path])
    return document


def _complete_operation(operation: dict[str, Any], rule: Rule) -> None:
    statuses = set(_ALL)
    if rule.roles:
        statuses.update(_GUARDED)
        operation["security"] = [{"apiKey": []}]
        if Role.LEARNER in rule.roles:
            operation["security"].append({"learnerToken": []})
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
        statuses.add(404)
    if "requestBody" in operation:
        statuses.update(_WITH_BODY)
    told = operation["responses"]
    if told.get("422", {}).get("description") == "Validation Error":  # FastAPI's own
        del told["422"]
        statuses.add(422)
    known = {str(status): entry for status, entry in responses(*statuses).items()}
    operation["responses"] = dict(sorted({**known, **told}.items()))
    operation["description"] = "\n\n".join(filter(None, [operation.get("description"), f"**Who**: {who(rule)}."]))


def who(rule: Rule) -> str:
    """Return a rule in words."""
    if not rule.roles:
        return "everybody, without credentials"
    names = [role.value for role in Role if role in rule.roles]
    if rule.own and Role.LEARNER in rule.roles:
        names[0] = "learner (own data)"
    scope = f"; scope `{rule.scope}`" if rule.scope else ""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]])) + scope
