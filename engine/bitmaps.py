"""Rings of days: which of the last 392 local days had activity, eight weeks to a word."""

from __future__ import annotations

from typing import Any

from engine.compiled import compiled
from engine.record import WORD_DAYS, WORDS


@compiled
def set_day(bits: Any, day: int) -> bool:
    """Mark a day; return True if it was not marked before."""
    word = (day // WORD_DAYS) % WORDS
    mask = 1 << (day % WORD_DAYS)
    new = (int(bits[word]) & mask) == 0
    bits[word] = int(bits[word]) | mask
    return new


@compiled
def clear_day(bits: Any, day: int) -> None:
    """Unmark a day, as it re-enters the ring."""
    word = (day // WORD_DAYS) % WORDS
    bits[word] = int(bits[word]) & ~(1 << (day % WORD_DAYS))


@compiled
def has_day(bits: Any, day: int) -> bool:
    """Return whether a day within the ring is marked."""
    return (int(bits[(day // WORD_DAYS) % WORDS]) >> (day % WORD_DAYS)) & 1 == 1


@compiled
def window(bits: Any, day: int) -> int:
    """Return the 56 days that end with ``day`` as one integer: bit k is the day k days before."""
    word = (day // WORD_DAYS) % WORDS
    within = day % WORD_DAYS  # bits 0..within of this word are the newest days, oldest first
    newest = int(bits[word]) & ((1 << (within + 1)) - 1)
    older = int(bits[(word + WORDS - 1) % WORDS]) >> (within + 1)
    return reverse((newest << (WORD_DAYS - 1 - within)) | older)


@compiled
def reverse(days: int) -> int:
    """Return the 56 bits in the opposite order: swaps within each byte, then of the seven bytes."""
    days = ((days >> 1) & 0x55555555555555) | ((days & 0x55555555555555) << 1)
    days = ((days >> 2) & 0x33333333333333) | ((days & 0x33333333333333) << 2)
    days = ((days >> 4) & 0x0F0F0F0F0F0F0F) | ((days & 0x0F0F0F0F0F0F0F) << 4)
    out = 0
    for _ in range(7):
        out = (out << 8) | (days & 0xFF)
        days >>= 8
    return out


@compiled
def count(days: int) -> int:
    """Return the number of marked days of a window (the population count, in parallel by halves)."""
    days = days - ((days >> 1) & 0x55555555555555)
    days = (days & 0x33333333333333) + ((days >> 2) & 0x33333333333333)
    days = (days + (days >> 4)) & 0x0F0F0F0F0F0F0F
    return ((days * 0x01010101010101) >> 48) & 0xFF


@compiled
def newest(days: int) -> int:
    """Return how many days ago the newest marked day of a window lies; 56 when none is marked."""
    if days == 0:
        return WORD_DAYS
    return count((days & -days) - 1)
