"""The guard at the door: decides by the table who may come in, before a byte of a request's body is read.

FastAPI reads and parses a body before it asks any dependency, so a guard made of dependencies would let strangers make
the service work.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.storage.audit import AuditLine
from api import exchange, keys, limits
from api.access import Decision, Principal, Role, Table
from api.access import Scope as Covers
from api.clock import Clock
from api.exchange import Exchange
from api.keys import KeyRing
from api.limits import Limiter
from api.problems import Refused
from api.tokens import Tokens
from engine.calendar import MS_PER_DAY
from engine.errors import EngageError

Audit = Callable[[Sequence[AuditLine], int], None]
"""Keeps lines of the audit log and drops those from before an instant; it may block, and when it raises, the answer is
withheld."""

_WRITERS = 2  # of the audit log at once; the others wait
_SCHEME = b"bearer "
_HOW = "Send the header Authorization: Bearer KEY, with an API key or a learner's token."


class Doors(NamedTuple):
    """All that the guard asks.

    Args:
        table: who may do what.
        keys: whom a key stands for.
        tokens: whom a token stands for.
        services: how often each key may ask.
        learners: how often each learner may ask.
        strangers: how often each address may come without valid credentials.
        audit: told of what admins ask.
        audit_days: how long it has to keep that.
        clock: the service's own.
    """

    table: Table
    keys: KeyRing
    tokens: Tokens
    services: Limiter
    learners: Limiter
    strangers: Limiter
    audit: Audit
    audit_days: int
    clock: Clock


class Guard:
    """The middleware inside the envelope.

    Args:
        app: what it guards.
        doors: what it asks.
    """

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app, self._doors = app, doors
        # Threads of its own: a log that cannot be written must not hold up those who look up keys or ask actors.
        self._writers = ThreadPoolExecutor(_WRITERS, "audit")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        known = exchange.of(scope)
        decision = self._doors.table.find(scope["method"], scope["path"])
        known.template = decision.template
        if not decision.rule.roles:
            await self._app(scope, receive, send)
            return
        principal = await self._principal(scope)
        known.principal = principal
        self._spend(known, principal)
        principal.require(decision.rule)
        await self._app(scope, receive, self._watched(scope["method"], known, principal, decision, send))

    async def _principal(self, scope: Scope) -> Principal:
        """Return who is asking.

        Raises:
            Refused: 401, or 429 after too many of them from the same address.
        """
        doors = self._doors
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        if not sent:
            raise self._unknown(scope, "no credentials", "")
        if len(sent) > 1 or sent[0][: len(_SCHEME)].lower() != _SCHEME:
            raise self._unknown(scope, "something other than one Bearer", "invalid_request")
        credentials = sent[0][len(_SCHEME) :].strip().decode("latin-1")
        if keys.is_key(credentials):
            # To look up an unknown key is work, so whoever has guessed too often has to wait; known ones need not.
            if not doors.keys.knows(credentials) and (wait_s := doors.strangers.wait_s(_address(scope))):
                raise _too_many(wait_s)
            principal = await doors.keys.check(credentials)
        else:
            principal = doors.tokens.check(credentials)
        if principal is None:
            raise self._unknown(scope, "credentials that are not valid, or not any more", "invalid_token")
        return principal

    def _unknown(self, scope: Scope, got: str, code: str) -> Refused:
        allowance = self._doors.strangers.take(_address(scope))
        if not allowance.granted:
            return _too_many(allowance.wait_s)
        challenge = 'Bearer realm="engage"' + (f', error="{code}"' if code else "")
        return Refused(401, "header Authorization", got, "", _HOW, {"WWW-Authenticate": challenge})

    def _spend(self, known: Exchange, principal: Principal) -> None:
        limiter = self._doors.learners if principal.role is Role.LEARNER else self._doors.services

        def take(count: int) -> bool:
            allowance = limiter.take(principal.name, count)
            known.headers = limits.headers(limiter.rate, allowance)
            return allowance.granted

        def charge(items: int) -> None:
            if items > limiter.rate.burst:
                raise Refused(413, "events", f"{items}", f"at most {limiter.rate.burst} at once", "Send it in parts.")
            if not take(items - 1):  # the request itself is paid, but has to be paid again when it is sent again
                raise _too_many(limiter.wait_s(principal.name, items), "events")

        if not take(1):
            raise _too_many(limiter.wait_s(principal.name))
        if principal.role is Role.LEARNER:
            principal.charge = charge

    def _watched(self, method: str, known: Exchange, principal: Principal, decision: Decision, send: Send) -> Send:
        """Return a ``send`` that lets nothing out which must not go out, or not unnoticed."""
        rule = decision.rule
        if principal.role is Role.LEARNER and rule.own:

            async def send_own(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] < 400 and not principal.asked:
                    got = f"an answer to a learner of {method} {decision.template}, which never asked own()"
                    raise EngageError("route", got, "own(caller, learner_id) before anything is answered")
                await send(message)

            return send_own
        if principal.role is Role.ADMIN and rule.scope is not Covers.INGEST:

            async def send_audited(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await self._record(method, decision.template, message["status"], principal)
                await send(message)

            return send_audited
        return send

    async def _record(self, method: str, path: str, status: int, principal: Principal) -> None:
        """Put an answer on record, under each learner whom it is about."""
        at_ms, about = self._doors.clock(), principal.about or (None,)
        lines = [AuditLine(at_ms, principal.name, principal.role, method, path, status, learner) for learner in about]
        oldest_ms = at_ms - self._doors.audit_days * MS_PER_DAY
        await asyncio.get_running_loop().run_in_executor(self._writers, self._doors.audit, lines, oldest_ms)


def _too_many(wait_s: int, what: str = "requests") -> Refused:
    got, remedy = "more of them than are allowed", f"Try again in {wait_s} s."
    return Refused(429, what, got, "", remedy, {"Retry-After": str(wait_s)})


def _address(scope: Scope) -> str:
    """Return from where a request comes; of IPv6 the network, since one machine has all its addresses."""
    client = scope.get("client")
    host = str(client[0]) if client else ""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.IPv6Network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
