"""What holds for every test: one thread, draws that depend on the test alone, and a cache folder that is nobody's."""

import os
import zlib

import pytest
import torch

for name, value in (("GOMP_SPINCOUNT", "10000"), ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")):
    os.environ.setdefault(name, value)  # as the command line sets them, so that tests find them unchanged
torch.set_num_threads(1)  # two threads on two busy cores were seen to be twenty times slower than one


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory):
    """``$XDG_CACHE_HOME`` of this session, of what it starts too."""
    before = os.environ.get("XDG_CACHE_HOME")
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(autouse=True)
def seeded(request):
    """The same draws whichever tests ran before on this worker; ``$TEST_SEED`` asks for others."""
    torch.manual_seed(zlib.crc32(f"{os.environ.get('TEST_SEED', '0')} {request.node.nodeid}".encode()))
