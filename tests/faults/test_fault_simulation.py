"""Thousands of lives of one live actor, its runtime and its clients, among faults that one integer decides.

The very classes that run in production run here; only what lies below their ports is simulated.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest

from actors.ports import Entry
from tests.faults import faulty_run
from tests.faults.faulty_disk import FATES
from tests.faults.faulty_network import CALL_FATES
from tests.faults.faulty_service import Parts
from tests.faults.mutants import MUTANTS

SEEDS = 6_000
BLOCK = 250
MOST_SEEDS_OF_A_MUTANT = 4_000


def test_no_fault_costs_or_doubles_anything() -> None:
    """See `tests.faults.faulty_judge` for what holds after each run."""
    failures, struck, told = [], Counter[tuple[str, str]](), Counter[str]()
    blocks = [range(first, first + BLOCK) for first in range(0, SEEDS, BLOCK)]
    spawn = multiprocessing.get_context("spawn")  # a fork would take threads of other tests half along
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), mp_context=spawn) as pool:
        for report in pool.map(faulty_run.run, blocks):
            failures += report.failures
            struck += report.struck
            told += report.told
    assert not failures, "\n\n".join(str(failed) for failed in failures[:3])
    every = {(step, fate) for step, fates in {**FATES, "call": CALL_FATES}.items() for fate in fates}
    assert set(struck) == every, "each fault has to have struck"
    assert min(struck.values()) > SEEDS / 200, struck
    assert min(told[kind] for kind in ("events", "profile", "close", "daily", "decide", "sent")) > SEEDS / 50, told


def test_a_seed_says_all() -> None:
    def told(seed: int) -> list[Entry]:
        life = faulty_run.live(seed, Parts())
        nameless = (replace(entry.message, body={**entry.message.body, "token": ""}) for entry in life.disk.first_told)
        return [replace(entry, message=message) for entry, message in zip(life.disk.first_told, nameless, strict=True)]

    for seed in range(20):
        assert told(seed) == told(seed)


@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_mistake_is_caught(mistake: str) -> None:
    report = faulty_run.run(range(MOST_SEEDS_OF_A_MUTANT), MUTANTS[mistake], most_failures=1)
    assert report.failures, f"an actor that {mistake} gets through {MOST_SEEDS_OF_A_MUTANT} seeds"


def test_a_failure_says_how_to_run_it_again() -> None:
    report = faulty_run.run(range(100), MUTANTS["answers before it appends"], most_failures=1)
    assert f"-m tests.faults.faulty_run {report.failures[0].seed}" in str(report.failures[0])
