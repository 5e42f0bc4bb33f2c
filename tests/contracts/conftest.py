"""What these tests share."""

import pytest
from support import configs


@pytest.fixture(autouse=True)
def _unpack_once(monkeypatch):
    configs.unpack_once(monkeypatch)
