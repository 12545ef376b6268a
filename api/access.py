"""Who may do what: one table of all routes and roles. The service does not start with a route that is not in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NamedTuple

from fastapi import Depends, FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from api import exchange
from api.problems import Refused
from engine.errors import EngageError


class Role(StrEnum):
    """Whom credentials stand for."""

    LEARNER = "learner"
    SERVICE = "service"
    ADMIN = "admin"


class Scope(StrEnum):
    """To what credentials may be narrowed within their role."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"


DEFAULT_SCOPES = {
    Role.LEARNER: frozenset({Scope.INGEST, Scope.READ}),
    Role.SERVICE: frozenset({Scope.INGEST, Scope.READ}),
    Role.ADMIN: frozenset(Scope),
}
"""The most that each role may have, and what it has unless less is asked for."""


class Rule(NamedTuple):
    """The decision about one route.

    Args:
        roles: who may use it; empty = everybody, without credentials.
        scope: what the credentials must cover, None = nothing more.
        own: a learner gets own data only: nothing is answered unless the route has asked `own`.
    """

    roles: frozenset[Role]
    scope: Scope | None = None
    own: bool = True


PUBLIC = Rule(frozenset())
INGEST = Rule(frozenset(Role), Scope.INGEST)
READ = Rule(frozenset(Role), Scope.READ)
SHARED = Rule(frozenset(Role), Scope.READ, own=False)  # learners see others here, as these chose to be shown
SERVICE_INGEST = Rule(frozenset({Role.SERVICE, Role.ADMIN}), Scope.INGEST)
SERVICE_READ = Rule(frozenset({Role.SERVICE, Role.ADMIN}), Scope.READ)
MINT = Rule(frozenset({Role.SERVICE, Role.ADMIN}))
ADMIN = Rule(frozenset({Role.ADMIN}), Scope.ADMIN)

ACCESS: dict[tuple[str, str], Rule] = {
    ("GET", "/health"): PUBLIC,
    ("GET", "/ready"): PUBLIC,
    ("GET", "/version"): PUBLIC,
    ("GET", "/metrics"): SERVICE_READ,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("POST", "/api/engagement/tokens"): MINT,
    ("POST", "/api/engagement/track"): INGEST,
    ("POST", "/api/engagement/events"): INGEST,
    ("POST", "/api/engagement/xp"): INGEST,
    ("GET", "/api/engagement/xp"): READ,
    ("POST", "/api/engagement/streak"): INGEST,
    ("GET", "/api/engagement/streak"): READ,
    ("POST", "/api/engagement/calculate"): SERVICE_READ,
    ("GET", "/api/engagement/at-risk"): ADMIN,
    ("GET", "/api/engagement/leaderboard"): SHARED,
    ("GET", "/api/engagement/live"): READ,
    ("GET", "/api/engagement/learners/{userId:path}/profile"): READ,
    ("PUT", "/api/engagement/learners/{userId:path}/profile"): INGEST,
    ("PATCH", "/api/engagement/learners/{userId:path}/profile"): INGEST,
    ("GET", "/api/engagement/learners/{userId:path}/export"): READ,
    ("DELETE", "/api/engagement/learners/{userId:path}"): ADMIN,
    ("GET", "/api/engagement/erasures/{userId:path}"): ADMIN,
    ("GET", "/api/engagement/learners/{userId:path}/inbox"): READ,
    ("PATCH", "/api/engagement/learners/{userId:path}/inbox"): INGEST,
    ("GET", "/api/engagement/outreach"): SERVICE_READ,
    ("POST", "/api/engagement/outreach"): SERVICE_INGEST,
    ("POST", "/api/engagement/deliveries"): PUBLIC,  # signed by a gateway
    ("GET", "/unsubscribe/{token}"): PUBLIC,  # this and the next two by the link's own signature
    ("POST", "/unsubscribe/{token}"): PUBLIC,
    ("GET", "/opened/{token}"): PUBLIC,
    ("GET", "/go/{token}"): PUBLIC,
    ("GET", "/api/engagement/reports/weekly"): ADMIN,
    ("GET", "/api/engagement/reports/campaigns"): ADMIN,
    ("GET", "/xapi/about"): PUBLIC,
    ("POST", "/xapi/statements"): SERVICE_INGEST,
    ("PUT", "/xapi/statements"): SERVICE_INGEST,
}
"""Every route by its method and path template."""


def _free(_items: int) -> None:
    """Charge nothing: a limit of requests is all that there is."""


