"""How often somebody may ask: one bucket each, refilled steadily."""

from __future__ import annotations

import math
from typing import NamedTuple

from api.clock import Clock
from api.settings import Rate

_TIDY_AT = 10_000  # buckets


class Allowance(NamedTuple):
    """What is left to somebody.

    Args:
        granted: whether what was asked for was.
        left: how many more would be now.
        full_s: seconds until all of the burst is there again.
        wait_s: seconds until it would be granted, 0 = it was.
    """

    granted: bool
    left: int
    full_s: int
    wait_s: int


class Limiter:
    """The buckets of all callers of one kind.

    A bucket is one number, the instant at which it will be full again; when that has passed it need not be kept. So
    memory follows those who ask now, and not all who ever asked.

    Args:
        rate: of each bucket.
        clock: a steady one.
    """

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self.rate = rate
        self._clock = clock
        self._each_ms = 1_000 / rate.per_s
        self._whole_ms = rate.burst * self._each_ms
        self._full_at: dict[str, float] = {}
        self._tidy_at = _TIDY_AT

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: str, count: int = 1) -> Allowance:
        """Grant or refuse so many at once, all or none."""
        now = self._clock()
        full_at = min(max(self._full_at.get(name, now), now), now + self._whole_ms)  # also where the clock was set back
        after = full_at + count * self._each_ms
        missing = after - now - self._whole_ms
        if missing > _ROUNDING_MS:
            return Allowance(False, self._left(full_at - now), _seconds(full_at - now), _seconds(missing))
        if name not in self._full_at and len(self._full_at) >= self._tidy_at:
            self._tidy(now)
        self._full_at[name] = after
        return Allowance(True, self._left(after - now), _seconds(after - now), 0)

    def wait_s(self, name: str, count: int = 1) -> int:
        """Return how many seconds somebody would have to wait now for so many, without asking for anything."""
        now = self._clock()
        missing = max(self._full_at.get(name, now), now) + count * self._each_ms - now - self._whole_ms
        return _seconds(missing) if missing > _ROUNDING_MS else 0

    def _left(self, until_full_ms: float) -> int:
        return int((self._whole_ms - until_full_ms + _ROUNDING_MS) / self._each_ms)

    def _tidy(self, now: int) -> None:
        self._full_at = {name: full_at for name, full_at in self._full_at.items() if full_at > now}
        self._tidy_at = max(_TIDY_AT, 2 * len(self._full_at))


_ROUNDING_MS = 1e-6


def _seconds(milliseconds: float) -> int:
    return math.ceil((milliseconds - _ROUNDING_MS) / 1_000)


def headers(rate: Rate, allowance: Allowance) -> list[tuple[bytes, bytes]]:
    """Return what tells a caller in every answer what is left."""
    return [
        (b"ratelimit-limit", b"%d" % rate.burst),
        (b"ratelimit-remaining", b"%d" % allowance.left),
        (b"ratelimit-reset", b"%d" % allowance.full_s),
    ]
