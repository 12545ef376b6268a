"""Versions of xAPI: which are spoken, and how a request and its response agree on one."""

from __future__ import annotations

import re

from api.xapi.errors import VersionError

HEADER = "X-Experience-API-Version"
V1, V2 = "1.0.3", "2.0.0"
VERSIONS = (V1, V2)
"""The latest patch of each line that is spoken; a response carries the one of its request's line."""

_LINE = re.compile(r"(1\.0|2\.0)(\.[0-9]{1,9})?")


def negotiate(header: str | None) -> str:
    """Return the version to answer with: the latest patch of the line that the request names.

    The specification sets the response's header to the latest patch, takes ``1.0`` for ``1.0.0`` (``2.0`` likewise) and
    refuses a request without the header.

    Args:
        header: value of the request's `HEADER`, None if it has none.

    Raises:
        VersionError: none, or of another line.

    >>> negotiate("1.0.1"), negotiate("2.0")
    ('1.0.3', '2.0.0')
    """
    found = _LINE.fullmatch((header or "").strip())
    if found is None:
        remedy = f"Send the header {HEADER}: {V1}, or {V2} for IEEE 9274.1.1."
        got = "nothing" if header is None else repr(header[:40])
        raise VersionError(HEADER, got, "1.0.x or 2.0.x", remedy)
    return V1 if found[1] == "1.0" else V2


def about() -> dict[str, object]:
    """Return the document of ``GET /xapi/about``, which needs neither key nor version header."""
    return {"version": list(VERSIONS), "extensions": {}}
