"""Stable 64-bit hashes of whole columns: the same in every process, on every machine, with every version of Polars.

Event ids and the ids made from an event's content are compared between processes and kept in snapshots, so neither
Python's ``hash`` (salted) nor Polars' (free to change) will do. A text is hashed by 8-byte little-endian words of its
UTF-8: ``h = mix(length)``, then ``h = mix(h ^ word)`` for each word, the last one padded with zeros; ``mix`` is the
finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection. It guards against accidents, not against attackers.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_WORD_BYTES = 8
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_NONE = np.uint64(0x6E6F6E65)  # what a missing value hashes to


def mix(words: Hashes) -> Hashes:
    """Return each word scrambled so that every bit of it reaches every bit of the result."""
    mixed = words + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def combine(*parts: Hashes) -> Hashes:
    """Return one hash of several words a row; their order matters. Shapes (n,)."""
    combined = np.zeros(len(parts[0]), np.uint64)
    for part in parts:
        combined = mix(combined ^ part)
    return combined


def texts(column: pl.Series) -> Hashes:
    """Return the hash of each text; a null has the hash of no text at all, which differs from that of the empty one.

    Args:
        column: strings, shape (n,).
    """
    column = column.rechunk()
    arrow = column.to_arrow(compat_level=pl.CompatLevel.oldest())  # large_string: 64-bit offsets into one UTF-8 buffer
    _, offsets_buffer, data_buffer = arrow.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[arrow.offset : arrow.offset + len(column) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.empty(0, np.uint8)
    padded = np.concatenate([data, np.zeros(_WORD_BYTES, np.uint8)])
    word_at = np.ndarray(len(data) + 1, np.dtype("<u8"), padded.data, strides=(1,))  # the word that starts at each byte

    starts, lengths = offsets[:-1], np.diff(offsets)
    hashes = mix(lengths.astype(np.uint64))
    rows = np.flatnonzero(lengths > 0)
    done = 0
    while len(rows):
        left = lengths[rows] - done
        unused_bits = (np.maximum(_WORD_BYTES - left, 0) * 8).astype(np.uint64)
        words = (word_at[starts[rows] + done] << unused_bits) >> unused_bits
        hashes[rows] = mix(hashes[rows] ^ words)
        rows = rows[left > _WORD_BYTES]
        done += _WORD_BYTES
    if column.null_count():
        hashes[column.is_null().to_numpy()] = _NONE
    return hashes


def numbers(column: pl.Series) -> Hashes:
    """Return the hash of each float64; null and NaN are both none, and -0.0 equals 0.0. Shape (n,)."""
    values = column.fill_null(float("nan")).to_numpy() + 0.0
    hashes = mix(np.ascontiguousarray(values, np.float64).view(np.uint64))
    return np.where(np.isnan(values), _NONE, hashes)
