"""Settings for every test: one thread, random draws that depend on the test alone, and a temporary cache folder."""

import gc
import io
import lzma
import os
import signal
import zlib
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by numpy and torch when they are imported, and by subprocesses
import torch
from support import rasters

from gan_cli.config import hydra_internals
from gan_cli.config.suggestions import conf_dir
from gan_cli.data.images import fashion_mnist_mini

for name, value in (("GOMP_SPINCOUNT", "10000"), ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")):
    os.environ.setdefault(name, value)  # the command line sets both, and tests check that it changes nothing else
if not torch.cuda.is_available():
    # torch keeps seeds for accelerators that may be used later, each with a printed stack, which takes 7 % of the suite
    for keeper in (torch.cuda.random, torch.xpu.random, torch.mtia):
        keeper._lazy_call = lambda *_, **__: None
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup make test` ignores it, and so would the runs of the tests
SHIPPED = conf_dir()
torch.set_num_threads(1)  # two threads on two busy cores were measured to be twenty times slower than one


def pytest_collection_finish():
    """Let the garbage collector pass over modules and test items; it searched them during tests, 7 % of the suite."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def homes(tmp_path_factory):
    """Set the homes of caches, states and configs to temporary folders, for this session and its subprocesses."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("GAN_CLI_DATA", raising=False)
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture(scope="session", autouse=True)
def cache_bundled_images():
    """Decompress the bundled images once per process instead of once per run."""

    @cache
    def content(path) -> bytes:
        with lzma.open(path) as file:
            return file.read()

    with pytest.MonkeyPatch.context() as monkeypatch:
        opened_from_memory = SimpleNamespace(open=lambda path, mode: io.BytesIO(content(path)))
        monkeypatch.setattr(fashion_mnist_mini, "lzma", opened_from_memory)
        yield


@pytest.fixture(scope="session", autouse=True)
def share_configs():
    """Read and merge config files once per process instead of once per command: those shipped, and those of equal content.

    The content is that at the time when the loader is made.
    """
    shared: dict[tuple, hydra_internals._Caches] = {}
    initialize = hydra_internals._CachedRepository.initialize_sources

    def content(place: str):
        folder = Path(place.removeprefix("file://"))
        if folder == SHIPPED or place.startswith(("pkg://", "structured://")):
            return place
        return tuple((str(file.relative_to(folder)), file.read_bytes()) for file in sorted(folder.glob("**/*.yaml")))

    def initialize_shared(self, search_path) -> None:
        initialize(self, search_path)
        key = tuple(content(entry.path) for entry in search_path.get_path())
        self.caches = shared.setdefault(key, self.caches)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(hydra_internals._CachedRepository, "initialize_sources", initialize_shared)
        yield


@pytest.fixture(scope="session", autouse=True)
def simple_pictures():
    """Replace figures by what takes less time, half of that of a short run; ``drawn`` brings them back."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        rasters.simplify(monkeypatch)
        yield


@pytest.fixture
def drawn(monkeypatch):
    """Draw and lay out pictures as the program does."""
    rasters.draw(monkeypatch)


@pytest.fixture(autouse=True)
def seed_torch(request):
    """Seed torch by the test's name, so that its draws do not depend on other tests; ``$TEST_SEED`` selects other draws."""
    torch.manual_seed(zlib.crc32(f"{os.environ.get('TEST_SEED', '0')} {request.node.nodeid}".encode()))
