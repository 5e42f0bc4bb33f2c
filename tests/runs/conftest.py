"""Fixtures for the tests of runs."""

import pytest
from support import configs


@pytest.fixture(autouse=True)
def _cached_bundled_images(monkeypatch):
    configs.cache_bundled_images(monkeypatch)
