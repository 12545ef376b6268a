"""Fixtures of the actors' tests: one real Ray for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.ray_cluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A private Ray, started once: it takes seconds."""
    with Cluster() as running:
        running.start(cpus=2)
        yield running
