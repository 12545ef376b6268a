"""A Python client of the service: typed, synchronous, and safe to retry.

    with EngageClient("http://127.0.0.1:8000", key) as engage:
        receipt = engage.track("u-17", "lesson_complete", course_id="python-101")
        print(receipt.total_xp, receipt.streak)

**Retries are safe** because an event is known by its id, which is made here before it is first sent: whatever became of
the attempts before, it counts once and its receipt is the first one's. So all that may pass is tried again: no
connection, a time-out, an answer cut short, 408, 429, 500 and 502-504; after pauses that double, with jitter, and
after the ``Retry-After`` that the service asks for. An event that another process may have to send again needs your own
id.
"""

from __future__ import annotations

import email.utils
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
from pydantic import ValidationError

from api.client_models import (
    AccessError,
    BusyError,
    ClientError,
    Event,
    Leaderboard,
    Receipt,
    RefusedError,
    Risk,
    Streak,
    Told,
    UnreachableError,
    Xp,
)

__all__ = [
    "AccessError",
    "BusyError",
    "ClientError",
    "EngageClient",
    "Event",
    "Leaderboard",
    "Receipt",
    "RefusedError",
    "Risk",
    "Streak",
    "UnreachableError",
    "Xp",
]

MOST_A_REQUEST = 500  # events: well under the service's limit, so that a batch is quick and its repetition cheap
_MAY_PASS = {408, 429, 500, 502, 503, 504}  # statuses of which the same request may succeed later
_API = "/api/engagement"

_Answer = TypeVar("_Answer", bound=Told)


