"""Back-off: how long to wait before the next attempt, longer each time and not the same for all."""

from __future__ import annotations

import hashlib

FIRST_MS = 15_000
LONGEST_MS = 3_600_000
MOST_ATTEMPTS = 30
"""Pauses of 15 s, 30 s ... one hour: the last of 30 attempts comes a day after the first."""

_JITTER = 0.25  # of the pause, up or down: what failed together does not come back together


def pause_ms(item_id: str, attempts: int) -> int:
    """Return the pause after so many attempts at an item: doubled each time up to an hour, a quarter more or less.

    Args:
        item_id: decides the quarter, by a hash, so that the same item always waits as long.
        attempts: so far, at least 1.
    """
    whole = min(FIRST_MS << min(attempts - 1, 16), LONGEST_MS)
    digest = hashlib.blake2b(f"{item_id}/{attempts}".encode(), digest_size=4).digest()
    place = int.from_bytes(digest, "big") / 0xFFFFFFFF
    return round(whole * (1.0 + _JITTER * (2.0 * place - 1.0)))
