"""What the tests of the rim share."""

from __future__ import annotations

import pytest

from tests.api.rim import Scene, make_scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An app with the usual settings, its clocks standing still."""
    return make_scene(monkeypatch)
