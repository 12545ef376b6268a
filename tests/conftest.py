"""What all tests share: where real data lies, how Hypothesis draws, one real Ray, and the runtimes on it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from actors.ray_cluster import Cluster
from actors.runtime import Runtime
from actors.spec import ActorSpec
from engine.risk import model as risk_model
from tests.runtimes import Open, runtimes

pytest_plugins = ["tests.databases"]

ROOT = Path(__file__).resolve().parent.parent
DATA_VARIABLE = "ENGAGE_DATA_DIR"
DATA_DIR = Path(os.environ.get(DATA_VARIABLE) or ROOT / "../shared/data").resolve()

# No deadline: the first example of a compiled function pays for its compilation. CI draws the same examples every time,
# so that a red build is red again; people's runs go on searching.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_report_header() -> str:
    """Say at the head of every run whether real data is there."""
    missing = "" if DATA_DIR.is_dir() else f" (missing: tests on real data are SKIPPED; set {DATA_VARIABLE})"
    return f"real data: {DATA_DIR}{missing}"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of the public data sets, one subfolder each; skip the test where it is missing."""
    if not DATA_DIR.is_dir():
        pytest.skip(
            f"no real data: {DATA_DIR} is missing; set {DATA_VARIABLE} to the folder with platform365/, oulad/ ..."
        )
    return DATA_DIR


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A private Ray, started once: it takes seconds."""
    with Cluster() as running:
        running.start(cpus=2)
        yield running


@pytest.fixture(params=runtimes(), ids=lambda cls: cls.__name__)
def open_runtime(request: pytest.FixtureRequest) -> Open:
    """Every runtime in turn."""
    if "ray" in request.param.__module__:
        request.getfixturevalue("cluster")

    @contextlib.contextmanager
    def make(specs: Sequence[ActorSpec], directory: Path) -> Iterator[Runtime]:
        runtime = request.param(specs, risk_model.load(), directory)
        try:
            yield runtime
        finally:
            runtime.stop()

    return make
