"""Chance: the published vectors, the shape of the numbers, and that luck depends on the question alone."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine import chance
from engine.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
PURPOSES = sorted(value for name, value in vars(chance).items() if name.startswith("PURPOSE_"))
DRAWS = 50_000
TINY_P = 1e-4  # every test here is deterministic; a p-value below this would be a defect and not bad luck


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_known_answers_of_random123(counter: list[int], key: list[int], words: list[int]) -> None:
    assert [int(word) for word in chance.philox4x32(*map(np.uint64, counter + key))] == words


def test_splitmix64_known_answers() -> None:
    # The first outputs of the reference generator from seed 0: the state moves on by the golden ratio at each step.
    golden = 0x9E3779B97F4A7C15
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [chance._splitmix64(step * golden % 2**64) for step in range(3)] == expected


def test_every_part_of_the_question_changes_the_answer() -> None:
    base = (chance.stream(1, 0), 5, 20_000, chance.PURPOSE_DAY, 0)
    answers = {chance.uniforms(*base)}
    for place, step in itertools.product(range(5), (1, 2, 2**20)):
        question = list(base)
        question[place] += step
        answers.add(chance.uniforms(*question))
    answers.add(chance.uniforms(base[0] + 2**40, *base[1:]))  # the stream's high half counts too
    answers.add(chance.uniforms(base[0], 5, -20_000, chance.PURPOSE_DAY, 0))
    assert len(answers) == 18


def test_streams_differ_and_fit_int64() -> None:
    streams = {chance.stream(seed, replication) for seed in range(300) for replication in range(300)}
    assert len(streams) == 90_000
    assert min(streams) >= -(2**63) and max(streams) < 2**63
    assert min(streams) < 0 < max(streams)


@pytest.mark.parametrize(("seed", "replication", "named"), [(-1, 0, "seed"), (0, 2**63, "replication")])
def test_stream_refuses_what_is_out_of_range(seed: int, replication: int, named: str) -> None:
    with pytest.raises(InputError, match=named):
        chance.stream(seed, replication)


def _by_learner(k: int = 0, day: int = 100, purpose: int = chance.PURPOSE_DAY, replication: int = 0) -> np.ndarray:
    return chance.uniforms_array(chance.stream(42, replication), np.arange(DRAWS), day, purpose, k)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_uniform_over_learners(purpose: int) -> None:
    draws = _by_learner(purpose=purpose)
    assert draws.min() > 0.0 and draws.max() < 1.0
    for column in draws.T:
        assert stats.kstest(column, "uniform").pvalue > TINY_P


def test_uniform_over_days_and_over_k() -> None:
    stream = chance.stream(42, 0)
    days = [chance.uniforms(stream, 3, day, chance.PURPOSE_DAY, 0)[0] for day in range(-10_000, 10_000)]
    ks = [chance.uniforms(stream, 3, 7, chance.PURPOSE_EVENTS, k)[0] for k in range(20_000)]
    for draws in (days, ks):
        assert stats.kstest(draws, "uniform").pvalue > TINY_P
        assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 4 / math.sqrt(len(draws))


def test_independent_across_columns_learners_days_purposes_k_and_replications() -> None:
    base = _by_learner()
    others = [_by_learner(day=101), _by_learner(k=1), _by_learner(replication=1), np.roll(base, 1, axis=0)]
    others += [_by_learner(purpose=purpose) for purpose in PURPOSES if purpose != chance.PURPOSE_DAY]
    pairs = [(base[:, a], other[:, b]) for other in others for a in range(4) for b in range(4)]
    pairs += [(base[:, a], base[:, b]) for a, b in itertools.combinations(range(4), 2)]
    for one, two in pairs:
        table, _, _ = np.histogram2d(one, two, bins=10, range=[[0, 1], [0, 1]])
        assert stats.chisquare(table.ravel()).pvalue > TINY_P  # joint uniformity: sees more than correlation


def test_purposes_are_distinct() -> None:
    assert len(PURPOSES) == len(set(PURPOSES)) == 8


def test_normal_is_standard_normal() -> None:
    draws = np.array([chance.normal(u1, u2) for u1, u2, _, _ in _by_learner()])
    assert stats.kstest(draws, "norm").pvalue > TINY_P
    assert abs(chance.normal(2.0**-33, 2.0**-33)) < 6.8  # the farthest it gets
    assert chance.normal(1 - 2.0**-33, 0.25) == pytest.approx(0.0, abs=1e-4)


@given(
    learners=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20),
    day=st.integers(-(2**31), 2**31 - 1),
    k=st.integers(0, 2**32 - 1),
)
def test_a_learner_has_the_same_luck_in_any_batch(learners: list[int], day: int, k: int) -> None:
    stream = chance.stream(9, 9)
    batch = chance.uniforms_array(stream, np.array(learners), day, chance.PURPOSE_PERSON, k)
    narrow = chance.uniforms_array(stream, np.array(learners, np.uint32), day, chance.PURPOSE_PERSON, k)
    assert np.array_equal(batch, narrow)
    for learner, row in zip(learners, batch, strict=True):
        assert tuple(row) == chance.uniforms(stream, learner, day, chance.PURPOSE_PERSON, k)
    assert np.all(batch * 2**33 % 2 == 1)  # odd multiples of 2^-33: neither 0 nor 1 can ever come


QUESTIONS = [(0, 0, 0, 0, 0), (7, 2**32 - 1, -1, 6, 2**32 - 1), (-(2**63), 12, 20_000, 3, 5), (2**63 - 1, 1, 2, 3, 4)]
_ASK = f"""
import json, sys, warnings
warnings.simplefilter("error")
import numpy as np
from engine import chance
questions = {QUESTIONS!r}
narrow = [(s, np.uint32(l), np.int32(d), np.uint8(p), k) for s, l, d, p, k in questions]
answers = [chance.uniforms(*q) for q in questions]
assert answers == [chance.uniforms(*q) for q in narrow]
answers += chance.uniforms_array(chance.stream(7, 1), np.arange(50, dtype=np.uint32), 20_000, 3, 5).tolist()
print(json.dumps([hasattr(chance.uniforms, "py_func"), answers, [chance.normal(a, b) for a, b, _, _ in answers]]))
"""


def test_plain_python_gives_the_same_bits() -> None:
    def ask(disabled: str) -> tuple[bool, list[list[float]], list[float]]:
        env = {**os.environ, "NUMBA_DISABLE_JIT": disabled, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _ASK]
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        is_compiled, answers, normals = json.loads(done.stdout)
        return is_compiled, answers, normals

    (fast, compiled_answers, compiled_normals), (slow, plain_answers, plain_normals) = ask("0"), ask("1")
    assert fast and not slow
    assert compiled_answers == plain_answers
    assert compiled_normals == pytest.approx(plain_normals, abs=1e-12)  # log and cos may differ in the last bit
