"""What is known of one request while it is answered: the middlewares and the routes share it through the ASGI scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.access import Principal

_KEY = "engage"


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    Args:
        request_id: names it in answers and in the log.
        template: of its path, such as ``/api/engagement/learners/{learner_id}``, "" = no such route. Logs and metrics
            name this one, which tells nothing about anybody.
        principal: who is asking, None = nobody known, or nobody needs to be.
        status: that was answered, 0 = nothing yet.
        headers: to add to the answer: what is left of a limit.
    """

    request_id: str
    template: str = ""
    principal: Principal | None = None
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


def begin(scope: Any, exchange: Exchange) -> None:
    """Let a request's exchange be found."""
    scope[_KEY] = exchange


def of(scope: Any) -> Exchange:
    """Return a request's exchange.

    Raises:
        KeyError: the envelope was left out of the app, so nothing must be answered.
    """
    found: Exchange = scope[_KEY]
    return found


def request_id(scope: Any) -> str | None:
    """Return a request's id, None = it has none."""
    found: Exchange | None = scope.get(_KEY)
    return found.request_id if found else None