class EngageClient:
    """Speaks to one service with one key; close it, or use it in a ``with``. Threads may share it.

    Args:
        base_url: of the service, without ``/api``.
        key: API key, or a learner's token.
        timeout_s: for one attempt, of each of connecting, sending and waiting.
        attempts: at most, of one call.
        longest_pause_s: between two attempts; where the service asks for more, the call ends with `BusyError`.
        chance: returns a number in [0, 1), for jitter.
        sleep: waits some seconds.
        http: for tests and proxies, a client of your own, which stays yours to close.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout_s: float = 10.0,
        attempts: int = 8,
        longest_pause_s: float = 30.0,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], None] = time.sleep,
        http: httpx.Client | None = None,
    ) -> None:
        self._base = base_url.rstrip("/") + _API
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._attempts = attempts
        self._longest_pause_s = longest_pause_s
        self._chance = chance
        self._sleep = sleep
        self._own = http is None
        self._http = http or httpx.Client(timeout=timeout_s)

    def track(
        self,
        user_id: str,
        action: str,
        *,
        event_id: str | None = None,
        occurred_at: datetime | None = None,
        value: float | None = None,
        timezone: str | None = None,
        course_id: str | None = None,
    ) -> Receipt:
        """Send one event; return what it brought, once it is durable.

        Args:
            user_id: the learner, by your own id.
            action: an action of the rules, such as ``lesson_complete``.
            event_id: your id of it, or one made here; sent again under the same id it counts once.
            occurred_at: with a zone; default: when it arrives.
            value: a score from 0 to 1, minutes, ... by action.
            timezone: the learner's, IANA name; default: the profile's.
            course_id: your id of the course.

        Raises:
            ClientError: it was refused, or no answer came.
        """
        event = Event(
            user_id=user_id, action=action, event_id=event_id or str(uuid.uuid4()), occurred_at=occurred_at,
            value=value, timezone=timezone, course_id=course_id,
        )  # fmt: skip
        return self._told(Receipt, "POST", "/track", json=_wire(event))

    def track_many(self, events: Iterable[Event]) -> list[Receipt]:
        """Send many events, some hundreds a request; return their receipts in order.

        An event that is refused by itself has a receipt of status ``refused`` and does not hinder the others.

        Raises:
            ClientError: a whole request was refused, or no answer came. All may be sent again: what counted, counted.
        """
        receipts: list[Receipt] = []
        rest = iter(events)
        while chunk := list(islice(rest, MOST_A_REQUEST)):
            told = self._call("POST", "/events", json=[_wire(event) for event in chunk])
            results = told.get("results") if isinstance(told, dict) else told
            if not isinstance(results, list) or len(results) != len(chunk):
                raise _unreadable(f"{len(chunk)} events", "a result for each event")
            receipts += [_read(Receipt, result) for result in results]
        return receipts

    def xp(self, user_id: str) -> Xp:
        """Return a learner's XP, level and rank."""
        return self._told(Xp, "GET", "/xp", params={"userId": user_id})

    def streak(self, user_id: str) -> Streak:
        """Return a learner's streak and freezes."""
        return self._told(Streak, "GET", "/streak", params={"userId": user_id})

    def risk(self, user_id: str) -> Risk:
        """Return a learner's risk of dropping off, as of now."""
        return self._told(Risk, "POST", "/calculate", json={"userId": user_id})

    def leaderboard(
        self,
        period: Literal["daily", "weekly", "all_time"] = "weekly",
        limit: int = 10,
        user_id: str | None = None,
    ) -> Leaderboard:
        """Return the best of a period, and where a learner stands."""
        asked = {"period": period, "limit": limit} | ({"userId": user_id} if user_id else {})
        return self._told(Leaderboard, "GET", "/leaderboard", params=asked)

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _told(self, kind: type[_Answer], method: str, path: str, **content: Any) -> _Answer:
        return _read(kind, self._call(method, path, **content))

    def _call(self, method: str, path: str, **content: Any) -> Any:
        """Send a request until it is answered or patience ends; return the answer's JSON."""
        request = self._http.build_request(method, self._base + path, headers=self._headers, **content)
        pauses = self._pauses()
        while True:
            asked: float | None = None
            try:
                answer = self._http.send(request)
                if answer.is_success:
                    return answer.json()
                failed: ClientError = _refusal(answer)
                if answer.status_code not in _MAY_PASS:
                    raise failed
                asked = _retry_after_s(answer)
            except (httpx.UnsupportedProtocol, httpx.LocalProtocolError):
                raise
            except (httpx.TransportError, httpx.DecodingError, ValueError) as error:
                failed = UnreachableError(f"{method} {path}", f"{type(error).__name__}: {error}", "an answer", _AGAIN)
            pause_s = next(pauses, None)
            if pause_s is None or (asked or 0.0) > self._longest_pause_s:
                raise failed
            self._sleep(pause_s + (asked or 0.0))

    def _pauses(self) -> Iterator[float]:
        """Return the pauses between attempts: 0.1 s, doubling, each by half drawn so that clients part."""
        for attempt in range(self._attempts - 1):
            yield min(self._longest_pause_s, 0.1 * 2**attempt) * (0.5 + 0.5 * self._chance())


_AGAIN = "Is the service running? What was sent may have counted; sent again under the same ids it counts once."


def _wire(event: Event) -> dict[str, Any]:
    return event.model_dump(mode="json", by_alias=True, exclude_none=True)


def _read(kind: type[_Answer], told: object) -> _Answer:
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        raise _unreadable(".".join(map(str, first["loc"])) or "answer", first["msg"]) from None


def _unreadable(what: str, expected: str) -> ClientError:
    return ClientError(f"answer of the service: {what}", "", expected, "Is the client of the service's version?")


def _refusal(answer: httpx.Response) -> RefusedError:
    try:
        told = answer.json()
    except ValueError:
        told = None
    problem = told if isinstance(told, dict) else {"title": answer.reason_phrase}
    kinds = {401: AccessError, 403: AccessError, **dict.fromkeys(_MAY_PASS, BusyError)}
    return kinds.get(answer.status_code, RefusedError)(answer.status_code, problem)


def _retry_after_s(answer: httpx.Response) -> float | None:
    """Return the seconds of the header Retry-After, which may also be a date."""
    text = answer.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
