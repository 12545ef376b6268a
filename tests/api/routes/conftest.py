"""What the tests of the routes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.site import Site, open_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A service of two actors on a Monday noon, UTC."""
    with open_site(tmp_path) as opened:
        yield opened
