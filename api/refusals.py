"""From exceptions to answers: the one place that knows the status of each error, and what of it may go out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from actors.parcels import BusyError
from actors.ports import FencedError, JournalError
from actors.register import UnknownLearnerError
from api.exchange import request_id
from api.problems import MOST_ITEMS, Refused, answer, cut, item, shown
from engine.errors import EngageError, InputError

_log = logging.getLogger("engage.api")

STATUSES: dict[type[EngageError], int] = {
    InputError: 422,
    UnknownLearnerError: 404,
    BusyError: 503,
    JournalError: 503,
    FencedError: 503,
}
"""The status of each error that engine and actors raise, and of what derives from it; any other is an error of ours."""

_OWN_FAULT = EngageError(
    "this request",
    "an error of the service",
    "",
    "Tell the operator its requestId. Events sent again under the same ids count once.",
)
_NOT_NOW = EngageError(
    "the service",
    "trouble that passes: too much to do, or a journal that cannot be written",
    "",
    "Send the same again, under the same ids: what was done is not done twice.",
)
_SAID = ("Input should be ", "Value error, ", "Assertion failed, ", "String should ", "List should ", "Object should ")


def status_of(error: BaseException) -> int:
    """Return the HTTP status of an exception."""
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, RequestValidationError):
        return 422
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def refuse(error: Exception, identity: str | None) -> Response:
    """Return the answer to a request that ended in an exception.

    Of what is our own fault only the request's id goes out; the rest, which may name machines or people, is logged.

    Args:
        error: what was raised.
        identity: of the request.
    """
    status = status_of(error)
    if isinstance(error, Refused):
        return answer(status, error.error, identity, error.headers)
    if isinstance(error, HTTPException):  # FastAPI's own
        return answer(status, EngageError(_of_fastapi(status, str(error.detail))), identity, error.headers)
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors(), identity)
    if status == 503:
        _log.warning("request %s: %s", identity, error)
        return answer(status, _NOT_NOW, identity)
    if status < 500 and isinstance(error, EngageError):
        return answer(status, error, identity)
    _log.error("request %s failed", identity, exc_info=error)
    return answer(500, _OWN_FAULT, identity)


def _of_fastapi(status: int, detail: str) -> str:
    return "the body is no JSON that can be read" if status == 400 else detail


def _invalid(errors: Sequence[Any], identity: str | None) -> Response:
    wrong = [wrong_field(error) for error in errors[:MOST_ITEMS]]
    if any(error["type"] == "json_invalid" for error in errors):
        return answer(400, wrong[0], identity)
    return answer(422, wrong[0], identity, errors=[item(error) for error in wrong])


def wrong_field(error: Any) -> InputError:
    """Return what pydantic found wrong in our words: also for a route that judges the items of a batch one by one.

    Args:
        error: one of ``ValidationError.errors()``.
    """
    place = ""
    for part in error["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    said: str = error["msg"]
    for beginning in _SAID:
        said = said.removeprefix(beginning)
    if place == "body" and isinstance(error.get("input"), bytes):
        what, expected = "header Content-Type", "application/json"
        return InputError(what, "another, or none", expected, f"Send the header Content-Type: {expected}.")
    if error["type"] == "missing":
        return InputError(cut(place), "nothing", "a value")
    if error["type"] == "json_invalid":
        return InputError("the body", error.get("ctx", {}).get("error", said), "JSON")
    if error["type"] == "extra_forbidden":
        return InputError(cut(place), "a field that is not known here", "none of that name")
    return InputError(cut(place) or "the body", shown(error.get("input")), cut(said))


def install(app: FastAPI) -> None:
    """Let an app refuse in this form what FastAPI would refuse in its own; all else goes on to `api.envelope`.

    It has to: FastAPI wraps a handled exception that comes out of ``send``, as one of the guard does, in another.
    """

    async def handler(request: Request, error: Exception) -> Response:
        return refuse(error, request_id(request.scope))

    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handler)
