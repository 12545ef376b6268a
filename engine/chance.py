"""Chance as an argument: Philox4x32-10, a hash that turns (seed, replication, learner, day, purpose, k) into luck.

There is no generator to carry about and none to advance: the same question gets the same answer, whoever asks and when.
So learner k lives the same life whatever the number of learners, actors or batches, and a killed run goes on unchanged.
**The arm is never part of the key.** Twins (the same learner in two arms) meet the same luck, so a difference between
them is the policy's work and not noise.

Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11; constants as in Random123.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compiled import compiled
from engine.errors import InputError

# What a draw is for. Each purpose has counters of its own, so one more draw for one purpose never moves another's luck.
# Plain integers: compiled code takes no Enum members as numbers. They are part of every result: never renumber.
PURPOSE_PERSON = 0  # who the learner is: latent traits, drawn once
PURPOSE_RESPONSE = 1  # how the learner responds to messages
PURPOSE_DAY = 2  # hour and luck of the day
PURPOSE_SESSIONS = 3  # sessions of the day
PURPOSE_EVENTS = 4  # events within a session
PURPOSE_POLICY = 5  # a policy's own randomness
PURPOSE_DELIVERY = 6  # whether a message is delivered, seen, opened
PURPOSE_BOOTSTRAP = 7  # who is drawn again, where a figure's interval is told

Uniforms = tuple[float, float, float, float]

# Every operand is uint64: Numba turns uint64 with int64 into float64.
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)  # multipliers
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)  # Weyl steps of the key: golden ratio, sqrt(3) - 1
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_WORD = 0xFFFFFFFF  # the same mask for int64
_SCALE = 2.0**-32
_ALL = (1 << 64) - 1


def stream(seed: int, replication: int) -> int:
    """Return the stream of one replication of one seed.

    For one seed, different replications always have different streams; over all pairs, two streams agree with the
    chance of two random 64-bit numbers.

    Args:
        seed: the scenario's seed, 0 to 2^63 - 1.
        replication: 0 to 2^63 - 1.

    Returns:
        A number that fits int64, negative ones included.

    Raises:
        InputError: an argument is out of range.
    """
    for name, value in (("seed", seed), ("replication", replication)):
        if not 0 <= value < 1 << 63:
            raise InputError(name, got=str(value), expected="a whole number from 0 to 2^63 - 1")
    mixed = _splitmix64(_splitmix64(seed) ^ replication)
    return mixed - (1 << 64) if mixed >> 63 else mixed


def _splitmix64(value: int) -> int:
    """Mix 64 bits one to one (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014)."""
    z = (value + 0x9E3779B97F4A7C15) & _ALL
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _ALL
    return z ^ (z >> 31)


@compiled
def philox4x32(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Return four 32-bit words, each in a uint64, for counter ``c0..c3`` and key ``k0, k1`` (uint64, below 2^32)."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@compiled
def uniforms(stream: int, learner: int, day: int, purpose: int, k: int) -> Uniforms:
    """Return the luck of one learner on one day: four independent uniform numbers.

    Args:
        stream: from `stream`.
        learner: index in the population, 0 to 2^32 - 1.
        day: local day, or day of the simulation; may be negative.
        purpose: one of the ``PURPOSE_`` numbers.
        k: which four of that purpose and day, 0 to 2^32 - 1.

    Returns:
        Four float64 strictly between 0 and 1, odd multiples of 2^-33, so that log(u) and log(1 - u) are finite.
    """
    # Key (low half of the stream, learner), counter (day, purpose, k, high half of the stream).
    r0, r1, r2, r3 = philox4x32(
        np.uint64(int(day) & _WORD),
        np.uint64(int(purpose) & _WORD),
        np.uint64(int(k) & _WORD),
        np.uint64((int(stream) >> 32) & _WORD),
        np.uint64(int(stream) & _WORD),
        np.uint64(int(learner) & _WORD),
    )
    return (
        (float(r0) + 0.5) * _SCALE,
        (float(r1) + 0.5) * _SCALE,
        (float(r2) + 0.5) * _SCALE,
        (float(r3) + 0.5) * _SCALE,
    )


@compiled
def normal(u1: float, u2: float) -> float:
    """Return a standard normal number made of two uniforms (Box & Muller 1958); beyond 6.8 it never gets."""
    return math.sqrt(-2.0 * math.log(u1)) * math.cos(2.0 * math.pi * u2)


@compiled
def uniforms_array(stream: int, learners: NDArray[Any], day: int, purpose: int, k: int) -> NDArray[np.float64]:
    """Return `uniforms` of many learners as an array of shape (n, 4)."""
    out = np.empty((len(learners), 4), np.float64)
    for i in range(len(learners)):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = uniforms(stream, learners[i], day, purpose, k)
    return out
