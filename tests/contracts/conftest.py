"""What these tests share."""

import pytest
import small


@pytest.fixture(autouse=True)
def _unpack_once(monkeypatch):
    small.unpack_once(monkeypatch)