@dataclass(slots=True)
class Principal:
    """Who is asking, for one request.

    Args:
        name: for limits and the audit log: ``key:ID`` or ``learner:ID``.
        role: in which it comes.
        scopes: what its credentials cover.
        learner_id: of a learner, None = it is none.
        until_ms: when its credentials end, None = not by themselves: a stream that is still open then has to end.
        about: the learners whose data it has asked for by name, empty = nobody's in particular: for the audit log.
        asked: whether the route has asked `own`.
        charge: called by routes that take many things at once with their number: a limit may count them, and refuse.
    """

    name: str
    role: Role
    scopes: frozenset[Scope]
    learner_id: str | None = None
    until_ms: int | None = None
    about: tuple[str, ...] = ()
    asked: bool = False
    charge: Callable[[int], None] = _free

    @property
    def log_name(self) -> str:
        """What the log calls it: no learner by name, since nobody could erase that."""
        return self.role if self.role is Role.LEARNER else self.name

    def require(self, rule: Rule) -> None:
        """Refuse what a rule does not allow.

        Raises:
            Refused: 403.
        """
        if self.role not in rule.roles:
            roles = " or ".join(sorted(rule.roles))
            raise Refused(403, "your role", self.role, roles, "Ask with credentials of such a role.")
        if rule.scope is not None and rule.scope not in self.scopes:
            got = ", ".join(sorted(self.scopes)) or "none"
            raise Refused(403, "the scopes of your credentials", got, rule.scope, "Ask with credentials that cover it.")


def own(principal: Principal, learner_id: str | None) -> None:
    """Refuse a learner whatever is not about this learner alone; every route that learners may use asks here.

    Routes ask it for services and admins, too: the audit log then says whose data an admin saw.

    Args:
        principal: who is asking.
        learner_id: whom the request is about, None = not one learner alone.

    Raises:
        Refused: 403.
    """
    principal.asked = True
    principal.about = () if learner_id is None else (learner_id,)
    if principal.role is Role.LEARNER and (learner_id is None or learner_id != principal.learner_id):
        # Whose data these are, and whether there are any, is not said.
        raise Refused(
            403, "learner", "somebody else, or everybody", "yourself", "A learner's token opens own data only."
        )


async def _caller(request: Request) -> Principal:  # no plain function: FastAPI would run that in a thread, 150 us
    principal = exchange.of(request.scope).principal
    if principal is None:
        raise EngageError("caller", "a public route", "a route that asks for credentials", "Give it a rule in ACCESS.")
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""Who is asking: ``async def route(caller: Caller)``."""


class Decision(NamedTuple):
    """What the table says about one request."""

    template: str
    rule: Rule


class Table:
    """Finds the decision about a request before anything of it is read.

    Args:
        app: with all its routes.
        access: the decisions; an entry that has no route in this app decides nothing.

    Raises:
        EngageError: a route has no decision, or is of a kind whose requests cannot be told apart here.
    """

    def __init__(self, app: FastAPI, access: Mapping[tuple[str, str], Rule] = ACCESS) -> None:
        self._fixed: dict[str, dict[str, Decision]] = {}
        self._templates: list[tuple[re.Pattern[str], dict[str, Decision]]] = []
        for template, methods in routes(app).items():
            rules: dict[str, Decision] = {}
            for method in sorted(methods):
                if (method, template) not in access:
                    remedy = "Say in ACCESS who may use it; until then the service does not start."
                    raise EngageError(f"route {method} {template}", "no entry in api.access.ACCESS", "one", remedy)
                rules[method] = Decision(template, access[method, template])
            self._add(template, rules)

    def _add(self, template: str, rules: dict[str, Decision]) -> None:
        if "{" in template:
            self._templates.append((compile_path(template)[0], rules))
            return
        # The router asks its routes in order, and here paths without parameters go first: both must find the same one.
        for pattern, others in self._templates:
            if pattern.match(template) and others.keys() & rules.keys():
                other = next(iter(others.values())).template
                raise EngageError(
                    f"route {template}", f"hidden behind {other}", "a path of its own", "Include it first."
                )
        self._fixed[template] = rules

    def find(self, method: str, path: str) -> Decision:
        """Return the decision about a request.

        Raises:
            Refused: 404 or 405.
        """
        rules = self._fixed.get(path)
        if rules is not None and method in rules:
            return rules[method]
        known = dict(rules or {})
        for pattern, others in self._templates:
            if pattern.match(path):
                if method in others:
                    return others[method]
                known |= others
        if known:
            allow = ", ".join(sorted(known))
            raise Refused(405, "method", method, allow, headers={"Allow": allow})
        raise Refused(404, "path", "", "one of those in /openapi.json")


def routes(app: FastAPI) -> dict[str, set[str]]:
    """Return the methods of each path template of an app, in the order in which its router asks them.

    Raises:
        EngageError: something that is no plain route, such as a mounted app, whose requests no table could tell apart.
    """
    found: dict[str, set[str]] = {}
    for context in iter_route_contexts(app.routes):
        if not context.path or not context.methods:
            raise EngageError(f"route {context.name}", "no method or no path", "a plain HTTP route")
        found.setdefault(context.path, set()).update(context.methods)
    return found
