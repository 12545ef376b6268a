"""Back-off: bounded, longer each time, the same for the same item, and not the same for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.delivery.back_off import FIRST_MS, LONGEST_MS, MOST_ATTEMPTS, pause_ms

DAY_MS = 86_400_000


@given(st.text(max_size=30), st.integers(1, 200))
def test_a_pause_is_doubled_up_to_an_hour_give_or_take_a_quarter(item_id: str, attempts: int) -> None:
    whole = min(FIRST_MS * 2 ** (attempts - 1), LONGEST_MS)
    assert 0.75 * whole - 1 <= pause_ms(item_id, attempts) <= 1.25 * whole + 1
    assert pause_ms(item_id, attempts) == pause_ms(item_id, attempts)


def test_items_that_failed_together_do_not_come_back_together() -> None:
    pauses = [pause_ms(f"u-{k}/news/1/email", 3) for k in range(200)]
    assert len(set(pauses)) > 190
    assert max(pauses) - min(pauses) > 0.4 * FIRST_MS * 4


def test_all_attempts_take_about_a_day() -> None:
    total = sum(pause_ms("u-1/news/1/email", attempts) for attempts in range(1, MOST_ATTEMPTS))
    assert 0.75 * DAY_MS < total < 1.5 * DAY_MS
