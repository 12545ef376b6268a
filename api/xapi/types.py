"""The specification's special data types: IRIs, UUIDs, instants, durations, language maps, extensions.

Formats are checked as the specification asks ("best effort" for IRIs and language tags). Sources: xAPI 1.0.3 part two,
section 4; IEEE 9274.1.1 (xAPI 2.0), sections 4.2.7 and 5.2.7.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from api.xapi.versions import V2

_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d+)?)?(?P<zone>Z|[+-]\d\d(:?\d\d)?)?", re.ASCII | re.IGNORECASE
)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_NO_OFFSET = re.compile(r"-00(:?00)?")
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+(?:[.,]\d+)?)W|(?:(?P<years>\d+(?:[.,]\d+)?)Y)?(?:(?P<months>\d+(?:[.,]\d+)?)M)?"
    r"(?:(?P<days>\d+(?:[.,]\d+)?)D)?"
    r"(?P<time>T(?:(?P<hours>\d+(?:[.,]\d+)?)H)?(?:(?P<minutes>\d+(?:[.,]\d+)?)M)?(?:(?P<seconds>\d+(?:[.,]\d+)?)S)?)?)",
    re.ASCII,
)
_MINUTES = {"weeks": 10_080.0, "days": 1_440.0, "hours": 60.0, "minutes": 1.0, "seconds": 1.0 / 60.0}


def _like(pattern: str, expected: str) -> AfterValidator:
    """Return a validator of texts. Halves of characters (surrogates), which nobody can store, match no pattern here."""
    form = re.compile(pattern)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(expected)
        return value

    return AfterValidator(check)


_CONTROLS = r"\x00-\x1f\x7f\ud800-\udfff"
_HEX = "[0-9A-Fa-f]"

Text = Annotated[str, _like(r"[^\x00\ud800-\udfff]*", "text that can be stored: whole Unicode without NUL")]
Name = Annotated[str, _like(rf"(?=.*\S)[^{_CONTROLS}]+", "one line of text that is not blank")]
Iri = Annotated[
    str, _like(rf'[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{_CONTROLS}]+', "an IRI with its scheme, such as http://...")
]
Mailto = Annotated[
    str, _like(rf"mailto:[^@\s{_CONTROLS}]+@[^@\s{_CONTROLS}]+", "mailto: and an address, mailto:ana@example.com")
]
Sha1 = Annotated[str, _like(rf"{_HEX}{{40}}", "a SHA-1 in hexadecimal: 40 digits")]
Sha2 = Annotated[str, _like(rf"{_HEX}{{56}}|{_HEX}{{64}}|{_HEX}{{96}}|{_HEX}{{128}}", "a SHA-2 in hexadecimal")]
Uuid = Annotated[str, _like(rf"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}", "a UUID in its standard form")]
Version = Annotated[str, _like(r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?", "a version such as 1.0.0")]
Language = Annotated[
    str, _like(r"([A-Za-z]{2,8}|[iIxX])(-[A-Za-z0-9]{1,8})*", "a language tag of RFC 5646 such as en-US")
]
Languages = dict[Language, Text]
Extensions = dict[Iri, Any]
"""Whatever the controllers of the keys like; no statement is refused for a value here."""


def _instant(value: object, info: ValidationInfo) -> datetime:
    """Read a timestamp.

    2.0 wants RFC 3339, so seconds and a zone. 1.0.x only recommends the zone: an instant without one is taken for UTC,
    as learning record stores do.
    """
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None or not isinstance(value, str):
        raise ValueError("a timestamp of ISO 8601 such as 2026-03-02T18:05:00.000Z")
    if _NO_OFFSET.fullmatch(found["zone"] or ""):
        raise ValueError("Z or +00:00: ISO 8601 knows no offset of -00:00")
    if (info.context or {}).get("version") == V2 and not _RFC_3339.fullmatch(value):
        raise ValueError("a timestamp of RFC 3339, with seconds and zone, as xAPI 2.0 wants it: 2026-03-02T18:05:00Z")
    try:
        instant = datetime.fromisoformat(value.upper())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a date and time of day that exist") from None


def _duration(value: str) -> str:
    found = _DURATION.fullmatch(value)
    parts = [part for name, part in found.groupdict().items() if part and name != "time"] if found else []
    fractions = [part for part in parts if not part.isdigit()]
    if found is None or not parts or found["time"] == "T" or fractions not in ([], parts[-1:]):
        raise ValueError("a duration of ISO 8601 such as PT4H35M59.14S, a fraction only in its last part")
    return value


Instant = Annotated[datetime, BeforeValidator(_instant)]
Duration = Annotated[str, AfterValidator(_duration)]


def minutes(duration: str) -> float | None:
    """Return a duration in minutes; None where years or months leave open how long it was, or no number can hold it.

    >>> minutes("PT1H30M"), minutes("P1Y")
    (90.0, None)
    """
    found = _DURATION.fullmatch(duration)
    if found is None or found["years"] or found["months"]:
        return None
    total = sum(float((found[name] or "0").replace(",", ".")) * worth for name, worth in _MINUTES.items())
    return total if math.isfinite(total) else None
